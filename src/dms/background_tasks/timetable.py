"""How far each time trigger of a task has come: its anchor, its mark, its next time. Pure; the agenda owns them.

Intervals and delays count in boot time, so that a clock that is set changes nothing; calendars in wall time. What was
missed is counted, never enumerated.
"""

from datetime import UTC, tzinfo
from typing import TYPE_CHECKING, Any, ClassVar, Protocol
from zlib import crc32

from dms.background_tasks.asked_calendar import AskedCalendar
from dms.background_tasks.store import Mark
from dms.background_tasks.trigger import (
    EventTrigger,
    Mode,
    OneTimeTrigger,
    PeriodicTrigger,
    Trigger,
    cron_expression,
    zone_of,
)
from dms.instant import SECOND, Instant

if TYPE_CHECKING:
    from dms.background_tasks.entry import Entry

SHORT_STEP_BACK = 3 * 3_600 * SECOND
"""A clock that is set back by no more than this fires nothing again (the same three hours as in Debian's cron)."""

LONG_STEP_BACK = 86_400 * SECOND
"""A calendar's mark further ahead of the clock than this was taken in a future that turned out wrong."""

_NEVER_FIRED = -1


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


class Timetable:
    """One time trigger of one task. `due` is its next time on its own clock, None where nothing comes by itself."""

    __slots__ = ("due", "owner", "token")
    on_wall: ClassVar[bool] = False
    one_time: ClassVar[bool] = False

    def __init__(self, owner: "Entry") -> None:
        self.owner = owner
        self.due: int | None = None
        self.token = 0

    def begin(self, now: Instant) -> None:
        """It is new: what counts is what comes after `now`."""
        raise NotImplementedError

    def begin_again(self, now: Instant, boot_id: str) -> None:
        """It has come with another definition of a task that is there already, or the task is enabled again."""
        self.begin(now)

    def resume_from(self, mark: Mark, now: Instant, boot_id: str) -> None:
        """It goes on where it was when `mark` was kept."""
        raise NotImplementedError

    def mark(self, boot_id: str) -> Mark:
        """What has to be kept, so that it can go on after a restart."""
        raise NotImplementedError

    def take(self, now: Instant, wanted: int) -> tuple[list[int], int]:
        """It has come due: the wall times of the latest `wanted` fires that came, oldest first, and how many came."""
        raise NotImplementedError

    def first(self, now: Instant) -> int:
        """Of one that has come due: the wall time of the first fire that came."""
        assert self.due is not None
        return self.due if self.on_wall else self.due + now.wall - now.boot

    def between(self, start: int, end: int, most: int, now: Instant) -> list[int]:
        """The wall times in [start, end) at which it comes, or would have come as it is now: the first `most`."""
        return []

    def counts_from(self, now: Instant) -> int:
        """The wall time before which nothing ever came of it, as it is now; 0 where that is not known."""
        return 0

    @property
    def fault(self) -> str:
        """Why nothing comes of it any more, where that is not as it should be."""
        return ""

    def run_ended(self, now: Instant) -> bool:
        """A run of the task has ended; whether that gives the timetable a new time."""
        return False

    def wall_stepped_back(self, now: Instant) -> bool:
        """The wall clock was set back; whether that gives the timetable a new time."""
        return False


