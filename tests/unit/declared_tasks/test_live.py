"""Declared tasks that change while the scheduler runs, through the live configuration and a clock turned by hand."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import dms
from dms.adapters.config_store import MemoryConfigStore
from dms.background_tasks.scheduler import Scheduler
from dms.config import Loaded, load
from dms.config.live import LiveConfig
from dms.declared_tasks import tasks_from
from dms.declared_tasks.live import LiveTasks
from dms.errors import ConfigError, Conflict, InvalidParameters, InvalidTask
from dms.testing import FakeClock

BEGIN = datetime(2020, 8, 14, 10, tzinfo=UTC)

TASKS = """
tasks:
  backup: {run: ["true"], cron: "0 12 * * *", timezone: UTC}
  check: {run: ["true"], every: 1h}
"""


class Node:
    """A scheduler with the tasks of a file, and the live configuration over it."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "dms.yaml"
        self.file.write_text(TASKS)
        self.clock = FakeClock(BEGIN)
        self.scheduler = Scheduler(2, clock=self.clock, timezone="UTC")
        self.live = LiveConfig(self._load(), MemoryConfigStore(), self.clock, self._read)
        self.live.start()
        self.tasks = LiveTasks(self.scheduler, tasks_from(self.live.loaded))
        self.live.subscribe(self.tasks)
        self.scheduler.add_tasks(tasks_from(self.live.loaded).tasks)

    def _load(self) -> Loaded:
        return load(self.file, environ={"HOME": str(self.file.parent)})

    async def _read(self) -> Loaded:
        return self._load()

    async def save(self, text: str) -> Any:
        self.file.write_text(text)
        return await self.live.reload()

    def next(self, name: str) -> datetime | None:
        task = self.scheduler.get_task(name)
        return task.next_fire

    @property
    def names(self) -> list[str]:
        return [view.name for view in self.scheduler.tasks()]


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    made = Node(tmp_path)
    await made.live.record_start()
    async with made.scheduler:
        yield made


async def test_a_saved_file_adds_changes_and_removes_tasks(node: Node) -> None:
    await node.save('tasks: {check: {run: ["true"], every: 2h}, new: {run: ["true"], every: 5m}}')
    assert ["check", "new"] == node.names
    assert (BEGIN + timedelta(hours=2), BEGIN + timedelta(minutes=5)) == (node.next("check"), node.next("new"))


async def test_what_did_not_change_keeps_its_phase(node: Node) -> None:
    node.clock.advance(timedelta(minutes=30))
    await node.live.set({"tasks.backup.priority": 3}, author="ana")
    assert BEGIN + timedelta(hours=1) == node.next("check")


async def test_an_edited_daily_time_that_has_passed_does_not_fire(node: Node) -> None:
    """systemd/systemd#16732: changing the time of a daily job made it run at once, since that had passed today."""
    await node.save(TASKS.replace("0 12", "0 8"))
    node.scheduler.wake()
    assert datetime(2020, 8, 15, 8, tzinfo=UTC) == node.next("backup")
    assert [] == await node.scheduler.history("backup")


NIGHTLY = """
calendars: {nights: {windows: ["22:00-06:00"]}}
tasks: {backup: {run: ["true"], cron: "0 3,12 * * *", timezone: UTC, exclude: [nights]}}
"""


async def test_a_changed_calendar_counts_at_once_for_a_task_that_sleeps(node: Node) -> None:
    await node.save(NIGHTLY)
    assert BEGIN.replace(hour=12) == node.next("backup")
    await node.save(NIGHTLY.replace("22:00-06:00", "10:00-14:00"))
    assert datetime(2020, 8, 15, 3, tzinfo=UTC) == node.next("backup")


async def test_a_calendar_that_a_task_keeps_to_can_not_be_taken_away_by_itself(node: Node) -> None:
    await node.save(NIGHTLY)
    with pytest.raises(ConfigError, match=r"tasks\.backup\.exclude: no calendar is called 'nights'"):
        await node.save(NIGHTLY.replace("nights: {windows", "days: {windows"))
    assert BEGIN.replace(hour=12) == node.next("backup")


