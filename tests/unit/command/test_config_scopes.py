"""Whoever may change the configuration, but not what is run, finds no way round that: no method, no key, no mask."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dms.access.caller import ADMIN, CONFIG_WRITE, TASK_WRITE, Caller
from dms.adapters.config_store import MemoryConfigStore
from dms.background_tasks.scheduler import Scheduler
from dms.command.command import Command
from dms.command.config import config_operations
from dms.command.operation import by_name
from dms.command.task_declarations import task_declaration_operations
from dms.config import Loaded, load
from dms.config.layer import LayerName
from dms.config.live import LiveConfig
from dms.errors import DmsError, Forbidden
from dms.testing import FakeClock

GUARDED = {"run", "call", "args", "kwargs", "cwd", "env", "import_paths", "work_dir", "log_file"}
"""Keys that say what runs, from where, or which files are written."""

OWNER = Caller("root", "socket", frozenset({ADMIN}))
GUEST = Caller("mallory", "socket", frozenset({CONFIG_WRITE, TASK_WRITE}))
MASK = 'tasks.x.run=["masked"]'


class Node:
    """The operations on a configuration in which the command line masks what task x runs."""

    def __init__(self, *arguments: str) -> None:
        self._arguments = arguments
        self.live = LiveConfig(self._load(), MemoryConfigStore(), FakeClock(), self._read)
        self.live.start()
        self.operations = by_name(config_operations(self.live), task_declaration_operations(Scheduler(), self.live))

    def _load(self) -> Loaded:
        return load(environ={"HOME": "/nowhere"}, arguments=self._arguments)

    async def _read(self) -> Loaded:
        return self._load()

    async def ask(self, caller: Caller, method: str, **params: Any) -> Any:
        return await Command(method, params, caller=caller).run(self.operations)

    def guarded(self) -> dict[tuple[str, ...], Any]:
        """What the overrides say of guarded keys, and what is in force of them, by layer and path."""
        said = {layer.name.value: layer.values for layer in self.live.loaded.layers if layer.name.is_override}
        return {
            (name, *path): value
            for name, values in {**said, "in force": self.live.loaded.merged.values}.items()
            for path, value in _leaves(values, ())
            if GUARDED & set(path)
        }


def _leaves(values: Any, path: tuple[str, ...]) -> list[tuple[tuple[str, ...], Any]]:
    if not isinstance(values, dict) or not values:
        return [(path, values)]
    return [leaf for name, inner in values.items() for leaf in _leaves(inner, (*path, name))]


async def owned() -> Node:
    """A node whose owner has set what is guarded: as a whole, as parts, masked, until the restart, and then again."""
    node = Node(MASK)
    await node.live.record_start()
    await node.ask(OWNER, "config.set", changes={"tasks.x": {"run": ["old"], "every": "5m"}})
    await node.ask(OWNER, "config.set", changes={"tasks.x.run": ["new"], "scheduler.import_paths": ["/srv"]})
    await node.ask(OWNER, "config.set", changes={"tasks.y": {"run": ["y"], "env": {"A": "1"}}}, volatile=True)
    await node.ask(OWNER, "config.set", changes={"observability.log_file": "/srv/log", "general.work_dir": "/srv/w"})
    return node


KEYS = [
    "tasks", "tasks.x", "tasks.x.run", "tasks.x.every", "tasks.y", "tasks.y.env", "tasks.y.env.A", "tasks.z",
    "tasks.z.call", "scheduler", "scheduler.import_paths", "scheduler.max_running_tasks", "observability",
    "observability.log_file", "general", "general.work_dir",
]  # fmt: skip
VALUES = [
    None, {}, [], ["evil"], {"run": ["evil"]}, {"x": {"run": ["evil"]}}, {"x": None}, {"x": {"every": "1m"}},
    {"run": None}, {"every": "1m"}, {"every": "5m", "run": ["old"]}, "evil:call", {"import_paths": ["/evil"]},
    {"log_file": "/evil"}, {"max_running_tasks": 3}, {"work_dir": "/evil"}, 3, "/evil",
    {"env": {"A": "2"}}, {"y": {"env": {}}},
]  # fmt: skip

setting = st.tuples(
    st.just("config.set"),
    st.fixed_dictionaries(
        {
            "changes": st.dictionaries(st.sampled_from(KEYS), st.sampled_from(VALUES), min_size=1, max_size=2),
            "volatile": st.booleans(),
        }
    ),
)
removing = st.tuples(
    st.just("config.unset"),
    st.fixed_dictionaries(
        {
            "keys": st.lists(st.sampled_from(KEYS), min_size=1, max_size=2),
            "volatile": st.sampled_from([None, True, False]),
        }
    ),
)
going_back = st.tuples(st.just("config.rollback"), st.fixed_dictionaries({"revision": st.integers(1, 8)}))
restoring = st.tuples(
    st.just("config.restore_defaults"), st.fixed_dictionaries({"keys": st.lists(st.sampled_from(KEYS), max_size=2)})
)
declaring = st.one_of(
    st.tuples(
        st.sampled_from(["task.remove", "task.enable", "task.disable"]),
        st.fixed_dictionaries({"name": st.sampled_from(["x", "y", "z"])}),
    ),
    st.tuples(
        st.just("task.add"),
        st.fixed_dictionaries(
            {
                "name": st.sampled_from(["x", "z"]),
                "declaration": st.sampled_from([v for v in VALUES if isinstance(v, dict)]),
            }
        ),
    ),
)
attempts = st.lists(st.one_of(setting, removing, going_back, restoring, declaring), min_size=1, max_size=6)


@given(attempts)
def test_no_series_of_changes_leads_round_a_scope(attempts: list[tuple[str, dict[str, Any]]]) -> None:
    """mojomojo/mojomojo#45: who might not edit could roll back."""

    async def attack() -> tuple[Any, Any]:
        node = await owned()
        before = node.guarded()
        for method, params in attempts:
            try:
                await node.ask(GUEST, method, **params)
            except DmsError:
                pass
        return before, node.guarded()

    before, after = asyncio.run(attack())
    assert before == after


