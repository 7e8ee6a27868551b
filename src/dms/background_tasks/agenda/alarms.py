"""One heap of due times for each clock, with one earliest of all. Pure.

An alarm is a moment, what to do then, and with what. A timetable has at most one that counts: its `token`; planning it
again leaves the old one in the heap, where it is passed over, and so is that of an attempt that is over. Once those may
be half of all, they are cleared away.
"""

from collections.abc import Callable, Iterable
from typing import Any

from dms.background_tasks.agenda.decision import Attempt
from dms.background_tasks.times.ordered_heap import OrderedHeap
from dms.background_tasks.times.timetable import Timetable
from dms.instant import Instant

Act = Callable[[Any, Instant], None]
_Alarm = tuple[int, int, Act, Any]

_KEPT = 64


class Alarms:
    """What comes due, by the wall clock and by boot time. `offset` is wall minus boot as last read."""

    __slots__ = ("_boot", "_clear_at", "_order", "_size", "_wall", "offset")

    def __init__(self, now: Instant) -> None:
        self._boot: OrderedHeap[_Alarm] = OrderedHeap()
        self._wall: OrderedHeap[_Alarm] = OrderedHeap()
        self._order = self._size = 0
        self._clear_at = _KEPT
        self.offset = now.wall - now.boot

    def at_boot(self, boot: int, act: Act, what: Any) -> None:
        """Call `act(what, now)` once boot time has reached `boot`."""
        self._order += 1
        self._push(self._boot, (boot, self._order, act, what))

    def at_wall(self, wall: int, act: Act, what: Any) -> None:
        """Call `act(what, now)` once the wall clock has reached `wall`."""
        self._order += 1
        self._push(self._wall, (wall, self._order, act, what))

    def plan(self, timetable: Timetable, act: Act) -> None:
        """Call `act(timetable, now)` when the timetable next comes due, and not for any earlier plan of it."""
        if timetable.due is None:
            timetable.token = 0
            return
        self._order = timetable.token = self._order + 1
        self._push(self._wall if timetable.on_wall else self._boot, (timetable.due, self._order, act, timetable))

    def put_off(self, timetable: Timetable, boot: int, act: Act) -> None:
        """Call `act(timetable, now)` once boot time has reached `boot`, and not for any earlier plan of it."""
        self._order = timetable.token = self._order + 1
        self._push(self._boot, (boot, self._order, act, timetable))

    def _push(self, heap: OrderedHeap[_Alarm], alarm: _Alarm) -> None:
        heap.push(alarm)
        self._size += 1
        if self._size > self._clear_at:
            self.clear_away()

    def due(self, now: Instant) -> "Iterable[tuple[Act, Any]]":
        """What has come due until `now`, one at a time; what is planned meanwhile counts too."""
        for heap, reading in ((self._boot, now.boot), (self._wall, now.wall)):
            while (alarm := heap.pop_until(reading)) is not None:
                self._size -= 1
                if _counts(alarm):
                    yield alarm[2], alarm[3]

    def step(self, now: Instant) -> int:
        """Read the clocks' distance anew; by how much the wall clock was set since last time, negative where back."""
        before, self.offset = self.offset, now.wall - now.boot
        return self.offset - before

    def clear_away(self) -> None:
        """Drop what does not count any more."""
        for heap in (self._boot, self._wall):
            heap.keep(_counts)
        self._size = len(self._boot) + len(self._wall)
        self._clear_at = 2 * self._size + _KEPT

    def next(self) -> Instant | None:
        """The earliest of all, by the clocks' distance as last read."""
        boots = []
        for heap, offset in ((self._boot, 0), (self._wall, self.offset)):
            while (alarm := heap.first()) is not None and not _counts(alarm):
                heap.pop()
                self._size -= 1
            if alarm is not None:
                boots.append(alarm[0] - offset)
        return Instant(min(boots) + self.offset, min(boots)) if boots else None


def _counts(alarm: _Alarm) -> bool:
    what = alarm[3]
    if isinstance(what, Timetable):
        return what.token == alarm[1]
    return not (isinstance(what, Attempt) and what.over)
