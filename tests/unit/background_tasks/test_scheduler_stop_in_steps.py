"""A stop in steps, as a node makes it: settle, drain, cut off."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future

import pytest

import dms
from dms.background_tasks.scheduler import Scheduler
from dms.background_tasks.store import Change
from dms.errors import ShuttingDown, StoreError


class HeldStore(dms.MemoryStore):
    """Acknowledges a save when the test lets it; `refuse` lets it fail instead."""

    def __init__(self) -> None:
        super().__init__()
        self.held: list[Future[None]] | None = None

    def hold(self) -> None:
        self.held = []

    def save(self, changes: Sequence[Change]) -> "Future[None]":
        if self.held is None:
            return super().save(changes)
        future: Future[None] = Future()
        self.held.append(future)
        return future

    def acknowledge(self) -> None:
        assert self.held is not None
        self.held.pop(0).set_result(None)

    def refuse(self) -> None:
        assert self.held is not None
        self.held.pop(0).set_exception(StoreError("the disk is full"))


@pytest.fixture
def store() -> HeldStore:
    return HeldStore()


async def turns() -> None:
    """Let the loop do all that it can do now."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_settling_waits_until_what_has_come_is_on_disk(store: HeldStore) -> None:
    scheduler = Scheduler(store=store)
    await scheduler.astart()
    store.hold()
    scheduler.add_task(dms.Task("a", print))
    settling = asyncio.create_task(scheduler.settle())
    await turns()
    assert (False, 1) == (settling.done(), len(store.held or ()))
    store.acknowledge()
    assert await settling
    assert [] == await scheduler.cut_off("1s")


async def test_settling_waits_for_what_came_while_a_batch_was_under_way_too(store: HeldStore) -> None:
    scheduler = Scheduler(store=store)
    await scheduler.astart()
    store.hold()
    scheduler.add_task(dms.Task("a", print))
    await turns()
    scheduler.add_task(dms.Task("b", print))
    settling = asyncio.create_task(scheduler.settle())
    await turns()
    store.acknowledge()
    await turns()
    assert (False, 1) == (settling.done(), len(store.held or ()))
    store.acknowledge()
    assert await settling
    await scheduler.cut_off("1s")


async def test_what_a_disk_has_refused_is_tried_once_more_when_it_settles(store: HeldStore) -> None:
    scheduler = Scheduler(store=store)
    await scheduler.astart()
    store.hold()
    scheduler.add_task(dms.Task("a", print))
    await turns()
    store.refuse()
    await turns()
    settling = asyncio.create_task(scheduler.settle())
    await turns()
    store.acknowledge()
    assert await settling
    await scheduler.cut_off("1s")


async def test_a_disk_that_refuses_to_the_end_is_told(store: HeldStore) -> None:
    scheduler = Scheduler(store=store)
    await scheduler.astart()
    store.hold()
    scheduler.add_task(dms.Task("a", print))
    settling = asyncio.create_task(scheduler.settle())
    await turns()
    store.refuse()
    assert not await settling
    await scheduler.cut_off("0.1s")


async def test_a_batch_that_is_tried_again_when_it_settles_is_not_sent_twice(store: HeldStore) -> None:
    scheduler = Scheduler(store=store)
    await scheduler.astart()
    store.hold()
    scheduler.add_task(dms.Task("a", print))
    await turns()
    store.refuse()
    await turns()
    settling = asyncio.create_task(scheduler.settle())
    await turns()
    engine = scheduler._engine
    assert engine is not None
    engine.agenda.attempts.stop(engine._clock.now())
    await turns()
    assert 1 == len(store.held or ())
    store.acknowledge()
    assert await settling
    await scheduler.cut_off("1s")


async def test_from_the_first_step_on_nothing_new_is_taken() -> None:
    scheduler = Scheduler()
    await scheduler.astart()
    scheduler.add_task(dms.Task("a", print))
    assert await scheduler.settle()
    with pytest.raises(ShuttingDown):
        scheduler.run_task("a")
    assert await scheduler.settle()
    await scheduler.cut_off("1s")


async def test_draining_ends_with_the_last_run_and_a_hurry_ends_it_at_once() -> None:
    ran, go_on = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        ran.set()
        await go_on.wait()

    scheduler = Scheduler()
    await scheduler.astart()
    scheduler.add_task(dms.Task("a", work))
    handle = scheduler.run_task("a")
    await ran.wait()
    await scheduler.settle()
    draining = asyncio.create_task(scheduler.drain())
    await turns()
    assert not draining.done()
    go_on.set()
    await draining
    assert "success" == (await handle).status
    assert [] == await scheduler.cut_off("1s")


async def test_a_drain_that_is_cut_short_leaves_the_next_step_its_wait() -> None:
    ran, told = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        ran.set()
        try:
            await asyncio.Event().wait()
        finally:
            told.set()
            await turns()

    scheduler = Scheduler()
    await scheduler.astart()
    scheduler.add_task(dms.Task("a", work))
    handle = scheduler.run_task("a")
    await ran.wait()
    await scheduler.settle()
    draining = asyncio.create_task(scheduler.drain())
    await turns()
    draining.cancel()
    assert [] == await asyncio.wait_for(scheduler.cut_off("1h"), 5)
    assert (True, "interrupted") == (told.is_set(), (await handle).status)


async def test_before_the_start_and_after_the_last_step_the_steps_do_nothing() -> None:
    scheduler = Scheduler()
    assert (True, None, []) == (await scheduler.settle(), await scheduler.drain(), await scheduler.cut_off("1s"))
    await scheduler.astart()
    assert [] == await scheduler.cut_off("1s")
    assert (None, []) == (await scheduler.drain(), await scheduler.cut_off("1s"))
