"""Pieces: what a peer sends is taken piece by piece, so that nobody else waits for the end of it."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from dms.clock import stopwatch

AT_ONCE = 0.005
"""Seconds that one peer may keep the loop busy; then it is everybody else's turn."""

SIZE = 4096
"""Bytes of a piece: of frames or chunks that hold nothing it has hundreds, and of lines thousands."""


class Reading(Protocol):
    """Whatever reads from a peer."""

    def hold(self) -> None:
        """Take nothing more from the peer, until `go_on`."""

    def go_on(self) -> None:
        """Hear the peer again."""


class Pieces:
    """Hands what was read to `take`, for a few milliseconds a turn of the loop; meanwhile nothing more is read."""

    def __init__(self, take: Callable[[bytes], object], reading: Reading) -> None:
        self._take, self._reading = take, reading
        self._rest = b""
        self._next: asyncio.Handle | None = None
        self._over = False

    @property
    def waiting(self) -> bool:
        """Whether some are left for later."""
        return self._next is not None

    def feed(self, data: bytes) -> None:
        """So much more was read."""
        if self._next is not None:
            self._rest += data
        elif len(data) <= SIZE:
            self._take(data)
        elif not self._takes_all(data):
            self._reading.hold()
            self._next = asyncio.get_running_loop().call_soon(self._later)

    def _takes_all(self, data: bytes) -> bool:
        began, start = stopwatch(), 0
        while start < len(data) and not self._over and stopwatch() - began <= AT_ONCE:
            self._take(data[start : start + SIZE])
            start += SIZE
        self._rest = data[start:]
        return not self._rest or self._over

    def _later(self) -> None:
        if not self._takes_all(self._rest):
            self._next = asyncio.get_running_loop().call_soon(self._later)
        elif not self._over:
            self._next = None
            self._reading.go_on()

    def stop(self) -> None:
        """Hand on nothing more: the peer has gone, or speaks to somebody else."""
        self._over = True
        if self._next is not None:
            self._next.cancel()
