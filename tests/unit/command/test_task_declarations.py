from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dms.access.caller import CONFIG_WRITE, TASK_WRITE, Caller
from dms.adapters.config_store import MemoryConfigStore
from dms.background_tasks.scheduler import Scheduler
from dms.command.command import Command
from dms.command.operation import Operation, by_name
from dms.command.task_declarations import task_declaration_operations
from dms.config import Loaded, load
from dms.config.layer import LayerName
from dms.config.live import LiveConfig
from dms.errors import Conflict, Forbidden, NotFound, Refused
from dms.testing import FakeClock

Ask = Callable[..., Any]

ADDED = {"run": ["true"], "description": "New.", "enabled": True}


@pytest.fixture
async def live(tmp_path: Path) -> LiveConfig:
    file = tmp_path / "dms_config.yaml"
    file.write_text('tasks:\n  filed:\n    run: ["true"]\n  still:\n    run: ["true"]\n    enabled: false\n')

    async def read() -> Loaded:
        return load(file, environ={"HOME": str(tmp_path)})

    made = LiveConfig(load(file, environ={"HOME": str(tmp_path)}), MemoryConfigStore(), FakeClock(), read)
    made.start()
    await made.record_start()
    return made


@pytest.fixture
def operations(live: LiveConfig) -> list[Operation]:
    return task_declaration_operations(Scheduler(), live)


def overrides(live: LiveConfig) -> Any:
    """What is set over the files."""
    return next((dict(each.values) for each in live.loaded.layers if each.name is LayerName.OVERRIDE), {})


async def test_a_task_that_was_added_is_an_override_and_goes_with_it(
    live: LiveConfig, operations: list[Operation], ask: Ask
) -> None:
    await ask(operations, "task.add", name="new", declaration=ADDED)
    assert {"tasks": {"new": ADDED}} == overrides(live)
    await ask(operations, "task.remove", name="new")
    assert {} == overrides(live)


@pytest.mark.parametrize("name", ["filed", "new"])
async def test_a_name_that_is_declared_already_is_a_conflict(name: str, operations: list[Operation], ask: Ask) -> None:
    if name == "new":
        await ask(operations, "task.add", name=name, declaration=ADDED)
    with pytest.raises(Conflict, match="declared already; change it"):
        await ask(operations, "task.add", name=name, declaration=ADDED)


async def test_what_a_file_declares_is_not_removed_and_the_way_out_is_told(
    operations: list[Operation], ask: Ask
) -> None:
    with pytest.raises(Refused, match=r"dms_config\.yaml: take it out there, or hold it back: task disable"):
        await ask(operations, "task.remove", name="filed")


async def test_enabling_takes_the_override_away_where_that_does_it(
    live: LiveConfig, operations: list[Operation], ask: Ask
) -> None:
    await ask(operations, "task.disable", name="filed")
    assert {"tasks": {"filed": {"enabled": False}}} == overrides(live)
    await ask(operations, "task.enable", name="filed")
    assert {} == overrides(live)


async def test_enabling_and_disabling_takes_effect_at_once(operations: list[Operation], ask: Ask) -> None:
    for method in ("task.disable", "task.enable"):
        assert ["tasks.filed.enabled"] == (await ask(operations, method, name="filed"))["applied"]


async def test_enabling_what_a_file_disables_is_an_override(
    live: LiveConfig, operations: list[Operation], ask: Ask
) -> None:
    await ask(operations, "task.enable", name="still")
    assert {"tasks": {"still": {"enabled": True}}} == overrides(live)


@pytest.mark.parametrize("method", ["task.remove", "task.enable", "task.disable"])
async def test_a_task_that_is_not_there_is_not_found(method: str, operations: list[Operation], ask: Ask) -> None:
    with pytest.raises(NotFound, match="nope"):
        await ask(operations, method, name="nope")


@pytest.mark.parametrize(
    ("method", "params", "scopes", "missing"),
    [
        ("task.add", {"name": "new", "declaration": ADDED}, {TASK_WRITE, CONFIG_WRITE}, "exec:run"),
        ("task.enable", {"name": "still"}, {TASK_WRITE}, "config:write"),
        ("task.disable", {"name": "filed"}, {TASK_WRITE}, "config:write"),
    ],
)
async def test_the_scope_of_each_key_is_needed_beside_that_of_the_method(
    method: str, params: dict[str, Any], scopes: set[str], missing: str, operations: list[Operation]
) -> None:
    caller = Caller("ana", "socket", frozenset(scopes))
    with pytest.raises(Forbidden, match=missing):
        await Command(method, params, caller=caller).run(by_name(operations))
