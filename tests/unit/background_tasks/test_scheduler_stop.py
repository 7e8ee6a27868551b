"""Stopping: what runs may finish, is then told to end, and is then given up by name; nobody who waits is forgotten."""

import asyncio
from collections.abc import Callable
from threading import Event, Thread
from threading import enumerate as threads_now
from typing import Any

import pytest

import dms
from dms.background_tasks.host import Host
from dms.background_tasks.scheduler import Scheduler
from dms.errors import ShuttingDown, StoreBroken

Make = Callable[..., Any]


def answer() -> int:
    return 42


def test_a_stop_waits_for_what_runs(gate: Make) -> None:
    work = gate()
    scheduler = Scheduler()
    scheduler.start()
    scheduler.add_task(dms.Task("a", work))
    handle = scheduler.run_task("a")
    work.await_begin()
    Thread(target=work.open).start()
    assert [] == scheduler.stop(drain="10s")
    assert "success" == handle.wait("1s").status


async def test_a_stop_starts_nothing_new(gate: Make) -> None:
    work = gate()
    scheduler = Scheduler(max_running_tasks=1)
    await scheduler.astart()
    scheduler.add_tasks([dms.Task("a", work), dms.Task("b", answer)])
    running, waiting = scheduler.run_task("a"), scheduler.run_task("b")
    await asyncio.to_thread(work.await_begin)
    stop = asyncio.create_task(scheduler.astop())
    await asyncio.sleep(0)
    work.open()
    await stop
    assert "success" == (await running).status
    with pytest.raises(ShuttingDown, match="the scheduler stopped before the run ended"):
        await waiting


def test_what_does_not_finish_is_told_to_end_and_its_attempt_is_interrupted() -> None:
    async def endless() -> None:
        begun.set()
        await asyncio.Event().wait()

    begun = Event()
    scheduler = Scheduler()
    scheduler.start()
    scheduler.add_task(dms.Task("a", endless, retry_policy=dms.RetryPolicy(3, "1ms")))
    handle = scheduler.run_task("a")
    assert begun.wait(5)
    assert [] == scheduler.stop(drain=0)
    end = handle.wait("1s")
    assert ("interrupted", "the scheduler stopped") == (end.status, end.error)


def test_what_does_not_end_when_told_to_is_given_up_by_name(gate: Make) -> None:
    stuck = gate()
    scheduler = Scheduler()
    scheduler.start()
    scheduler.add_task(dms.Task("stuck", stuck))
    handle = scheduler.run_task("stuck")
    stuck.await_begin()
    assert ["stuck"] == scheduler.stop(drain=0, cancel="10ms")
    end = handle.wait("1s")
    assert ("abandoned", "the scheduler stopped, and it did not stop when told to") == (end.status, end.error)
    stuck.open()


def test_a_coroutine_that_refuses_to_end_is_given_up_by_name() -> None:
    async def stubborn() -> None:
        while not given_up.is_set():
            try:
                begun.set()
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                pass

    begun, given_up = Event(), Event()
    scheduler = Scheduler()
    scheduler.subscribe(lambda event: given_up.set() if event.kind == "ended" else None)
    scheduler.start()
    scheduler.add_task(dms.Task("stubborn", stubborn))
    scheduler.run_task("stubborn")
    assert begun.wait(5)
    assert ["stubborn"] == scheduler.stop(drain=0, cancel="10ms")


def test_a_program_that_ignores_the_cancellation_is_killed_at_a_stop() -> None:
    ready = Event()
    scheduler = Scheduler(host=Host(log=lambda run, level, line, fields: ready.set()))
    scheduler.start()
    scheduler.add_task(dms.Task("a", dms.Program(("sh", "-c", "trap '' TERM; echo ready; while :; do sleep 9; done"))))
    handle = scheduler.run_task("a")
    assert ready.wait(5)
    assert [] == scheduler.stop(drain=0, cancel="400ms")
    assert "interrupted" == handle.wait("1s").status


async def test_a_hurried_stop_waits_no_longer_for_what_runs() -> None:
    async def endless() -> None:
        begun.set()
        await asyncio.Event().wait()

    begun = asyncio.Event()
    scheduler = Scheduler()
    await scheduler.astart()
    scheduler.add_task(dms.Task("a", endless))
    handle = scheduler.run_task("a")
    await begun.wait()
    stop = asyncio.create_task(scheduler.astop(drain="1h"))
    await asyncio.sleep(0)
    scheduler.hurry()
    assert [] == await stop
    assert "interrupted" == (await handle).status


def test_hurrying_a_scheduler_that_does_not_stop_does_nothing() -> None:
    scheduler = Scheduler()
    scheduler.hurry()
    with scheduler:
        scheduler.hurry()
        scheduler.add_task(dms.Task("a", answer))
        assert 42 == scheduler.run_task("a").wait("5s").results