class IntervalTimetable(Timetable):
    """anchor + n * interval in boot time; `done` is the last n that fired. It is `opening` while the fire that
    `at_start` adds is still to come."""

    __slots__ = ("anchor", "anchor_boot", "done", "end", "interval", "jitter", "opening", "seed", "trigger")

    def __init__(self, owner: "Entry", trigger: PeriodicTrigger, seed: str) -> None:
        super().__init__(owner)
        self.trigger = trigger
        self.interval: int = trigger.interval or 1
        self.jitter, self.seed, self.end = trigger.jitter, seed, trigger.end

    def begin(self, now: Instant) -> None:
        """Anchor it at its `start`, or now."""
        start = self.trigger.start
        self._anchor(now.wall if start is None else start, now)
        self.done = max((now.boot - self.anchor_boot) // self.interval, _NEVER_FIRED)
        self._plan()
        self._open(now)

    def resume_from(self, mark: Mark, now: Instant, boot_id: str) -> None:
        """Boot time counts within one boot of the machine, the wall clock's phase after that."""
        self._anchor(mark.anchor, now)
        if mark.boot_id == boot_id:
            self.anchor_boot = mark.anchor_boot
        self.done = mark.done
        self._plan()
        lost = self.due is not None and self.due > now.boot + self.interval + self.jitter
        if lost and (self.trigger.start is None or self.trigger.start <= now.wall):
            self._anchor(now.wall, now)
            self.done = 0
            self._plan()
        self._open(now)

    def _open(self, now: Instant) -> None:
        self.opening = self.trigger.at_start
        if self.opening:
            self.due = now.boot

    def _anchor(self, wall: int, now: Instant) -> None:
        self.anchor, self.anchor_boot = wall, now.boot if wall == now.wall else now.boot + wall - now.wall

    def _plan(self) -> None:
        n = self.done + 1
        due = self.anchor_boot + n * self.interval
        if self.end is not None and self.anchor + n * self.interval > self.end:
            self.due = None
        else:
            self.due = due + self._delay(n) if self.jitter else due

    def _delay(self, n: int) -> int:
        return _jitter(self.seed, n, min(self.jitter, self.interval))

    def mark(self, boot_id: str) -> Mark:
        """Its anchor on both clocks and the last n."""
        return Mark(self.anchor, self.anchor_boot, boot_id, self.done)

    def take(self, now: Instant, wanted: int) -> tuple[list[int], int]:
        """Every n up to now, and then the fire that `at_start` adds."""
        last = max((now.boot - self.anchor_boot) // self.interval, self.done)
        if self.jitter and last > self.done and self.anchor_boot + last * self.interval + self._delay(last) > now.boot:
            last -= 1
        if self.end is not None:
            last = max(min(last, (self.end - self.anchor) // self.interval), self.done)
        count = last - self.done
        to_wall = self.anchor_boot + now.wall - now.boot
        first = last - min(count, wanted) + 1
        labels = [to_wall + n * self.interval for n in range(first, last + 1)]
        self.done = last
        self._plan()
        if self.opening:
            self.opening = False
            return [*labels, now.wall][-wanted:], count + 1
        return labels, count

    def between(self, start: int, end: int, most: int, now: Instant) -> list[int]:
        """Its phase goes on backwards, to before the task was there."""
        zero = self._zero(now)
        if self.trigger.start is not None:
            start = max(start, self.trigger.start)
        first = zero - (zero - start) // self.interval * self.interval
        times = range(first, end if self.end is None else min(end, self.end + 1), self.interval)
        return list(times[:most])

    def counts_from(self, now: Instant) -> int:
        """Its anchor, which is a fire itself where it is a `start`."""
        return self._zero(now) + (self.trigger.start is None)

    def _zero(self, now: Instant) -> int:
        return self.anchor_boot + now.wall - now.boot


class DelayTimetable(IntervalTimetable):
    """An interval from the end of the last run."""

    __slots__ = ()

    def between(self, start: int, end: int, most: int, now: Instant) -> list[int]:
        """None: each depends on the run before it."""
        return []

    def take(self, now: Instant, wanted: int) -> tuple[list[int], int]:
        """One fire, and none until its run has ended."""
        assert self.due is not None
        label = self.due + now.wall - now.boot
        self.due, self.opening = None, False
        self.done = max(self.done + 1, 0)
        return [label][:wanted], 1

    def run_ended(self, now: Instant) -> bool:
        """Count anew from now."""
        self._anchor(now.wall, now)
        self.done = 0
        self._plan()
        return self.due is not None


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
        return nominal + _jitter(self.seed, nominal, room)

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
        if self.fresh or ahead > LONG_STEP_BACK:
            return True
        return ahead > SHORT_STEP_BACK and self.fires.count(now.wall, self.done) > 1

    def wall_stepped_back(self, now: Instant) -> bool:
        """A mark that was taken too early no longer counts."""
        if self._came_too_early(now):
            self.done = now.wall
        self._plan(self.fires.next_after(self.done))
        return True


class MomentTimetable(Timetable):
    """Once, at a moment of the wall clock; never too late."""

    __slots__ = ("at", "done")
    on_wall = True
    one_time = True

    def __init__(self, owner: "Entry", at: int) -> None:
        super().__init__(owner)
        self.at, self.done = at, 0

    def begin(self, now: Instant) -> None:
        """Due at its moment, however long ago that was."""
        self.due = None if self.done else self.at

    def resume_from(self, mark: Mark, now: Instant, boot_id: str) -> None:
        """Due, unless it has fired."""
        self.done = mark.done
        self.begin(now)

    def mark(self, boot_id: str) -> Mark:
        """Whether it has fired."""
        return Mark(self.at, 0, boot_id, self.done)

    def between(self, start: int, end: int, most: int, now: Instant) -> list[int]:
        """Its moment."""
        return [self.at][:most] if start <= self.at < end else []

    def take(self, now: Instant, wanted: int) -> tuple[list[int], int]:
        """Its one fire."""
        self.done, self.due = 1, None
        return [self.at][:wanted], 1


class OnceTimetable(Timetable):
    """Once, a delay after its anchor in boot time."""

    __slots__ = ("anchor", "anchor_boot", "delay", "done")
    one_time = True

    def __init__(self, owner: "Entry", delay: int) -> None:
        super().__init__(owner)
        self.delay, self.done = delay, 0

    def begin(self, now: Instant) -> None:
        """Count from now."""
        self.anchor, self.anchor_boot = now.wall, now.boot
        self.due = None if self.done else now.boot + self.delay

    def resume_from(self, mark: Mark, now: Instant, boot_id: str) -> None:
        """Due, unless it has fired; boot time counts within one boot of the machine, the wall clock after that,
        but never for longer than the delay."""
        self.done = mark.done
        self.anchor, self.anchor_boot = mark.anchor, now.boot + mark.anchor - now.wall
        if mark.boot_id == boot_id:
            self.anchor_boot = mark.anchor_boot
        if not self.done:
            self.due = min(self.anchor_boot, now.boot) + self.delay

    def mark(self, boot_id: str) -> Mark:
        """Its anchor, and whether it has fired."""
        return Mark(self.anchor, self.anchor_boot, boot_id, self.done)

    def between(self, start: int, end: int, most: int, now: Instant) -> list[int]:
        """When it is over, or was."""
        at = self.anchor_boot + self.delay + now.wall - now.boot
        return [at][:most] if start <= at < end else []

    def take(self, now: Instant, wanted: int) -> tuple[list[int], int]:
        """Its one fire."""
        assert self.due is not None
        label = self.due + now.wall - now.boot
        self.done, self.due = 1, None
        return [label][:wanted], 1


class RebootTimetable(Timetable):
    """Once for each boot of the machine."""

    __slots__ = ("boot_id",)

    def begin(self, now: Instant) -> None:
        """Due at once."""
        self.boot_id = ""
        self.due = now.boot

    def begin_again(self, now: Instant, boot_id: str) -> None:
        """The machine had started before that."""
        self.boot_id, self.due = boot_id, None

    def resume_from(self, mark: Mark, now: Instant, boot_id: str) -> None:
        """Due, unless it has fired in this boot."""
        self.boot_id = mark.boot_id if mark.done else ""
        self.due = None if self.boot_id == boot_id else now.boot

    def mark(self, boot_id: str) -> Mark:
        """In which boot it fired last."""
        return Mark(0, 0, boot_id if self.due is None else self.boot_id, int(self.due is None))

    def take(self, now: Instant, wanted: int) -> tuple[list[int], int]:
        """Its one fire of this boot."""
        self.due = None
        return [now.wall][:wanted], 1


def timetable_of(owner: "Entry", trigger: Trigger, zone: tzinfo, seed: str) -> Timetable | None:
    """The timetable of a trigger; None where it has no times of its own (an event, a polled third party)."""
    if isinstance(trigger, OneTimeTrigger):
        return OnceTimetable(owner, trigger.delay) if trigger.at is None else MomentTimetable(owner, trigger.at)  # type: ignore[arg-type]
    if isinstance(trigger, PeriodicTrigger):
        return _periodic(owner, trigger, zone, seed)
    if isinstance(trigger, EventTrigger) or not callable(getattr(trigger, "next_after", None)):
        return None
    return CalendarTimetable(owner, AskedCalendar(trigger.next_after, zone), seed)  # type: ignore[attr-defined]


def _periodic(owner: "Entry", trigger: PeriodicTrigger, zone: tzinfo, seed: str) -> Timetable:
    if trigger.cron is None:
        kind = DelayTimetable if trigger.mode is Mode.FIXED_DELAY else IntervalTimetable
        return kind(owner, trigger, seed)
    expression = cron_expression(trigger.cron, zone_of(trigger.timezone) or zone or UTC)
    return RebootTimetable(owner) if expression.is_reboot else CalendarTimetable(owner, expression, seed, trigger)


def _jitter(seed: str, occurrence: int, room: int) -> int:
    """A stable share of `room`, the same for the same occurrence."""
    return crc32(f"{seed}:{occurrence}".encode()) * room >> 32
