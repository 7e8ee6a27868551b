from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dms.access.caller import CONFIG_WRITE, Caller
from dms.adapters.config_store import MemoryConfigStore
from dms.command.command import Command
from dms.command.config import config_operations
from dms.command.operation import Operation, by_name
from dms.config import Loaded, load
from dms.config.live import LiveConfig
from dms.errors import Forbidden, InvalidParameters, NotFound, VersionConflict
from dms.testing import FakeClock

Ask = Callable[..., Any]


@pytest.fixture
async def operations(tmp_path: Path) -> list[Operation]:
    file = tmp_path / "dms_config.yaml"
    file.write_text("scheduler:\n  max_running_tasks: 3\n")

    async def read() -> Loaded:
        return load(file, environ={"HOME": str(tmp_path)})

    live = LiveConfig(load(file, environ={"HOME": str(tmp_path)}), MemoryConfigStore(), FakeClock(), read)
    live.start()
    await live.record_start()
    return config_operations(live)


async def test_a_key_is_told_with_its_origin(operations: list[Operation], ask: Ask) -> None:
    told = await ask(operations, "config.get", key="scheduler.max_running_tasks")
    assert ("scheduler.max_running_tasks", 3, "main file") == (told["key"], told["value"], told["origin"])
    assert told["place"].endswith("dms_config.yaml:2:22")


async def test_a_key_is_explained_layer_by_layer(operations: list[Operation], ask: Ask) -> None:
    told = await ask(operations, "config.explain", key="scheduler.max_running_tasks")
    assert [("main file", 3, True), ("default", False)] == [
        (told["layers"][0]["layer"], told["layers"][0]["value"], told["layers"][0]["in_force"]),
        (told["layers"][1]["layer"], told["layers"][1]["in_force"]),
    ]


@pytest.mark.parametrize("method", ["config.get", "config.explain"])
async def test_an_unknown_key_is_not_found_and_the_nearest_is_named(
    method: str, operations: list[Operation], ask: Ask
) -> None:
    with pytest.raises(NotFound, match=r"Did you mean max_running_tasks\?"):
        await ask(operations, method, key="scheduler.max_runing_tasks")


SLOTS = "scheduler.max_running_tasks"


async def test_a_key_that_is_set_is_told_with_who_set_it(operations: list[Operation], ask: Ask) -> None:
    changed = await ask(operations, "config.set", changes={SLOTS: 2}, reason="quieter")
    assert (2, [SLOTS], False) == (changed["revision"], changed["applied"], changed["dry_run"])
    assert 2 == (await ask(operations, "config.get", key=SLOTS))["value"]
    newest = (await ask(operations, "config.history", limit=1))[0]
    assert (2, "quieter", [{"key": SLOTS, "before": 3, "after": 2}]) == (
        newest["revision"],
        newest["reason"],
        newest["changes"],
    )


async def test_unset_rollback_and_restore_give_way_to_what_lies_below(operations: list[Operation], ask: Ask) -> None:
    await ask(operations, "config.set", changes={SLOTS: 2})
    await ask(operations, "config.unset", keys=[SLOTS])
    assert 3 == (await ask(operations, "config.get", key=SLOTS))["value"]
    await ask(operations, "config.rollback", revision=2)
    assert 2 == (await ask(operations, "config.get", key=SLOTS))["value"]
    await ask(operations, "config.restore_defaults", keys=[SLOTS])
    explained = await ask(operations, "config.explain", key=SLOTS)
    assert explained["value"] == explained["layers"][-1]["value"]


async def test_a_value_of_the_wrong_type_and_a_stale_revision_have_codes_of_their_own(
    operations: list[Operation], ask: Ask
) -> None:
    with pytest.raises(InvalidParameters, match=SLOTS):
        await ask(operations, "config.set", changes={SLOTS: "many"})
    await ask(operations, "config.set", changes={SLOTS: 2})
    with pytest.raises(VersionConflict):
        await ask(operations, "config.set", changes={SLOTS: 1}, expected_revision=1)


@pytest.mark.parametrize(
    "changes",
    [
        {"tasks.x": {"run": ["true"]}},
        {"tasks.x.run": ["true"]},
        {"tasks": {"x": {"call": "a.b:c"}}},
        {"scheduler": {"import_paths": ["/srv"]}},
        {"tasks.x.env.PATH": "/srv"},
    ],
)
async def test_no_way_of_writing_leads_round_the_scope_of_a_key(
    operations: list[Operation], changes: dict[str, Any]
) -> None:
    caller = Caller("ana", "socket", frozenset({CONFIG_WRITE}))
    command = Command("config.set", {"changes": changes}, caller=caller)
    with pytest.raises(Forbidden, match="exec:run"):
        await command.run(by_name(operations))


async def test_what_needs_a_scope_to_be_said_needs_it_to_be_unsaid(operations: list[Operation], ask: Ask) -> None:
    await ask(operations, "config.set", changes={"tasks.x": {"run": ["true"]}})
    caller = Caller("ana", "socket", frozenset({CONFIG_WRITE}))
    for name, params in (("config.unset", {"keys": ["tasks"]}), ("config.rollback", {"revision": 1})):
        with pytest.raises(Forbidden, match="exec:run"):
            await Command(name, params, caller=caller).run(by_name(operations))


async def test_saying_a_task_anew_as_a_whole_takes_away_no_part_that_needs_a_scope(
    operations: list[Operation], ask: Ask
) -> None:
    await ask(operations, "config.set", changes={"tasks.x": {"run": ["true"]}})
    caller = Caller("ana", "socket", frozenset({CONFIG_WRITE}))
    with pytest.raises(Forbidden, match="exec:run"):
        await Command("config.set", {"changes": {"tasks.x": {"every": "2h"}}}, caller=caller).run(by_name(operations))


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("config.set", {"changes": {f"tasks.t{number}.every": "1h" for number in range(501)}}),
        ("config.unset", {"keys": [SLOTS] * 501}),
        ("config.restore_defaults", {"keys": [SLOTS] * 501}),
        ("config.set", {"changes": {SLOTS: 2}, "reason": "x" * 1001}),
    ],
    ids=["set", "unset", "restore", "reason"],
)
async def test_a_change_that_would_hold_the_node_for_long_is_refused(
    method: str, params: Any, operations: list[Operation], ask: Ask
) -> None:
    with pytest.raises(InvalidParameters, match=r"500|1000"):
        await ask(operations, method, **params)