async def test_a_stop_that_is_cancelled_leaves_nothing_running(gate: Make) -> None:
    work = gate()
    scheduler = Scheduler()
    await scheduler.astart()
    scheduler.add_task(dms.Task("a", work))
    handle = scheduler.run_task("a")
    await asyncio.to_thread(work.await_begin)
    stop = asyncio.create_task(scheduler.astop(drain="1h"))
    await asyncio.sleep(0)
    stop.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stop
    with pytest.raises(ShuttingDown):
        await handle
    work.open()


def test_a_scheduler_may_be_stopped_twice_and_before_its_start() -> None:
    scheduler = Scheduler()
    assert [] == scheduler.stop()
    with scheduler:
        assert [] == scheduler.stop()
        assert [] == scheduler.stop()
    assert [] == scheduler.stop()


def test_whoever_asks_for_a_run_while_it_stops_gets_an_answer() -> None:
    answers: list[str] = []

    def ask() -> None:
        asking.set()
        while True:
            try:
                answers.append(scheduler.run_task("a").wait("10s").status)
            except ShuttingDown:
                answers.append("shutting down")
                return

    asking = Event()
    with Scheduler() as scheduler:
        scheduler.add_task(dms.Task("a", answer, overlap="allow", max_instances=1000))
        threads = [Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        assert asking.wait(5)
    for thread in threads:
        thread.join(10)
    assert not any(thread.is_alive() for thread in threads)
    assert 4 == answers.count("shutting down")
    assert {"success", "shutting down"} >= set(answers)


class BrokenStore(dms.MemoryStore):
    def load(self) -> Any:
        raise StoreBroken("dms.db is damaged")


@pytest.mark.parametrize("host", [Host(), Host(own_coroutine_loop=True)])
def test_a_store_that_can_not_be_read_is_told_and_leaves_no_thread(host: Host) -> None:
    before = set(threads_now())
    scheduler = Scheduler(store=BrokenStore(), host=host)
    scheduler.add_task(dms.Task("a", answer))
    handle = scheduler.run_task("a")
    with pytest.raises(StoreBroken, match=r"dms\.db is damaged"):
        scheduler.start()
    for thread in set(threads_now()) - before:
        thread.join(5)
    assert set() == set(threads_now()) - before
    with pytest.raises(ShuttingDown):
        handle.wait("1s")
    assert [] == scheduler.stop()


async def test_a_store_that_can_not_be_read_is_told_to_whoever_awaits_the_start() -> None:
    with pytest.raises(StoreBroken):
        async with Scheduler(store=BrokenStore()):
            pass


def test_coroutines_on_a_loop_of_their_own_block_nobody_else(gate: Make) -> None:
    work = gate()

    async def blocking() -> str:
        return str(work())

    async def quick() -> int:
        return 42

    before = set(threads_now())
    with Scheduler(host=Host(own_coroutine_loop=True)) as scheduler:
        scheduler.add_tasks([dms.Task("blocking", blocking), dms.Task("quick", quick), dms.Task("thread", answer)])
        blocked = scheduler.run_task("blocking")
        work.await_begin()
        assert 42 == scheduler.run_task("thread").wait("5s").results
        assert "running" == scheduler.view("blocking").state
        work.open()
        assert "let go" == blocked.wait("5s").results
        assert 42 == scheduler.run_task("quick").wait("5s").results
    for thread in set(threads_now()) - before:
        thread.join(5)
    assert set() == set(threads_now()) - before


def test_a_coroutine_on_a_loop_of_its_own_is_cancelled_there() -> None:
    async def endless() -> None:
        await asyncio.Event().wait()

    with Scheduler(host=Host(own_coroutine_loop=True)) as scheduler:
        scheduler.add_task(dms.Task("a", endless, timeout="5ms"))
        assert "timed_out" == scheduler.run_task("a").wait("5s").status


def test_ctrl_c_in_the_block_does_not_wait_for_what_runs() -> None:
    def until_told_to_end(run: dms.Run) -> None:
        begun.set()
        while not run.cancelled:
            Event().wait(0.01)

    begun, scheduler = Event(), Scheduler()
    scheduler.add_task(dms.Task("a", until_told_to_end))
    handle = scheduler.run_task("a")

    def interrupted() -> None:
        with scheduler:
            assert begun.wait(10)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    ended = handle.wait("1s")
    assert (ended.ended or 0) - (ended.started or 0) < 5_000_000  # a drain would have taken ten seconds


async def test_a_hurry_that_comes_before_the_stop_waits_is_not_lost() -> None:
    began = asyncio.Event()

    async def work() -> None:
        began.set()
        await asyncio.Event().wait()

    scheduler = Scheduler(1)
    await scheduler.astart()
    scheduler.add_task(dms.Task("work", work))
    handle = scheduler.run_task("work")
    await began.wait()
    scheduler.hurry()
    assert [] == await asyncio.wait_for(scheduler.astop(drain="1h", cancel="5s"), 10)
    assert "interrupted" == (await handle).status
