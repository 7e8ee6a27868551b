"""A stored history that stays bounded without anybody asking for it."""

from typing import NoReturn

from dms import MemoryStore, Scheduler, Task
from dms.background_tasks.host import Host
from dms.background_tasks.loop.history_bound import BETWEEN, NO_AGE, OLDEST, HistoryBound
from dms.background_tasks.store import Query
from dms.instant import Instant
from dms.testing import FakeClock


class Asked:
    """A store that notes what it is asked to let go of."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int, int]] = []

    def retain(self, max_age: int, max_count: int, now: int) -> None:
        self.asked.append((max_age, max_count, now))


def test_a_store_is_asked_at_the_first_look_and_then_once_an_hour() -> None:
    store = Asked()
    bound = HistoryBound(store.retain, 7)
    for boot in (10, 11, 10 + BETWEEN - 1, 10 + BETWEEN, 11 + BETWEEN):
        bound.look(Instant(1000 + boot, boot))
    assert [(OLDEST, 7, 1010), (OLDEST, 7, 1010 + BETWEEN)] == store.asked


def test_nothing_goes_for_its_age_while_the_clock_is_not_trusted() -> None:
    store = Asked()
    HistoryBound(store.retain, 7).look(Instant(1010, 10, trusted=False))
    assert [(NO_AGE, 7, 1010)] == store.asked


async def test_a_store_that_raises_when_it_is_asked_keeps_nobody_from_running() -> None:
    class Raising(MemoryStore):
        def retain(self, max_age: int, max_count: int, now: int) -> NoReturn:
            raise OSError("no")

    async with Scheduler(store=Raising()) as scheduler:
        scheduler.add_task(Task("job", lambda: 42))
        assert 42 == (await scheduler.run_task("job")).results


async def ran(scheduler: Scheduler, times: int) -> None:
    for _ in range(times):
        await scheduler.run_task("job")


async def kept_after_an_hour(**how: object) -> int:
    """How many of five executions a store keeps after more than an hour."""
    store, clock = MemoryStore(), FakeClock()
    async with Scheduler(store=store, clock=clock, history_limit=2, **how) as scheduler:  # type: ignore[arg-type]
        clock.woken = scheduler.wake
        scheduler.add_task(Task("job", lambda: None))
        await ran(scheduler, 5)
        clock.advance("61m")
        await ran(scheduler, 1)
        return len(store.executions(Query("job")).result())


async def test_a_program_that_runs_long_keeps_so_many_executions_of_a_task() -> None:
    assert 3 >= await kept_after_an_hour()


async def test_a_host_that_bounds_the_history_itself_is_left_to_it() -> None:
    assert 6 == await kept_after_an_hour(host=Host(bounds_history=True))
