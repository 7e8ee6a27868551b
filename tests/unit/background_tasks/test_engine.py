"""The engine sets one timer for what comes next, looks at the clocks now and then all the same, and survives faults."""

import asyncio
import os
from datetime import UTC, datetime, timedelta

import pytest

import dms
from dms.background_tasks.loop.engine import CLOCK_CHECK, Engine
from dms.background_tasks.scheduler import Scheduler
from dms.instant import SECOND, Instant, to_datetime
from dms.testing import FakeClock


def every(interval: str) -> list[dms.PeriodicTrigger]:
    return [dms.PeriodicTrigger(interval)]


def seconds_until_the_timer(scheduler: Scheduler) -> float | None:
    """How far off the engine's timer is; None where there is none."""
    scheduler.wake()
    engine = scheduler._engine
    assert engine is not None
    if engine._timer is None or engine._timer.cancelled():
        return None
    return round(engine._timer.when() - asyncio.get_running_loop().time(), 1)


async def test_where_nothing_comes_by_itself_there_is_no_timer() -> None:
    async with Scheduler(clock=FakeClock()) as scheduler:
        scheduler.add_task(dms.Task("a", print, triggers=[dms.EventTrigger("go")]))
        assert seconds_until_the_timer(scheduler) is None


async def test_the_timer_is_set_for_what_comes_first() -> None:
    async with Scheduler(clock=FakeClock()) as scheduler:
        scheduler.add_task(dms.Task("late", print, triggers=every("50s")))
        assert 50 == seconds_until_the_timer(scheduler)
        scheduler.add_task(dms.Task("soon", print, triggers=every("20s")))
        assert 20 == seconds_until_the_timer(scheduler)
        scheduler.add_task(dms.Task("later", print, triggers=every("40s")))
        assert 20 == seconds_until_the_timer(scheduler)


async def test_the_clocks_are_looked_at_each_minute_while_something_is_to_come() -> None:
    async with Scheduler(clock=FakeClock()) as scheduler:
        scheduler.add_task(dms.Task("a", print, triggers=every("1d")))
        assert CLOCK_CHECK / SECOND == seconds_until_the_timer(scheduler)


class SlowTrigger:
    """Asked for its next time, it takes half a minute to find it."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock, self.answer = clock, to_datetime(clock.now().wall) + timedelta(seconds=50)

    def is_ready(self, now: datetime) -> bool:
        return now >= self.answer

    def reset(self, now: datetime) -> None:
        """It does not come again."""

    def next_after(self, now: datetime) -> datetime | None:
        self.clock._now = self.clock._now.ahead(30 * SECOND)
        return self.answer if now < self.answer else None


async def test_a_turn_that_takes_long_sets_the_timer_no_later() -> None:
    async with Scheduler(clock=(clock := FakeClock())) as scheduler:
        scheduler.add_task(dms.Task("a", print, triggers=[SlowTrigger(clock)]))
        assert 20 == seconds_until_the_timer(scheduler)


async def test_the_clocks_are_looked_at_while_the_wall_clock_is_not_trusted_though_nothing_is_to_come() -> None:
    clock = FakeClock()
    clock.trust(False)
    async with Scheduler(clock=clock) as scheduler:
        scheduler.add_task(dms.Task("a", print, triggers=[dms.EventTrigger("go")]))
        assert CLOCK_CHECK / SECOND == seconds_until_the_timer(scheduler)


async def test_a_wall_clock_that_is_set_is_looked_at_as_soon_as_the_kernel_tells() -> None:
    """A pipe stands for the timer of the kernel."""
    clock, fired = FakeClock(datetime(2026, 1, 1, tzinfo=UTC)), asyncio.Event()

    async def work() -> None:
        fired.set()

    async with Scheduler(clock=clock, timezone="UTC") as scheduler:
        scheduler.add_task(dms.Task("a", work, triggers=[dms.PeriodicTrigger(cron="0 3 * * *")]))
        scheduler.wake()
        pipe = Pipe()
        assert scheduler._engine is not None
        scheduler._engine.watch(pipe)  # type: ignore[arg-type]
        clock.set_wall(datetime(2026, 1, 1, 3, tzinfo=UTC))
        assert not fired.is_set()
        pipe.tell()
        await asyncio.wait_for(fired.wait(), 10)
        assert pipe.taken
    assert pipe.closed


class Pipe:
    """What the kernel tells, told by a pipe."""

    def __init__(self) -> None:
        self._reading, self._writing = os.pipe()
        self.taken = self.closed = False

    def fileno(self) -> int:
        return self._reading

    def tell(self) -> None:
        os.write(self._writing, b"1")

    def take(self) -> None:
        os.read(self._reading, 8)
        self.taken = True

    def close(self) -> None:
        os.close(self._reading)
        os.close(self._writing)
        self.closed = True


async def test_a_real_timer_fires_by_itself() -> None:
    fired = asyncio.Event()

    async def work() -> None:
        fired.set()

    async with Scheduler() as scheduler:
        scheduler.add_task(dms.Task("a", work, triggers=every("20ms")))
        await asyncio.wait_for(fired.wait(), 10)


async def test_there_is_no_timer_after_the_stop() -> None:
    scheduler = Scheduler(clock=FakeClock())
    async with scheduler:
        scheduler.add_task(dms.Task("a", print, triggers=every("20s")))
        scheduler.wake()
        engine = scheduler._engine
        assert engine is not None
        timer = engine._timer
        assert timer is not None
    assert timer.cancelled()


async def test_a_fault_in_one_message_holds_up_none_of_the_others(caplog: pytest.LogCaptureFixture) -> None:
    def fault(engine: Engine, now: Instant) -> None:
        raise ZeroDivisionError

    ran = asyncio.Event()

    async def work() -> None:
        ran.set()

    async with Scheduler() as scheduler:
        scheduler.add_task(dms.Task("a", work))
        handle = scheduler.run_task("a")
        scheduler._inbox.post(fault)
        await asyncio.wait_for(ran.wait(), 10)
        assert "success" == (await handle).status
    assert "ZeroDivisionError" in caplog.text
