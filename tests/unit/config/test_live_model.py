"""The live configuration against a model that merges dictionaries: whatever is set, unset, rolled back, reloaded, lost
in a crash, values, revisions and masks are the model's."""

import asyncio
from concurrent.futures import Future
from copy import deepcopy
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from dms.adapters.config_store import MemoryConfigStore
from dms.config import Loaded
from dms.config.changed import Changed
from dms.config.check import check_layer
from dms.config.config import BUILT_IN, plain
from dms.config.layer import Layer, LayerName
from dms.config.live import LiveConfig
from dms.config.reading import compose, with_overrides
from dms.config.setting import Machine
from dms.config.store import Revision
from dms.errors import InvalidParameters, NotFound, StoreError
from dms.testing import FakeClock

Path = tuple[str, ...]
Overrides = dict[Path, Any]

MACHINE = Machine(2, "/home/ana", False, "UTC", "/home/ana/.dms")
ARGUMENTS = {"general": {"host_country": "FI"}, "tasks": {"a": {"priority": "7"}}}

SAYABLE: list[tuple[str, Any]] = [
    ("scheduler.max_running_tasks", 3),
    ("scheduler.max_running_tasks", 5),
    ("scheduler", {"max_running_tasks": 3, "history_max_count": 9}),
    ("general.host_city", "Oulu"),
    ("general.host_country", "SE"),
    ("general", {"host_city": "Vaasa", "host_country": "NO"}),
    ("tasks.a.run", ["x"]),
    ("tasks.a.every", "5m"),
    ("tasks.a.priority", 1),
    ("tasks.a", {"run": ["whole"]}),
    ("tasks.a", {}),
    ("tasks.b", {"run": ["b"], "env": {"A": "1"}}),
    ("tasks.b.env.B", "2"),
    ("tasks.b.env", {}),
    ("tasks", {"c": {"run": ["c"]}}),
]
FILES: list[dict[str, Any]] = [
    {"scheduler": {"max_running_tasks": 3}},
    {"scheduler": {"max_running_tasks": 4}, "tasks": {"a": {"run": ["file"], "every": "10m"}, "d": {"run": ["d"]}}},
    {"general": {"host_city": "Turku"}, "tasks": {"b": {"run": ["file"], "env": {"A": "0"}}}},
]
KEYS = sorted({key for key, _ in SAYABLE})


def apart(said: dict[str, Any]) -> bool:
    """Whether no key lies in another one."""
    return not any(one != other and one.startswith(f"{other}.") for one in said for other in said)


sayings = st.lists(st.sampled_from(SAYABLE), min_size=1, max_size=3).map(dict).filter(apart)


class KilledAfterTheCommit(MemoryConfigStore):
    """A store whose next save is on disk, and nobody lives to hear of it; or one that is full."""

    dying = full = False

    def save(self, revision: Revision) -> "Future[None]":
        failed: Future[None] = Future()
        failed.set_exception(StoreError("killed or full"))
        if self.full:
            return failed
        saved = super().save(revision)
        return failed if self.dying else saved


def merged(low: Any, high: Any) -> Any:
    if not isinstance(low, dict) or not isinstance(high, dict):
        return deepcopy(high)
    return {**low, **{name: merged(low.get(name), value) for name, value in high.items()}}


def tree(overrides: Overrides) -> dict[str, Any]:
    """What overrides come to, the shorter paths first."""
    values: dict[str, Any] = {}
    for path in sorted(overrides, key=len):
        nested = deepcopy(overrides[path])
        for part in reversed(path):
            nested = {part: nested}
        values = merged(values, nested)
    return values


def at(values: Any, path: Path) -> Any:
    for part in path:
        if not isinstance(values, dict) or part not in values:
            return None
        values = values[part]
    return values


def leaves(value: Any, path: Path) -> list[Path]:
    if not isinstance(value, dict) or not value:
        return [path]
    return [leaf for name, inner in value.items() for leaf in leaves(inner, (*path, name))]


def without(overrides: Overrides, path: Path) -> Overrides:
    kept = {each: deepcopy(value) for each, value in overrides.items() if each[: len(path)] != path}
    for each, value in kept.items():
        if path[: len(each)] == each:
            holder = at(value, path[len(each) : -1])
            if isinstance(holder, dict):
                holder.pop(path[-1], None)
    return kept


