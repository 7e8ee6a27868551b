from collections.abc import Callable
from typing import Any

import pytest

from dms.background_tasks.scheduler import Scheduler
from dms.background_tasks.tasks.task import Lane, Task
from dms.background_tasks.triggers.trigger import PeriodicTrigger
from dms.command.node import NodeInfo, node_operations
from dms.command.operation import Operation
from dms.health import Finding, Health
from dms.instant import Instant

Ask = Callable[..., Any]

HOUR = 3_600_000_000
INFO = NodeInfo(
    "quiet-heron", "0.1.0", 42, 0, "/srv/dms", "/etc/dms/dms_config.yaml", ["/srv/dms/dms.sock"], {"country": "FI"}
)


class StoppedClock:
    def now(self) -> Instant:
        return Instant(HOUR, HOUR)


def operations(scheduler: Scheduler, health: Health) -> list[Operation]:
    return node_operations(lambda: INFO, scheduler, health, StoppedClock())


@pytest.fixture
def health() -> Health:
    health = Health()
    health.ready(True)
    return health


async def test_the_status_tells_how_the_node_is(health: Health, ask: Ask) -> None:
    async with Scheduler(max_running_tasks=3, clock=StoppedClock()) as scheduler:
        scheduler.add_task(Task("later", print, triggers=[PeriodicTrigger("2h")]))
        scheduler.add_task(Task("sooner", print, triggers=[PeriodicTrigger("1h")]))
        scheduler.add_task(Task("own", print, triggers=[PeriodicTrigger("1m")], lane=Lane.NODE))
        told = await ask(operations(scheduler, health), "node.status")
    assert {
        "name": "quiet-heron", "state": "well", "version": "0.1.0", "pid": 42, "findings": [],
        "now": "1970-01-01T01:00:00.000000+00:00", "started_at": "1970-01-01T00:00:00.000000+00:00",
        "clock_trusted": True,
        "tasks": {"declared": 2, "own": 1, "running": 0, "waiting": 0, "slots": 3, "paused": 0},
        "next": {"name": "sooner", "at": "1970-01-01T02:00:00.000000+00:00"},
        "doors": ["/srv/dms/dms.sock"], "data_dir": "/srv/dms", "config_file": "/etc/dms/dms_config.yaml",
        "revision": 0, "config_hash": "",
    } == told  # fmt: skip


async def test_what_was_found_is_told_with_it(health: Health, ask: Ask) -> None:
    health.report(Finding("config_unknown_key", "tasks.backup.retires", "unknown key. Did you mean retry?"))
    async with Scheduler() as scheduler:
        told = await ask(operations(scheduler, health), "node.status")
    assert ("degraded", None) == (told["state"], told["next"])
    assert ["unknown key. Did you mean retry?"] == [finding["message"] for finding in told["findings"]]


async def test_the_info_tells_which_node_it_is(health: Health, ask: Ask) -> None:
    async with Scheduler() as scheduler:
        told = await ask(operations(scheduler, health), "node.info")
    assert ("quiet-heron", 42, "/srv/dms") == (told["name"], told["pid"], told["data_dir"])
    assert {"country": "FI"} == told["facts"]
