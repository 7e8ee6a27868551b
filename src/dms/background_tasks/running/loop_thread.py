"""A thread with a loop of its own, and calls that block, made from a loop."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from threading import Event, Thread
from typing import Any, TypeVar

Result = TypeVar("Result")

LAST_MOMENT = 0.5
"""Seconds that what is still under way on a loop gets when it closes."""


class LoopThread:
    """Runs a loop in a daemon thread: first one coroutine, then whatever it is given, until it is stopped."""

    def __init__(self, first: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._first = first
        self._error: BaseException | None = None
        self._loop = asyncio.new_event_loop()
        self._ready = Event()
        self._thread = Thread(target=self._serve, name="dms-scheduler", daemon=True)

    def start(self) -> None:
        """Start, and wait until the first coroutine has ended; raises what it raised."""
        self._thread.start()
        self._ready.wait()
        if self._error is not None:
            raise self._error

    def call(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        """The coroutine's result, once it has run over there."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def stop(self) -> None:
        """End the loop and the thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._first())
        except BaseException as error:  # noqa: BLE001 - start() raises it
            self._error = error
        self._ready.set()
        if self._error is None:
            run_until_stopped(self._loop)
        end_loop(self._loop)


def run_until_stopped(loop: asyncio.AbstractEventLoop) -> None:
    """Run a loop in a thread of its own until its `stop`. No Ctrl-C reaches such a thread: what ends a run before that
    is SystemExit or KeyboardInterrupt out of somebody's callback or task, and no reason to let all others hang."""
    while True:
        try:
            return loop.run_forever()
        except (SystemExit, KeyboardInterrupt):
            continue


def end_loop(loop: asyncio.AbstractEventLoop) -> None:
    """Close a loop that runs no more; what is still under way on it gets a last moment to end."""
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    if left:
        loop.run_until_complete(asyncio.wait(left, timeout=LAST_MOMENT))
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


async def in_thread(call: Callable[[], Result]) -> Result:
    """The call's result, made in a daemon thread, for which nobody has to wait at the end of the process."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Result] = loop.create_future()

    def work() -> None:
        try:
            settle: Callable[[], None] = partial(_succeed, future, call())
        except BaseException as error:  # noqa: BLE001 - it is raised where the call was asked for
            settle = partial(_fail, future, error)
        with suppress(RuntimeError):  # whoever asked may be gone, and the loop with them
            loop.call_soon_threadsafe(settle)

    Thread(target=work, name="dms-call", daemon=True).start()
    return await future


def _succeed(future: "asyncio.Future[Result]", result: Result) -> None:
    if not future.cancelled():
        future.set_result(result)


def _fail(future: "asyncio.Future[Result]", error: BaseException) -> None:
    if not future.cancelled():
        future.set_exception(error)