class LiveModel(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.store, self.clock = KilledAfterTheCommit(), FakeClock()
        self.file = FILES[0]
        self.persistent: Overrides = {}
        self.volatile: Overrides = {}
        self.kept: dict[int, tuple[Overrides, Overrides]] = {}
        self.revision, self.last = 0, {}
        self._begin()

    def teardown(self) -> None:
        self.loop.close()

    def _read(self) -> Loaded:
        layers = [Layer(LayerName.FILE, self.file, "file"), Layer(LayerName.ARGUMENTS, ARGUMENTS, "arguments")]
        checked = [check_layer(layer, BUILT_IN, MACHINE) for layer in layers]
        return compose([each.layer for each in checked], [], None, BUILT_IN, MACHINE)

    async def _read_again(self) -> Loaded:
        return self._read()

    def _begin(self) -> None:
        """A start: what is volatile is gone, and another configuration than before is a revision."""
        self.store.dying = self.store.full = False
        self.live = LiveConfig(self._read(), self.store, self.clock, self._read_again)
        self.live.start()
        self.loop.run_until_complete(self.live.record_start())
        self.volatile = {}
        self.kept = {number: (persistent, {}) for number, (persistent, _) in self.kept.items()}
        self._expect(self.persistent, {}, starting=True)

    def _effective(self, persistent: Overrides, volatile: Overrides) -> Any:
        values = plain(self.live.loaded.layers[0].values)
        arguments = merged(ARGUMENTS, {"tasks": {"a": {"priority": 7}}})
        for layer in (self.file, tree(persistent), arguments, tree(volatile)):
            values = merged(values, layer)
        return values

    def _expect(self, persistent: Overrides, volatile: Overrides, *, starting: bool = False) -> None:
        """The model's next state; a revision where it differs from the one before."""
        effective = self._effective(persistent, volatile)
        moved = (persistent, volatile) != (self.persistent, self.volatile) and not starting
        if moved or effective != self.last:
            self.revision += 1
            self.kept[self.revision] = (persistent, volatile)
        self.persistent, self.volatile, self.last = persistent, volatile, effective

    def _run(self, change: Any) -> Changed:
        answer: Changed = self.loop.run_until_complete(change)
        return answer

    # ── what is done ──

    def _set(self, said: dict[str, Any], volatile: bool) -> tuple[Overrides, Overrides]:
        overrides = dict(self.volatile if volatile else self.persistent)
        for key, value in said.items():
            path = tuple(key.split("."))
            if at(tree(overrides), path) != value:
                overrides = {**without(overrides, path), path: value}
        return (self.persistent, overrides) if volatile else (overrides, self.volatile)

    @rule(said=sayings, volatile=st.booleans())
    def set_keys(self, said: dict[str, Any], volatile: bool) -> None:
        expected = self._set(said, volatile)
        answer = self._run(self.live.set(said, author="ana", volatile=volatile))
        self._expect(*expected)
        above = [tree(self.volatile), ARGUMENTS]
        named = [tuple(key.split(".")) for key in said]
        paths = [leaf for path in named for leaf in leaves(at(tree(self.persistent), path), path)]
        masked = {".".join(leaf) for leaf in paths if any(at(layer, leaf) is not None for layer in above)}
        assert (set() if volatile else masked) == set(answer.masked_by)

    @rule(said=sayings, volatile=st.booleans())
    def only_ask(self, said: dict[str, Any], volatile: bool) -> None:
        self._run(self.live.set(said, author="ana", volatile=volatile, dry_run=True))

    @rule(keys=st.lists(st.sampled_from(KEYS), min_size=1, max_size=2), kind=st.sampled_from([None, True, False]))
    def unset(self, keys: list[str], kind: bool | None) -> None:
        persistent, volatile = self.persistent, self.volatile
        for path in (tuple(key.split(".")) for key in keys):
            volatile = volatile if kind is False else without(volatile, path)
            persistent = persistent if kind is True else without(persistent, path)
        try:
            self._run(self.live.unset(keys, author="ana", volatile=kind))
        except InvalidParameters:
            assert any(key.startswith("tasks.") and at(self.last, tuple(key.split("."))[:2]) is None for key in keys)
        else:
            self._expect(persistent, volatile)

    @rule(back=st.integers(0, 6))
    def roll_back(self, back: int) -> None:
        number = self.revision - back
        try:
            self._run(self.live.rollback(number, author="ana"))
        except NotFound:
            assert number < 1
        else:
            self._expect(*self.kept[number])

    @rule(file=st.sampled_from(FILES))
    def save_the_file(self, file: dict[str, Any]) -> None:
        self.file = file
        self._run(self.live.reload())
        self._expect(self.persistent, self.volatile)

    @rule(file=st.sampled_from(FILES))
    def restart(self, file: dict[str, Any]) -> None:
        self.file = file
        self._begin()

    @rule(said=sayings, volatile=st.booleans())
    def be_killed_in_the_middle(self, said: dict[str, Any], volatile: bool) -> None:
        """On disk is on disk: the next start has what nobody was told of."""
        expected = self._set(said, volatile)
        self.store.dying = True
        try:
            self._run(self.live.set(said, author="ana", volatile=volatile))
        except StoreError:
            self._expect(*expected)
        self._begin()

    @rule(said=sayings)
    def meet_a_full_disk(self, said: dict[str, Any]) -> None:
        self.store.full = True
        try:
            self._run(self.live.set(said, author="ana"))
        except StoreError:
            pass
        self.store.full = False

    # ── what holds at any time ──

    @invariant()
    def values_and_revision_are_the_models(self) -> None:
        assert (self.last, self.revision) == (self.live.loaded.effective, self.live.revision)
        assert self.live.config.scheduler.max_running_tasks == self.last["scheduler"]["max_running_tasks"]
        assert sorted(self.live.config.tasks) == sorted(self.last["tasks"])

    @invariant()
    def what_was_composed_section_by_section_is_what_is_composed_as_a_whole(self) -> None:
        newest = self.store.newest()
        assert newest is not None
        assert (self.revision, self.last, self.live.hash) == (newest.number, newest.effective, newest.hash)
        whole = with_overrides(self._read(), newest.overrides, self.live._volatile)
        assert whole == self.live.loaded


TestLiveModel = LiveModel.TestCase
TestLiveModel.settings = settings(max_examples=20, stateful_step_count=15, deadline=None)
