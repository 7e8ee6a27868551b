"""FakeClock: time that moves only when a test says so."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

import dms
from dms.errors import InvalidDuration
from dms.instant import Instant
from dms.testing import FakeClock


def test_it_stands_still() -> None:
    clock = FakeClock(datetime(1970, 1, 1, tzinfo=UTC))
    assert Instant(0, 1_000_000_000) == clock.now() == clock.now()


@pytest.mark.parametrize("length", ["1m30s", 90, timedelta(seconds=90)])
def test_time_goes_by_on_both_clocks(length: str | float | timedelta) -> None:
    clock = FakeClock(datetime(1970, 1, 1, tzinfo=UTC))
    clock.advance(length)
    assert Instant(90_000_000, 1_090_000_000) == clock.now()


def test_time_does_not_go_backwards() -> None:
    with pytest.raises(InvalidDuration, match="advance: -1 is negative"):
        FakeClock().advance(-1)


def test_setting_the_wall_clock_leaves_boot_time_as_it_was() -> None:
    clock = FakeClock()
    clock.set_wall(datetime(1970, 1, 1, tzinfo=UTC))
    assert Instant(0, 1_000_000_000) == clock.now()


def test_a_wall_clock_without_an_offset_is_refused() -> None:
    with pytest.raises(ValueError, match="has no UTC offset"):
        FakeClock(datetime(2026, 1, 1))


def test_whoever_is_woken_sees_the_time_before_and_after() -> None:
    clock, seen = FakeClock(datetime(1970, 1, 1, tzinfo=UTC)), []
    clock.woken = lambda: seen.append(clock.now().wall)
    clock.advance(1)
    clock.set_wall(datetime(1970, 1, 2, tzinfo=UTC))
    assert [0, 1_000_000, 1_000_000, 86_400_000_000] == seen


def test_a_scheduler_in_a_thread_has_done_what_came_due_once_the_clock_is_turned() -> None:
    clock = FakeClock()
    started = []
    with dms.Scheduler(max_running_tasks=50, clock=clock) as scheduler:
        clock.woken = scheduler.wake
        scheduler.subscribe(lambda event: started.append(event.kind) if event.kind == "started" else None)
        for number in range(1, 51):
            scheduler.add_task(dms.Task(f"t{number}", dict, triggers=[dms.OneTimeTrigger(delay="1h")]))
            clock.advance("1h")
            assert number == len(started)


async def test_a_scheduler_on_the_callers_loop_has_too() -> None:
    clock, done = FakeClock(), asyncio.Event()

    async def work() -> None:
        done.set()

    async with dms.Scheduler(clock=clock) as scheduler:
        clock.woken = scheduler.wake
        scheduler.add_task(dms.Task("a", work, triggers=[dms.PeriodicTrigger("1h")]))
        clock.advance("59m59s")
        assert 0 == scheduler.running_tasks_count()
        clock.advance("1s")
        assert 1 == scheduler.running_tasks_count()
        await done.wait()