async def test_a_calendar_that_is_mended_brings_back_the_task_that_was_parked_for_it(node: Node) -> None:
    node.file.write_text(NIGHTLY.replace("22:00", "22"))
    broken = tasks_from(node._load())
    assert broken.tasks[0].parked
    node.live = LiveConfig(node._load(), MemoryConfigStore(), node.clock, node._read)
    node.live.start()
    node.live.subscribe(LiveTasks(node.scheduler, broken))
    node.scheduler.update_task(broken.tasks[0])
    await node.save(NIGHTLY)
    assert "ready" == node.scheduler.view("backup").state
    assert BEGIN.replace(hour=12) == node.next("backup")


async def test_a_reference_to_what_is_not_there_refuses_the_file_as_a_whole(node: Node) -> None:
    """open-telemetry/opentelemetry-collector#11817: the old was stopped before the new had been checked."""
    with pytest.raises(ConfigError, match=r"tasks\.check\.call"):
        await node.save('general: {debug: true}\ntasks: {check: {call: "no_such_module:run", every: 1h}}')
    assert (["backup", "check"], False) == (node.names, node.live.config.general.debug)
    assert BEGIN + timedelta(hours=1) == node.next("check")


@pytest.mark.parametrize("declaration", [{"run": ["true"], "cron": "0 3 31 2 *"}, {"every": "5m"}, {"run": []}])
async def test_a_task_that_can_not_be_is_refused(node: Node, declaration: dict[str, Any]) -> None:
    with pytest.raises((ConfigError, InvalidParameters), match=r"tasks\.odd"):
        await node.live.set({"tasks.odd": declaration}, author="ana")
    assert ["backup", "check"] == node.names


async def test_whoever_sets_what_can_not_be_is_told_the_key_first(node: Node) -> None:
    with pytest.raises(ConfigError, match=r"^tasks\.check\.cron: .* never fires"):
        await node.live.set({"tasks.check.cron": "0 3 31 2 *"}, author="ana")


async def test_a_name_that_another_task_has_is_refused(node: Node) -> None:
    node.scheduler.add_task(dms.Task("mine", print))
    with pytest.raises(Conflict, match="rename it"):
        await node.live.set({"tasks.mine": {"run": ["true"]}}, author="ana")


@pytest.mark.parametrize("without", ["tasks: {}", 'tasks: {backup: {run: ["false"], cron: "0 3 * * *"}}'])
async def test_a_task_of_another_whose_name_was_taken_at_the_start_is_neither_changed_nor_removed(
    node: Node, without: str
) -> None:
    node.scheduler.remove_task("backup")
    others = node.scheduler.add_task(dms.Task("backup", print, origin="node"))
    await node.save(without)
    assert others is node.scheduler.get_task("backup")


async def test_the_number_of_slots_follows(node: Node) -> None:
    await node.live.set({"scheduler.max_running_tasks": 7}, author="ana")
    assert 7 == node.scheduler.max_running_tasks


async def test_another_time_zone_counts_at_once_for_what_names_none(node: Node) -> None:
    """RPi-Distro/raspi-config#111: the zone was set, and jobs went by the old one until the next restart."""
    await node.save("""
tasks:
  own: {run: ["true"], cron: "0 12 * * *", timezone: UTC}
  check: {run: ["true"], every: 1h}
  noon: {run: ["true"], cron: "0 12 * * *"}
  boot: {run: ["true"], cron: "@reboot"}
  both: {run: ["true"], cron: "0 18 * * *", every: 90m}
  party: {run: ["true"], at: 2020-08-14T20:00}
""")
    node.clock.advance(timedelta(minutes=30))
    assert (BEGIN + timedelta(hours=2), BEGIN + timedelta(hours=10)) == (node.next("noon"), node.next("party"))
    changed = await node.live.set({"scheduler.timezone": "Europe/Helsinki"}, author="ana")
    assert ["scheduler.timezone"] == changed.applied
    assert {
        "own": BEGIN + timedelta(hours=2),
        "check": BEGIN + timedelta(hours=1),
        "noon": datetime(2020, 8, 15, 9, tzinfo=UTC),
        "both": BEGIN + timedelta(minutes=90),
        "party": datetime(2020, 8, 14, 17, tzinfo=UTC),
    } == {name: node.next(name) for name in ("own", "check", "noon", "both", "party")}
    node.clock.advance(timedelta(hours=2))
    node.scheduler.wake()
    assert datetime(2020, 8, 14, 13, tzinfo=UTC) == node.next("both")
    node.clock.advance(timedelta(hours=2, minutes=5))
    node.scheduler.wake()
    assert datetime(2020, 8, 14, 15, tzinfo=UTC) == node.next("both")  # 18:00 in Helsinki