@pytest.mark.parametrize(
    ("method", "params", "key"),
    [
        ("config.rollback", {"revision": 2}, "tasks.x.run"),
        ("config.unset", {"keys": ["tasks.x.run"]}, "tasks.x.run"),
        ("config.unset", {"keys": ["tasks"]}, "tasks.x.run"),
        ("config.set", {"changes": {"tasks": None}}, "tasks.x.run"),
        ("config.set", {"changes": {"tasks.x": {"every": "1m"}}}, "tasks.x.run"),
        ("config.set", {"changes": {"tasks.y": None}, "volatile": True}, "tasks.y.run"),
        ("config.set", {"changes": {"tasks.z.run": None}}, "tasks.z.run"),
        ("config.restore_defaults", {"keys": ["general"]}, "general.work_dir"),
        ("config.restore_defaults", {"keys": ["scheduler"]}, "scheduler.import_paths"),
        ("config.set", {"changes": {"observability": {}}}, "observability.log_file"),
        ("task.remove", {"name": "y"}, "tasks.y.run"),
        ("task.add", {"name": "z", "declaration": {"call": "a.b:c"}}, "tasks.z.call"),
    ],
)
@pytest.mark.parametrize("dry_run", [False, True])
async def test_the_key_and_the_scope_that_are_wanting_are_named(
    method: str, params: dict[str, Any], key: str, dry_run: bool
) -> None:
    node = await owned()
    if method.startswith("config.") and dry_run:
        params = {**params, "dry_run": True}
    with pytest.raises(Forbidden, match=rf"^{key} needs the scope (exec:run|admin), which mallory does not hold$"):
        await node.ask(GUEST, method, **params)


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("config.set", {"changes": {"tasks.x.every": "1m"}}),
        ("config.set", {"changes": {"scheduler": {"max_running_tasks": 3}}, "volatile": True}),
        ("config.unset", {"keys": ["tasks.x.every"]}),
        ("config.unset", {"keys": ["scheduler"], "volatile": True}),
        ("config.restore_defaults", {"keys": ["scheduler.max_running_tasks", "general.debug"]}),
        ("config.rollback", {"revision": 5}),
        ("task.disable", {"name": "x"}),
    ],
)
async def test_what_stands_beside_a_guarded_key_can_be_changed_without_its_scope(
    method: str, params: dict[str, Any]
) -> None:
    node = await owned()
    await node.ask(GUEST, method, **params)


async def test_saying_again_what_is_said_already_passes_and_makes_nobody_else_its_author() -> None:
    node = await owned()
    await node.ask(GUEST, "config.set", changes={"tasks.x.run": ["new"]})
    (kept,) = [layer for layer in node.live.loaded.layers if layer.name is LayerName.OVERRIDE]
    assert "root by socket, revision 3" == kept.origin(("tasks", "x", "run")).source
