"""Heartbeat: asks a peer from time to time whether it is still there, and finds out that it is not."""

import asyncio
from collections.abc import Callable


class Heartbeat:
    """Calls `ping` every `interval` seconds, and `silent` once where nothing at all was heard since the last one: what
    is on its way from a peer stands before its pong, so that any byte will do."""

    def __init__(self, interval: float, *, ping: Callable[[], object], silent: Callable[[], object]) -> None:
        self._interval = interval
        self._ping, self._silent = ping, silent
        self._heard = True
        self._next: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """From now on."""
        self.stop()
        self._heard = True
        self._next = asyncio.get_running_loop().call_later(self._interval, self._beat)

    def stop(self) -> None:
        """No more."""
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def heard(self) -> None:
        """The peer gave a sign of life."""
        self._heard = True

    def _beat(self) -> None:
        self._next = None
        if not self._heard:
            self._silent()
            return
        self._heard = False
        self._next = asyncio.get_running_loop().call_later(self._interval, self._beat)
        self._ping()
