"""A stop in steps, as a node makes it: settle, drain, cut off."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

import dms
from dms.background_tasks.host import Host
from dms.background_tasks.scheduler import Scheduler
from dms.background_tasks.store import Change, PutLife
from dms.errors import ShuttingDown, StoreError


class HeldStore(dms.MemoryStore):
    """Acknowledges a save when the test lets it; `refuse` lets it fail instead. That the process stops is saved at
    once."""

    def __init__(self) -> None:
        super().__init__()
        self.held: list[Future[None]] | None = None

    def hold(self) -> None:
        self.held = []

    def save(self, changes: Sequence[Change]) -> "Future[None]":
        if self.held is None or all(isinstance(change, PutLife) for change in changes):
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


async def test_a_hurry_while_it_cuts_off_takes_no_time_from_what_was_told_to_end(tmp_path: Path) -> None:
    """A program that needs a moment for its farewell is not killed because an operator asks twice."""
    go_on = tmp_path / "go_on"
    os.mkfifo(go_on)
    script = f"trap 'echo told; read x < {go_on}; exit 3' TERM; echo ready; while :; do sleep 0.01; done"
    said: dict[str, asyncio.Event] = {"ready": asyncio.Event(), "told": asyncio.Event()}
    loop = asyncio.get_running_loop()

    def log(run: dms.Run, level: str, line: str, fields: Mapping[str, Any]) -> None:
        if line in said:  # a shell also says that its sleep was ended
            loop.call_soon_threadsafe(said[line].set)

    scheduler = Scheduler(host=Host(log=log))
    await scheduler.astart()
    scheduler.add_task(dms.Task("a", dms.Program(("sh", "-c", script)), kill_after="1m"))
    handle = scheduler.run_task("a")
    await asyncio.wait_for(said["ready"].wait(), 10)
    await scheduler.settle()
    cutting = asyncio.create_task(scheduler.cut_off("1m"))
    await asyncio.wait_for(said["told"].wait(), 10)
    scheduler.hurry()
    await turns()
    descriptor = os.open(go_on, os.O_RDWR)
    os.write(descriptor, b"go on\n")
    assert [] == await asyncio.wait_for(cutting, 10)
    os.close(descriptor)
    ended = await handle
    assert ("interrupted", 3) == (ended.status, ended.results["exit_status"])


async def test_before_the_start_and_after_the_last_step_the_steps_do_nothing() -> None:
    scheduler = Scheduler()
    assert (True, None, []) == (await scheduler.settle(), await scheduler.drain(), await scheduler.cut_off("1s"))
    await scheduler.astart()
    assert [] == await scheduler.cut_off("1s")
    assert (None, []) == (await scheduler.drain(), await scheduler.cut_off("1s"))
