"""A time zone as stretches of constant offset, found by asking the zone and kept.

`tzinfo` tells the offset of one moment and not when it changes next. The changes are found by probing, then by
bisection, once for each block of seven weeks. Everything here is in whole seconds since 1970, UTC; a local
time is such a number plus the offset.
"""

from bisect import bisect_left
from collections.abc import Iterator
from datetime import datetime, timedelta, tzinfo
from functools import lru_cache
from typing import NamedTuple

DAY = 86_400
FIRST = -62_132_918_400
"""The end of January of year 1: no moment before is asked for."""
END = 253_370_764_800
"""The start of year 9999: no moment from here on is asked for."""

_FOREVER = 1 << 62
# Just over six days. Two changes of one zone since 1970 are never closer than 6.95 days (tzdata 2026).
_PROBE = 1 << 19
_BLOCK_BITS = 22
_BLOCKS_KEPT = 1024


class Stretch(NamedTuple):
    """A stretch of time in which a zone keeps one offset."""

    start: int
    """Its first second."""
    end: int
    """The second after its last."""
    offset: int
    """Local time minus UTC."""
    before: int
    """The offset just before `start`; smaller than `offset` where clocks went forward, larger where back."""
    shown: int
    """Local times below this one had been shown before `start`, or been skipped by then."""


class ZoneOffsets:
    """The stretches of one zone, found as they are asked for."""

    __slots__ = ("_blocks", "_eternal", "_zone")

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self._blocks: dict[int, tuple[Stretch, ...]] = {}
        fixed = zone.utcoffset(None)
        self._eternal = None if fixed is None else _eternal(_seconds(fixed))

    def at(self, second: int) -> Stretch:
        """The stretch that holds `second`. It may be cut at a block's border; `before` equals `offset` there."""
        if self._eternal:
            return self._eternal
        block = self._blocks.get(second >> _BLOCK_BITS) or self._find_block(second >> _BLOCK_BITS)
        for stretch in block:
            if second < stretch.end:
                break
        return stretch

    def between(self, low: int, high: int) -> Iterator[Stretch]:
        """The whole stretches that make up `[low, high)`, the first and last cut to it."""
        while low < high:
            stretch = self.at(low)
            end = self._end(stretch, high)
            yield stretch._replace(end=end) if stretch.start == low else _cut(stretch, low, end)
            low = end

    def _end(self, stretch: Stretch, high: int) -> int:
        end = stretch.end
        while end < high:
            following = self.at(end)
            if following.before != following.offset:
                return end
            end = following.end
        return high

    def _find_block(self, number: int) -> tuple[Stretch, ...]:
        if len(self._blocks) >= _BLOCKS_KEPT:
            self._blocks.clear()
        start, end = number << _BLOCK_BITS, (number + 1) << _BLOCK_BITS
        # The lead-in tells what local times had been shown before the block starts.
        found = [stretch for stretch in self._find_stretches(start - _PROBE, end) if stretch.end > start]
        if found[0].start < start:
            found[0] = _cut(found[0], start, found[0].end)
        self._blocks[number] = block = tuple(found)
        return block

    def _find_stretches(self, start: int, end: int) -> Iterator[Stretch]:
        offset = before = self._offset(start)
        shown = start + offset
        for change, new in self._find_changes(start, end):
            yield Stretch(start, change, offset, before, shown)
            start, before, offset = change, offset, new
            shown = start + before
        yield Stretch(start, end, offset, before, shown)

    def _find_changes(self, low: int, end: int) -> Iterator[tuple[int, int]]:
        """Each moment in `(low, end)` at which another offset begins, with that offset."""
        known = self._offset(low)
        for probe in (*range(low + _PROBE, end - 1, _PROBE), end - 1):
            reached = self._offset(probe)
            if known != reached:
                yield self._first_change(low, probe, known), reached
                known = reached
            low = probe

    def _first_change(self, low: int, high: int, known: int) -> int:
        return low + bisect_left(range(low, high), True, key=lambda second: self._offset(second) != known)

    def _offset(self, second: int) -> int:
        if not FIRST <= second <= END:
            second = min(max(second, FIRST), END)
        moment = datetime.fromtimestamp(second, self._zone)
        return _seconds(moment.utcoffset() or timedelta(0))


def offsets_of(zone: tzinfo) -> ZoneOffsets:
    """The zone's stretches; expressions in one zone share them."""
    try:
        return _shared(zone)
    except TypeError:  # some third parties' zones have no hash
        return ZoneOffsets(zone)


_shared = lru_cache(maxsize=64)(ZoneOffsets)


def _eternal(offset: int) -> Stretch:
    return Stretch(-_FOREVER, _FOREVER, offset, offset, -_FOREVER)


def _cut(stretch: Stretch, start: int, end: int) -> Stretch:
    return stretch._replace(start=start, end=end, before=stretch.offset)


def _seconds(length: timedelta) -> int:
    return length.days * DAY + length.seconds
