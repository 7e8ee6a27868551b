from concurrent.futures import Future
from datetime import timedelta
from logging import getLogger
from pathlib import Path

import msgspec
import pytest

from dms.adapters.memory import MemoryStore
from dms.background_tasks.scheduler import Scheduler
from dms.background_tasks.store import PutExecution, Query
from dms.background_tasks.tasks.task import Durability, Execution, Lane, Status, Task
from dms.config import Config, default_config
from dms.errors import StoreError
from dms.instant import SECOND, Instant
from dms.node_tasks.retention import retention_task
from dms.plugins.context import NodeContext

NOW = 1_000_000 * SECOND


class StoppedClock:
    def __init__(self, trusted: bool = True) -> None:
        self.trusted = trusted

    def now(self) -> Instant:
        return Instant(NOW, 0, self.trusted)


def keeping(count: int, age: timedelta) -> Config:
    config = default_config()
    scheduler = msgspec.structs.replace(config.scheduler, history_max_count=count, history_max_age=age)
    return msgspec.structs.replace(config, scheduler=scheduler)


def execution(number: int, ended: int) -> Execution:
    return Execution(f"1-{number}", f"1-{number}", "backup", 1, 1, Status.SUCCESS, ended, ended, ended)


def retained(
    store: MemoryStore, config: Config, folder: Path, *kept: Execution, trusted: bool = True
) -> tuple[Execution, Task]:
    """How a run of the task ends on a node with this store and what it keeps, and the task."""
    clock = StoppedClock(trusted)
    with Scheduler(store=store, clock=clock, snapshot=lambda: config) as scheduler:
        context = NodeContext("heron", "0.1.0", folder, clock, scheduler, lambda: config, getLogger())
        task = scheduler.add_task(retention_task(context))
        store.save([PutExecution(each) for each in kept]).result()
        return scheduler.run_task("node-retention").wait("10s"), task


@pytest.mark.parametrize(
    ("config", "kept"),
    [
        (keeping(100, timedelta(days=90)), ["1-4", "1-3", "1-2", "1-1"]),
        (keeping(2, timedelta(days=90)), ["1-4", "1-3"]),
        (keeping(100, timedelta(hours=2)), ["1-4", "1-3", "1-2"]),
    ],
)
def test_what_is_older_or_more_than_the_configuration_keeps_goes(
    config: Config, kept: list[str], tmp_path: Path
) -> None:
    store, hours = MemoryStore(), {1: 10, 2: 1, 3: 0, 4: 0}
    executions = [execution(n, NOW - hours[n] * 3600 * SECOND) for n in hours]
    run, task = retained(store, config, tmp_path, *executions)
    assert (Status.SUCCESS, 4 - len(kept)) == (run.status, run.results)
    assert kept == [each.id for each in store.executions(Query("backup", 10)).result()]
    assert (Lane.NODE, Durability.NONE) == (task.lane, task.durability)


def test_what_takes_more_than_the_configuration_lets_it_goes(tmp_path: Path) -> None:
    store, config = MemoryStore(), keeping(10_000, timedelta(days=90))
    executions = [msgspec.structs.replace(execution(n, NOW), results="x" * 60_000) for n in range(1, 41)]
    small = msgspec.structs.replace(config.scheduler, history_max_size=2)
    run, _ = retained(store, msgspec.structs.replace(config, scheduler=small), tmp_path, *executions)
    assert (Status.SUCCESS, 7) == (run.status, run.results)


def test_only_what_is_more_goes_while_the_clock_is_not_trusted(tmp_path: Path) -> None:
    """A clock that is years ahead would let go of all that there is."""
    store, old = MemoryStore(), NOW - 10 * 365 * 86_400 * SECOND
    executions = [execution(n, old) for n in (1, 2, 3)]
    run, _ = retained(store, keeping(2, timedelta(days=90)), tmp_path, *executions, trusted=False)
    assert (1, ["1-3", "1-2"]) == (run.results, [each.id for each in store.executions(Query("backup", 10)).result()])


def test_a_store_that_can_not_is_a_failed_run(tmp_path: Path) -> None:
    class Broken(MemoryStore):
        def retain(self, max_age: int, max_count: int, now: int, max_size: int | None = None) -> "Future[int]":
            future: Future[int] = Future()
            future.set_exception(StoreError("no room left"))
            return future

    run, _ = retained(Broken(), default_config(), tmp_path)
    assert (Status.FAILED, True) == (run.status, "no room left" in str(run.error))
