"""Handle: a run that was asked for, to wait for from a thread or from a coroutine."""

import asyncio
from collections.abc import Callable, Generator
from contextlib import suppress
from datetime import timedelta
from threading import Event, Lock, get_ident
from typing import Any

from dms.background_tasks.tasks.task import Execution
from dms.errors import Conflict, DmsError, Misuse, ShuttingDown, WaitTimeout
from dms.instant import SECOND, duration_text, microseconds


class Handle:
    """A run on its way. `wait()` blocks a thread, `await handle` does not; both give the run's last execution once it
    has its final state (and is on disk, where it is durable).

    Both raise Conflict where the run was refused, and ShuttingDown where the scheduler stopped before it ended. `link`
    is the `traceparent` of the span within which it was asked for, if any.
    """

    __slots__ = ("_accepted", "_callbacks", "_error", "_final", "_has_begun", "_lock", "_on_loop", "link")

    def __init__(
        self, on_loop: Callable[[], bool], has_begun: Callable[[], bool] = lambda: True, link: str = ""
    ) -> None:
        self.link = link
        self._on_loop, self._has_begun = on_loop, has_begun
        self._accepted: Execution | None = None
        self._final: Execution | None = None
        self._error: DmsError | None = None
        self._callbacks: list[tuple[bool, Callable[[], None]]] = []
        self._lock = Lock()

    def wait(self, timeout: "str | float | timedelta | None" = None) -> Execution:
        """The run's last execution, once it has ended. WaitTimeout after `timeout`; the run goes on.
        Misuse on the scheduler's own loop, which a blocking wait would stop: `await` the handle there; Misuse too
        without a timeout where the scheduler has not been started, since nothing runs then."""
        if not self._settled and self._on_loop():
            raise Misuse("a blocking wait on the scheduler's own loop would stop it; use: await handle")
        if timeout is None and not self._settled and not self._has_begun():
            raise Misuse("the scheduler has not been started, so nothing runs; use: with scheduler")
        length = None if timeout is None else microseconds(timeout, "timeout")
        done = Event()
        self._when(False, done.set)
        if not done.wait(None if length is None else length / SECOND):
            self._forget(done.set)
            rest = "it goes on" if self._has_begun() else "the scheduler has not been started"
            raise WaitTimeout(f"the run has not ended within {duration_text(length or 0)}; {rest}")
        return self._result()

    def __await__(self) -> Generator[Any, None, Execution]:
        yield from self._future(False).__await__()
        return self._result()

    async def accepted(self) -> Execution:
        """The execution as it was when the scheduler took the run on: waiting, or already further."""
        await self._future(True)
        if self._accepted is None:
            return self._result()
        return self._accepted

    def __repr__(self) -> str:
        state = self._final or self._error or self._accepted or "asked for"
        return f"<Handle {state}>"

    @property
    def execution(self) -> Execution | None:
        """The run's last execution where it has ended, else None."""
        return self._final

    def accept(self, execution: Execution) -> None:
        """The scheduler has taken it on."""
        self._settle(accepted=execution)

    def refuse(self, message: str) -> None:
        """The scheduler has not taken it on."""
        self._settle(error=Conflict(message))

    def end(self, execution: Execution) -> None:
        """It has its final state."""
        self._settle(final=execution)

    def give_up(self) -> None:
        """The scheduler stops before it has ended."""
        self._settle(error=ShuttingDown("the scheduler stopped before the run ended"))

    @property
    def _settled(self) -> bool:
        return self._final is not None or self._error is not None

    def _result(self) -> Execution:
        if self._final is not None:
            return self._final
        assert self._error is not None
        raise self._error

    def _settle(
        self, accepted: Execution | None = None, final: Execution | None = None, error: DmsError | None = None
    ) -> None:
        with self._lock:
            if self._settled:
                return
            self._accepted = accepted or self._accepted
            self._final, self._error = final, error
            due = [call for early, call in self._callbacks if early or self._settled]
            self._callbacks = [] if self._settled else [item for item in self._callbacks if not item[0]]
        for call in due:
            call()

    def _when(self, accepted: bool, call: Callable[[], None]) -> None:
        """Call once it has ended, or already once it was `accepted`."""
        with self._lock:
            now = self._settled or (accepted and self._accepted is not None)
            if not now:
                self._callbacks.append((accepted, call))
        if now:
            call()

    def _forget(self, call: Callable[[], None]) -> None:
        with self._lock:
            self._callbacks = [item for item in self._callbacks if item[1] != call]

    def _future(self, accepted: bool) -> "asyncio.Future[None]":
        loop, thread = asyncio.get_running_loop(), get_ident()
        future = loop.create_future()

        def resolve() -> None:
            if not future.done():
                future.set_result(None)

        def wake() -> None:
            with suppress(RuntimeError):  # its loop is closed
                resolve() if get_ident() == thread else loop.call_soon_threadsafe(resolve)

        self._when(accepted, wake)
        return future