async def test_a_one_time_task_that_is_over_stays_over_in_another_time_zone(node: Node) -> None:
    await node.live.set({"tasks.once": {"run": ["true"], "at": "2020-08-14T20:00"}}, author="ana")
    node.scheduler.remove_task("once")
    await node.live.set({"scheduler.timezone": "Europe/Helsinki"}, author="ana")
    assert ["backup", "check"] == node.names


async def test_a_one_time_task_that_is_over_begins_anew_with_a_new_definition(node: Node) -> None:
    await node.live.set({"tasks.once": {"run": ["true"], "after": "1h"}}, author="ana")
    node.scheduler.remove_task("once")
    await node.live.set({"tasks.once.after": "2h"}, author="ana")
    assert BEGIN + timedelta(hours=2) == node.next("once")
    await node.live.unset(["tasks.once"], author="ana")
    assert ["backup", "check"] == node.names


async def test_a_veto_of_somebody_else_leaves_the_tasks_as_they_are(node: Node) -> None:
    class Vetoing:
        name = "vetoing"

        async def prepare(self, change: Any) -> None:
            raise Conflict("no")

        async def apply(self, change: Any) -> None: ...

        async def abandon(self, change: Any) -> None: ...

    node.live.subscribe(Vetoing())
    with pytest.raises(Conflict):
        await node.live.set({"tasks.new": {"run": ["true"]}}, author="ana")
    assert ["backup", "check"] == node.names


SHARED = """
tasks:
  backup: {run: ["true"], concurrency: {key: disk}}
  check: {run: ["true"], concurrency: {key: disk}}
"""


def limits(node: Node) -> list[int | None]:
    return [task.concurrency.limit for task in map(node.scheduler.get_task, node.names) if task.concurrency]


async def test_a_limit_that_tasks_share_changes_for_all_of_them_in_one_change(node: Node) -> None:
    await node.save(SHARED)
    with pytest.raises(ConfigError, match=r"tasks\.check\.concurrency\.limit: 1 contradicts 2, which backup says"):
        await node.live.set({"tasks.backup.concurrency.limit": 2}, author="ana")
    assert [1, 1] == limits(node)
    keys = ["tasks.backup.concurrency.limit", "tasks.check.concurrency.limit"]
    await node.live.set(dict.fromkeys(keys, 2), author="ana")
    assert [2, 2] == limits(node)
    await node.live.unset(keys, author="ana")
    await node.save(SHARED.replace("disk", "disk, limit: 3") + "  new: {run: [x], concurrency: {key: disk, limit: 3}}")
    assert [3, 3, 3] == limits(node)


async def test_a_limit_that_contradicts_one_of_a_program_is_refused(node: Node) -> None:
    node.scheduler.add_task(dms.Task("theirs", print, concurrency=dms.Concurrency("disk", 5)))
    with pytest.raises(ConfigError, match=r"tasks\.backup\.concurrency\.limit: 1 contradicts 5, which theirs says"):
        await node.save(SHARED)
    assert [5] == limits(node)


async def test_a_change_that_closes_a_circle_is_refused_and_names_it(node: Node) -> None:
    await node.save(TASKS + '  report: {run: ["true"], on: task.backup.success}\n')
    with pytest.raises(ConfigError, match="backup → report → backup is a circle"):
        await node.live.set({"tasks.backup.on": "task.report.success"}, author="ana")
    assert ["backup", "check", "report"] == node.names


async def test_a_chain_can_be_turned_round_in_one_change(node: Node) -> None:
    await node.save('tasks: {a: {run: ["true"]}, b: {run: ["true"], on: task.a.success}}')
    await node.save('tasks: {a: {run: ["true"], on: task.b.success}, b: {run: ["true"]}}')
    assert ["after b success"] == list(map(str, node.scheduler.get_task("a").triggers))


async def test_a_circle_with_a_task_that_others_brought_is_refused(node: Node) -> None:
    follower = dms.Task("theirs", print, triggers=[dms.EventTrigger("task.check.success")], origin="plugin")
    node.scheduler.add_task(follower)
    with pytest.raises(InvalidTask, match=r"tasks.check.on: check → theirs → check is a circle"):
        await node.live.set({"tasks.check.on": "task.theirs.success"}, author="ana")
