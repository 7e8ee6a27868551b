"""How far a calendar has come, in wall time: its mark, and what a clock that is set does to it. Pure."""

from copy import copy
from typing import TYPE_CHECKING, Any, Protocol

from dms.background_tasks.store import Doubt, Mark
from dms.background_tasks.times.asked_calendar import AskedCalendar
from dms.background_tasks.times.timetable import LONG_STEP, SHORT_STEP, Timetable, share_of
from dms.instant import Instant

if TYPE_CHECKING:
    from dms.background_tasks.agenda.entry import Entry


class Fires(Protocol):
    """A calendar as a timetable needs it; all times are wall microseconds."""

    def next_after(self, wall: int) -> int | None:
        """The first time strictly after `wall`."""
        ...

    def latest(self, after: int, until: int) -> int | None:
        """The last time in (after, until]."""
        ...

    def count(self, after: int, until: int) -> int:
        """How many times lie in (after, until]."""
        ...


class CalendarTimetable(Timetable):
    """A cron expression, or a third party's `next_after`, in wall time; `done` is the last time that fired, or, while
    none has (`fresh`), the moment from which it counts."""

    __slots__ = ("done", "end", "fires", "fresh", "jitter", "nominal", "seed", "start")
    on_wall = True

    def __init__(self, owner: "Entry", fires: Fires, seed: str, trigger: Any = None) -> None:
        super().__init__(owner)
        self.fires, self.seed = fires, seed
        self.jitter: int = getattr(trigger, "jitter", 0)
        self.start: int | None = getattr(trigger, "start", None)
        self.end: int | None = getattr(trigger, "end", None)

    def begin(self, now: Instant) -> None:
        """What counts is what comes after now, or from its `start` on."""
        self.done = now.wall if self.start is None else max(now.wall, self.start - 1)
        self.fresh = True
        self._plan(self.fires.next_after(self.done))

    def resume_from(self, mark: Mark, now: Instant, boot_id: str) -> None:
        """Go on after the last time that fired, unless that lies in a future that turned out wrong."""
        self.done, self.fresh = mark.done, False
        if self._came_too_early(now):
            self.done = now.wall
        self._plan(self.fires.next_after(self.done))

    def _plan(self, nominal: int | None) -> None:
        if nominal is None or (self.end is not None and nominal > self.end):
            self.nominal, self.due = None, None
        else:
            self.nominal, self.due = nominal, self._delayed(nominal)

    def _delayed(self, nominal: int) -> int:
        if not self.jitter:
            return nominal
        following = self.fires.next_after(nominal)
        room = self.jitter if following is None else min(self.jitter, following - nominal)
        return nominal + share_of(room, self.seed, nominal)

    def delayed(self, label: int, now: Instant) -> int:
        """By its share of the jitter."""
        return self._delayed(label)

    def latest(self, after: int, until: int, now: Instant) -> int | None:
        """By the calendar."""
        return self.fires.latest(after, until)

    def following(self, now: Instant) -> int | None:
        """By the calendar."""
        nominal = self.fires.next_after(now.wall)
        return None if nominal is None else now.boot + nominal - now.wall

    def count(self, after: int, until: int, now: Instant) -> int:
        """By the calendar."""
        return self.fires.count(after, until)

    def between(self, start: int, end: int, most: int, now: Instant) -> list[int]:
        """By the calendar, to before the task was there."""
        found: list[int] = []
        before = start - 1 if self.start is None else max(start, self.start) - 1
        last = end - 1 if self.end is None else min(end - 1, self.end)
        due = self.fires.next_after(before)
        while due is not None and due <= last and len(found) < most:
            found.append(due)
            due = self.fires.next_after(due)
        return found

    def coming(self, until: int, now: Instant) -> int:
        """By the calendar; a third party's is asked a thousand times at most."""
        return (
            0 if self.due is None else self.fires.count(self.done, until if self.end is None else min(until, self.end))
        )

    def copied(self, owner: "Entry") -> Timetable:
        """A third party's fault is told where it happens only."""
        twin = super().copied(owner)
        if isinstance(self.fires, AskedCalendar):
            twin.fires = copy(self.fires)  # type: ignore[attr-defined]
        return twin

    @property
    def fault(self) -> str:
        """What a third party's calendar has raised."""
        return self.fires.error if isinstance(self.fires, AskedCalendar) else ""

    def mark(self, boot_id: str) -> Mark:
        """The last time that fired."""
        return Mark(self.done, 0, boot_id, self.done)

    def first(self, now: Instant) -> int:
        """The time itself, without its jitter."""
        assert self.nominal is not None
        return self.nominal

    def take(self, now: Instant, wanted: int) -> tuple[list[int], int]:
        """The one that is due, or all up to now where more than one came."""
        assert self.nominal is not None
        self.fresh = False
        until = now.wall if self.end is None else min(now.wall, self.end)
        only, before = self.nominal, self.done
        following = self.fires.next_after(only)
        if following is None or following > until or self._delayed(following) > now.wall:
            self.done = only
            self._plan(following)
            return [only], 1
        labels = self._latest(before, until, wanted, now)
        count = max(self.fires.count(before, labels[-1]), len(labels))
        self.done = labels[-1]
        self._plan(self.fires.next_after(self.done))
        return labels, count

    def _latest(self, after: int, until: int, wanted: int, now: Instant) -> list[int]:
        """The latest of the times in (after, until] whose delay is over too, oldest first; there is one."""
        labels: list[int] = []
        found = self.fires.latest(after, until)
        if found is not None and self._delayed(found) > now.wall:
            found = self.fires.latest(after, found - 1)
        while found is not None and len(labels) < wanted:
            labels.append(found)
            found = self.fires.latest(after, found - 1)
        return labels[::-1] or [until]

    def _came_too_early(self, now: Instant) -> bool:
        """Whether the mark lies in a future that turned out wrong: where it stands for no fire; where it is a day ahead
        of the clock; or where it is hours ahead and more than one fire lies between, for a line that comes often would
        be silent so long. A line that came once is not fired again, however the clock is set within a day."""
        ahead = self.done - now.wall
        if ahead <= 0 or (self.start is not None and self.start > now.wall):
            return False
        if self.fresh or ahead > LONG_STEP:
            return True
        return ahead > SHORT_STEP and self.fires.count(now.wall, self.done) > 1

    def wall_stepped(self, now: Instant, back: bool) -> bool:
        """A mark that was taken too early no longer counts."""
        if not back:
            return False
        if self._came_too_early(now):
            self.done = now.wall
        self._plan(self.fires.next_after(self.done))
        return True

    def set_right(self, doubt: Doubt, now: Instant, boot_id: str) -> bool:
        """Go on from the mark that was taken before, where there is one; and begin anew where the clock was wrong by
        more than a day, for nothing was missed in a time that never was."""
        if doubt.before is not None and not doubt.fired:
            self.resume_from(doubt.before, now, boot_id)
        elif abs(now.wall - now.boot - doubt.offset) > LONG_STEP:
            self.begin(now)
        return True

    def miss_nothing(self, now: Instant) -> None:
        """Whatever came until now is over."""
        self.done = max(self.done, now.wall)
        self._plan(self.fires.next_after(self.done))
