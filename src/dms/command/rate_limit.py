"""How often one token may ask: a token bucket for each of them, whichever door they come by."""

from collections.abc import Callable

from dms.errors import RateLimited
from dms.instant import SECOND, Clock

BURST = 2
"""Seconds' worth of requests that may come at once after a rest."""

_MOST_KEYS = 1_000


class RateLimit:
    """Each key may ask `per_second()` times a second; 0 means as often as it likes."""

    def __init__(self, per_second: Callable[[], int], clock: Clock) -> None:
        self._per_second, self._clock = per_second, clock
        self._left: dict[str, tuple[float, int]] = {}

    def take(self, key: str) -> None:
        """One more request of this key. RateLimited, and it is not counted, where it comes too early."""
        rate = self._per_second()
        if not rate:
            return
        now = self._clock.now().boot
        left, at = self._left.pop(key, (float(rate * BURST), now))
        left = min(rate * BURST, left + (now - at) * rate / SECOND)
        self._remember(key, left - 1 if left >= 1 else left, now)
        if left < 1:
            wait = round((1 - left) / rate * 1000) or 1
            raise RateLimited(f"more than {rate} requests a second by one token; ask again in {wait} ms", wait)

    def _remember(self, key: str, left: float, now: int) -> None:
        """The key that was used last stands last; the one that was quiet for longest makes room."""
        self._left[key] = (left, now)
        if len(self._left) > _MOST_KEYS:
            del self._left[next(iter(self._left))]
