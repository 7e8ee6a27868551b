"""A real scheduler is recorded; what it decided is decided once more."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import dms


def answer() -> int:
    return 42


def fail() -> None:
    raise OSError("no route to host")


async def wait() -> None:
    await asyncio.sleep(0)


def recorded(path: Path, store: dms.ExecutionStore | None, *ask: Callable[[dms.Scheduler], Any]) -> None:
    """A scheduler does what it is asked, recorded."""
    retries = dms.RetryPolicy(1, "1ms")
    with dms.Scheduler(2, store=store, record=dms.Recording(path), timezone="Europe/Helsinki") as scheduler:
        scheduler.add_tasks(
            [
                dms.Task("answer", answer, triggers=[dms.PeriodicTrigger("20ms"), dms.PeriodicTrigger(cron="@hourly")]),
                dms.Task("fail", fail, triggers=[dms.EventTrigger("task.wait.success")], retry_policy=retries),
                dms.Task("wait", wait, durability="none"),
            ]
        )
        for each in ask:
            each(scheduler)


def test_what_a_scheduler_decided_is_decided_once_more_also_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "decisions.jsonl"
    for _ in range(2):
        store = dms.SqliteStore(tmp_path / "dms.db")
        recorded(
            path,
            store,
            lambda scheduler: scheduler.run_task("wait").wait(10),
            lambda scheduler: scheduler.pause("answer", reason="new disk"),
            lambda scheduler: scheduler.adjust(
                1, timezone="UTC", calendars={"sundays": dms.Calendar(weekdays=["sun"])}, aging_quantum="2m"
            ),
            lambda scheduler: scheduler.drop_undeclared("file"),
            lambda scheduler: scheduler.run_task("answer").wait(10),
        )
        store.close()
    for kept in (path, path.with_name("decisions.jsonl.1")):
        told = dms.replay(kept)
        assert (None, True) == (told.difference, told.decisions > 10)


def test_it_is_recorded_without_a_store_too(tmp_path: Path) -> None:
    path = tmp_path / "decisions.jsonl"
    recorded(path, None, lambda scheduler: scheduler.run_task("wait").wait(10))
    told = dms.replay(path)
    assert (None, True) == (told.difference, told.decisions > 3)


def test_a_path_in_the_place_of_a_recording_is_refused() -> None:
    with pytest.raises(dms.InvalidInput, match=r"record: 'decisions\.jsonl' is not a Recording"):
        dms.Scheduler(record="decisions.jsonl")  # type: ignore[arg-type]
