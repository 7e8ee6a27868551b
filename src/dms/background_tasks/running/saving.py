"""Saving: a state on its way to the disk, to wait for from a thread or from a coroutine."""

import asyncio
from collections.abc import Generator
from concurrent.futures import Future
from typing import Any

from dms.background_tasks.tasks.task import Execution
from dms.errors import Conflict, ShuttingDown


class Saving:
    """The ticket of `Run.save`: accepted once it is on disk. Whoever runs on an event loop awaits it, all others wait
    within the call."""

    __slots__ = ("_done",)
    link = ""

    def __init__(self) -> None:
        self._done: Future[None] = Future()

    def wait(self) -> None:
        """Wait for it, unless this is a running event loop, on which it is to be awaited. Conflict where the run is
        over, ShuttingDown where the scheduler stops first."""
        if asyncio._get_running_loop() is None:
            self._done.result()

    def __await__(self) -> Generator[Any, None, None]:
        yield from asyncio.wrap_future(self._done).__await__()

    def accept(self, execution: Execution) -> None:
        """It is on disk."""
        self._settle(None)

    def refuse(self, message: str) -> None:
        """It is not kept."""
        self._settle(Conflict(message))

    def end(self, execution: Execution) -> None:
        """Nothing more to say."""

    def give_up(self) -> None:
        """The scheduler stops before it is on disk."""
        self._settle(ShuttingDown("the scheduler stopped before the state was on disk"))

    def _settle(self, error: Exception | None) -> None:
        if self._done.done():
            return
        if error is None:
            self._done.set_result(None)
        else:
            self._done.set_exception(error)
