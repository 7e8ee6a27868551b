"""Which lines of a flood are written: a token bucket for each logger and event, and the count of what it held back.
Pure: moments are boot microseconds, given by the caller."""

import msgspec

from dms.instant import SECOND

BURST = 100
"""Lines of one logger and event that are written at once, however fast they come."""

PER_SECOND = 10
"""Lines of one logger and event that are written each second after that."""

BETWEEN_COUNTS = 10 * SECOND
"""Least time between two counts of what was held back of one logger and event."""

MOST_KEYS = 1_000
"""Pairs of logger and event that are known at once; the one that was quiet for longest makes room."""

_EVENT_LENGTH = 100


class HeldBack(msgspec.Struct, frozen=True):
    """So many lines of a logger and event (its first 100 characters) were not written; `level` is that of the last."""

    logger: str
    event: str
    level: str
    count: int


class _Bucket:
    __slots__ = ("at", "held", "level", "tokens", "told")

    def __init__(self, tokens: float, now: int) -> None:
        self.tokens, self.at, self.told = tokens, now, now
        self.held, self.level = 0, ""


class FloodGuard:
    """Lets through a burst of each event and a trickle after it. Not for two threads at once."""

    def __init__(self, burst: int = BURST, per_second: float = PER_SECOND, most_keys: int = MOST_KEYS) -> None:
        self._burst, self._per_microsecond, self._most = burst, per_second / SECOND, most_keys
        self._buckets: dict[tuple[str, str], _Bucket] = {}
        self._holding: set[tuple[str, str]] = set()
        self._made_room: list[HeldBack] = []

    def admits(self, logger: str, event: str, level: str, now: int) -> bool:
        """Whether this line is to be written; else it is counted."""
        key = (logger, event[:_EVENT_LENGTH])
        bucket = self._bucket(key, now)
        tokens = bucket.tokens + (now - bucket.at) * self._per_microsecond
        bucket.tokens, bucket.at = (tokens if tokens < self._burst else self._burst), now
        if bucket.tokens >= 1:
            bucket.tokens -= 1
            return True
        if not bucket.held:
            self._holding.add(key)
            bucket.told = now
        bucket.held, bucket.level = bucket.held + 1, level
        return False

    @property
    def holds_back(self) -> bool:
        """Whether there is anything to be told, now or later."""
        return bool(self._holding or self._made_room)

    def held_back(self, now: int) -> list[HeldBack]:
        """What is to be told now of what was held back; each count is told once, some seconds after its first line."""
        due = [key for key in self._holding if now - self._buckets[key].told >= BETWEEN_COUNTS]
        return self._tell(due)

    def all_held_back(self) -> list[HeldBack]:
        """All that was not told yet, at the end."""
        return self._tell(list(self._holding))

    def _tell(self, keys: list[tuple[str, str]]) -> list[HeldBack]:
        told, self._made_room = self._made_room, []
        return [*told, *(self._take(key) for key in sorted(keys))]

    def _take(self, key: tuple[str, str]) -> HeldBack:
        bucket = self._buckets[key]
        count, bucket.held = bucket.held, 0
        self._holding.discard(key)
        return HeldBack(*key, bucket.level, count)

    def _bucket(self, key: tuple[str, str], now: int) -> _Bucket:
        """The key's bucket, which is now the one that was used last."""
        bucket = self._buckets.pop(key, None)
        if bucket is None:
            self._make_room()
            bucket = _Bucket(self._burst, now)
        self._buckets[key] = bucket
        return bucket

    def _make_room(self) -> None:
        if len(self._buckets) < self._most:
            return
        oldest = next(iter(self._buckets))
        if oldest in self._holding:
            self._made_room.append(self._take(oldest))
        del self._buckets[oldest]
