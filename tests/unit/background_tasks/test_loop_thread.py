"""A loop in a thread, and blocking calls made from a loop."""

import asyncio
import threading

import pytest

from dms.background_tasks.running.loop_thread import LoopThread, in_thread


async def nothing() -> None:
    pass


async def where() -> str:
    return threading.current_thread().name


def test_coroutines_are_run_over_there() -> None:
    thread = LoopThread(nothing)
    thread.start()
    assert "dms-scheduler" == thread.call(where())
    thread.stop()


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_a_callback_that_would_end_a_process_does_not_end_the_loop(error: type[BaseException]) -> None:
    """jmettraux/rufus-scheduler#335: the thread that schedules ended, and everything waited for ever."""

    async def leave_a_bomb() -> None:
        asyncio.get_running_loop().call_soon(explode)

    def explode() -> None:
        raise error

    thread = LoopThread(nothing)
    thread.start()
    thread.call(leave_a_bomb())
    assert "dms-scheduler" == thread.call(where())
    thread.stop()


def test_what_the_first_raises_is_raised_at_the_start_and_the_thread_ends() -> None:
    async def fail() -> None:
        raise OSError("no disk")

    before = set(threading.enumerate())
    with pytest.raises(OSError, match="no disk"):
        LoopThread(fail).start()
    for thread in set(threading.enumerate()) - before:
        thread.join(5)
    assert before == set(threading.enumerate())


def test_what_is_still_under_way_at_the_stop_is_told_to_end() -> None:
    ended = []

    async def begin() -> None:
        left.append(asyncio.ensure_future(endless()))
        await asyncio.sleep(0)

    async def endless() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    left: list[asyncio.Future[None]] = []
    thread = LoopThread(begin)
    thread.start()
    thread.stop()
    assert [True] == ended


async def test_a_blocking_call_gives_its_result_and_its_error() -> None:
    assert threading.current_thread().name != await in_thread(lambda: threading.current_thread().name)
    for error in (OSError, SystemExit):

        def fail(error: type[BaseException] = error) -> None:
            raise error("wrong")

        with pytest.raises(error, match="wrong"):
            await in_thread(fail)


async def test_whoever_stops_waiting_for_a_call_disturbs_nobody() -> None:
    begun, let_go, over = threading.Event(), threading.Event(), threading.Event()

    def call() -> None:
        begun.set()
        let_go.wait(5)
        asyncio.run_coroutine_threadsafe(where(), loop)
        over.set()

    loop = asyncio.get_running_loop()
    waiting = asyncio.ensure_future(in_thread(call))
    await in_thread(lambda: begun.wait(5))
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    let_go.set()
    await in_thread(lambda: over.wait(5))
    await asyncio.sleep(0)
