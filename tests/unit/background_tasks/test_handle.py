"""A handle is waited for by threads and by coroutines of any loop, early or late, and always gives the same answer."""

import asyncio
from collections.abc import Callable
from threading import Barrier, Thread
from typing import Any

import pytest

from dms.background_tasks.handle import Handle
from dms.background_tasks.tasks.task import Execution, Status
from dms.errors import Conflict, InvalidDuration, Misuse, ShuttingDown, WaitTimeout


def execution(status: Status) -> Execution:
    return Execution("1-1", "1-1", "a", 1, 1, status, due=0)


WAITING, ENDED = execution(Status.WAITING), execution(Status.SUCCESS)


@pytest.fixture
def handle() -> Handle:
    return Handle(lambda: False)


def test_wait_gives_the_end(handle: Handle) -> None:
    handle.end(ENDED)
    assert ENDED == handle.wait() == handle.wait(0)
    assert ENDED == handle.execution


async def test_await_gives_the_end_as_often_as_it_is_asked(handle: Handle) -> None:
    handle.end(ENDED)
    assert [ENDED, ENDED] == [await handle, await handle]


def test_nothing_is_given_before_the_end(handle: Handle) -> None:
    handle.accept(WAITING)
    assert handle.execution is None
    with pytest.raises(WaitTimeout, match="the run has not ended within 1ms; it goes on"):
        handle.wait("1ms")


def test_a_debugger_shows_how_far_it_is(handle: Handle) -> None:
    shown = [repr(handle)]
    handle.accept(WAITING)
    shown.append(repr(handle))
    handle.refuse("a is running already")
    shown.append(repr(handle))
    assert ["<Handle asked for>", f"<Handle {WAITING}>", "<Handle a is running already>"] == shown


def test_a_wait_that_gave_up_leaves_nothing_behind(handle: Handle) -> None:
    for _ in range(3):
        with pytest.raises(WaitTimeout):
            handle.wait(0)
    assert [] == handle._callbacks


def test_a_timeout_that_is_none_is_refused(handle: Handle) -> None:
    with pytest.raises(InvalidDuration, match="timeout: 'soon'"):
        handle.wait("soon")


@pytest.mark.parametrize(
    ("settle", "error", "message"),
    [
        (lambda handle: handle.refuse("a is running already"), Conflict, "a is running already"),
        (lambda handle: handle.give_up(), ShuttingDown, "the scheduler stopped before the run ended"),
    ],
)
async def test_a_run_that_never_came_to_an_end_raises_for_everyone(
    handle: Handle, settle: Callable[[Handle], None], error: type[Exception], message: str
) -> None:
    settle(handle)
    with pytest.raises(error, match=message):
        handle.wait()
    with pytest.raises(error, match=message):
        await handle
    with pytest.raises(error, match=message):
        await handle.accepted()


async def test_accepted_comes_before_the_end(handle: Handle) -> None:
    accepted, ended = asyncio.ensure_future(handle.accepted()), asyncio.ensure_future(_of(handle))
    await asyncio.sleep(0)
    handle.accept(WAITING)
    assert WAITING == await accepted
    assert not ended.done()
    handle.end(ENDED)
    assert ENDED == await ended
    assert WAITING == await handle.accepted()


async def test_a_run_that_was_accepted_and_then_given_up_was_accepted(handle: Handle) -> None:
    handle.accept(WAITING)
    handle.give_up()
    assert WAITING == await handle.accepted()


def test_the_first_end_counts(handle: Handle) -> None:
    handle.end(ENDED)
    handle.end(execution(Status.FAILED))
    handle.refuse("too late")
    handle.give_up()
    assert ENDED == handle.wait()


def test_a_blocking_wait_on_the_loop_is_refused_until_there_is_an_answer() -> None:
    handle = Handle(lambda: True)
    with pytest.raises(Misuse, match="use: await handle"):
        handle.wait()
    handle.end(ENDED)
    assert ENDED == handle.wait()


async def test_it_is_awaited_on_another_loop_than_the_one_it_ends_on(handle: Handle) -> None:
    ended = asyncio.ensure_future(_of(handle))
    await asyncio.sleep(0)
    Thread(target=handle.end, args=(ENDED,)).start()
    assert ENDED == await asyncio.wait_for(ended, 5)


async def test_whoever_stops_awaiting_disturbs_nobody(handle: Handle) -> None:
    first, second = asyncio.ensure_future(_of(handle)), asyncio.ensure_future(_of(handle))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    handle.end(ENDED)
    assert ENDED == await second


def test_a_loop_that_has_closed_disturbs_nobody(handle: Handle) -> None:
    async def begin() -> None:
        waiting = asyncio.ensure_future(_of(handle))
        await asyncio.sleep(0)
        waiting.cancel()

    asyncio.run(begin())
    handle.end(ENDED)
    assert ENDED == handle.wait()


def test_threads_that_wait_while_it_ends_all_get_the_answer() -> None:
    for _ in range(50):
        handle, together, answers = Handle(lambda: False), Barrier(5), []

        def wait(handle: Handle = handle, together: Barrier = together, answers: list[Any] = answers) -> None:
            together.wait(5)
            answers.append(handle.wait(5))

        threads = [Thread(target=wait) for _ in range(4)]
        for thread in threads:
            thread.start()
        together.wait(5)
        handle.accept(WAITING)
        handle.end(ENDED)
        for thread in threads:
            thread.join(5)
        assert [ENDED] * 4 == answers


async def _of(handle: Handle) -> Execution:
    return await handle
