"""Expiry: until when a token is good, and a call when it no longer is, though nobody says a word."""

import asyncio
from collections.abc import Callable

from dms.instant import SECOND, Clock


class Expiry:
    """Calls `expired` at the end of the token that is watched. A timer alone would miss a clock that is set and a
    machine that sleeps: `passed` goes by the wall clock, for whoever comes by."""

    def __init__(self, clock: Clock, expired: Callable[[], object]) -> None:
        self._clock = clock
        self._expired = expired
        self._expires: int | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def passed(self) -> bool:
        """Whether the token that is watched is good no longer."""
        return has_passed(self._expires, self._clock)

    def watch(self, expires: int | None) -> None:
        """This is the end that counts now, in wall microseconds; None for a token that has none."""
        self.stop()
        self._expires = expires
        if expires is not None:
            left = (expires - self._clock.now().wall) / SECOND
            self._timer = asyncio.get_running_loop().call_later(max(left, 0), self._look)

    def _look(self) -> None:
        """A clock that was set back meanwhile gives the token its time back."""
        if self.passed:
            self._expired()
        else:
            self.watch(self._expires)

    def stop(self) -> None:
        """Watch no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def has_passed(expires: int | None, clock: Clock) -> bool:
    """Whether a moment in wall microseconds is over; None never is."""
    return expires is not None and expires <= clock.now().wall
