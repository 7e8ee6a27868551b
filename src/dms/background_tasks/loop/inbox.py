"""Inbox: how anything reaches the scheduler's loop, from any thread."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from threading import Event, get_ident
from typing import Any, Generic, TypeVar

from dms.instant import Instant

Receiver = TypeVar("Receiver")

PATIENCE = 1.0
"""Seconds that a question from another thread waits at most for what was posted before it."""

LONG_PATIENCE = 10.0
"""Seconds that whoever turns a clock by hand waits at most for what comes of it."""


class Inbox(Generic[Receiver]):
    """Messages to a receiver: which of its methods to call, and with what. They are delivered on the loop, in the order
    in which they came. However many come, the loop is woken once: `turn` is called and takes them all."""

    def __init__(self) -> None:
        self._messages: deque[tuple[Callable[..., None], tuple[Any, ...]]] = deque()
        self._turn: Callable[[], None] = lambda: None
        self._woken = False
        self._delivering = False
        self.closed = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0

    def open(self, turn: Callable[[], None]) -> None:
        """From now on the running loop, in this thread, is woken to call `turn`."""
        self._turn = turn
        self._loop, self._thread = asyncio.get_running_loop(), get_ident()
        self.wake()

    def close(self) -> list[tuple[Any, ...]]:
        """Take nothing any more; what had come and is not delivered, each as the arguments of its call."""
        self.closed, self._loop, self._thread = True, None, 0
        left = [arguments for _, arguments in self._messages]
        self._messages.clear()
        return left

    def __len__(self) -> int:
        """How many wait to be delivered."""
        return len(self._messages)

    def on_loop(self) -> bool:
        """Whether this is the loop's own thread."""
        return get_ident() == self._thread

    def post(self, call: Callable[..., None], *arguments: Any) -> None:
        """Have `call(receiver, *arguments, now)` made on the loop. Where it is `closed` after that, it may have come
        too late to be delivered or to be among what `close` gives."""
        if not self.closed:
            self._messages.append((call, arguments))
            if not self._woken:
                self.wake()

    def settle(self) -> None:
        """From another thread: wait, a moment at most, until what was posted before has been delivered."""
        if self._loop is not None and (self._messages or self._delivering) and not self.on_loop():
            self._await_delivery(PATIENCE)

    def pass_turn(self) -> None:
        """From another thread: have a turn that sees the clock as it is now, and wait until it is over. What is posted
        first may meet a turn that has looked at the clock already, the second meets one that has not, and the third
        comes once that is over."""
        if self._loop is not None and not self.on_loop():
            for _ in range(3):
                self._await_delivery(LONG_PATIENCE)

    def _await_delivery(self, patience: float) -> None:
        delivered = Event()
        self.post(lambda receiver, now: delivered.set())
        delivered.wait(patience)

    def wake(self) -> None:
        """Have a turn, whether there are messages or not."""
        loop = self._loop
        if loop is None:
            return
        self._woken = True
        if self.on_loop():
            loop.call_soon(self._turn)
        else:
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self._turn)

    def deliver(self, receiver: Receiver, now: Instant) -> None:
        """Make every call that has come until now. One that raises keeps none of the others from being made, and
        however fast they come, the loop has its turn in between."""
        self._delivering, self._woken = True, False
        messages = self._messages
        try:
            for _ in range(len(messages)):
                call, arguments = messages.popleft()
                call(receiver, *arguments, now)
        except BaseException:
            self.wake()
            raise
        finally:
            self._delivering = False
        if messages:
            self.wake()
