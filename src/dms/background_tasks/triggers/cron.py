"""Cron expressions in a time zone: when one fires next, fired last, and how often between two moments.

Fields and calendar are read elsewhere (`cron_fields`, `cron_calendar`); here they meet a zone whose clocks go forward
and back. The rules are those of Debian's cron, crontab(5) and cron(8), with seconds and without its limit of three
hours:

- A line with fixed times (neither its minute nor its hour field starts with `*`) whose time is skipped runs once, at
  the first instant after the gap; a time that comes twice counts the first time only.
- Any other line follows the local clock: it skips the gap and fires in both passes. But where a gap swallows all
  times that a local day has, it runs once right after the gap, so that no day goes without a run.

Going through stretches of constant offset makes both rules short: within a stretch, local time is a plain sum.
"""

from datetime import tzinfo

from dms.background_tasks.triggers.cron_calendar import CronCalendar
from dms.background_tasks.triggers.cron_description import describe
from dms.background_tasks.triggers.cron_fields import is_reboot, read_fields, word_offset
from dms.background_tasks.triggers.zone_offsets import DAY, END, FIRST, Stretch, offsets_of
from dms.errors import InvalidCron
from dms.instant import SECOND

# Two offsets of a zone differ by less than this.
_MARGIN = 2 * DAY


class CronExpression:
    """A cron expression and the zone whose clock it follows. It never changes; equal text and zone are equal.

    Moments are whole microseconds since 1970, UTC. InvalidCron for a text that can't be read or that never fires.

    >>> from zoneinfo import ZoneInfo
    >>> nightly = CronExpression("30 2 * * *", ZoneInfo("Europe/Helsinki"))
    >>> nightly.next_after(0)
    1800000000
    >>> CronExpression("0 0 31 2 *", ZoneInfo("UTC"))
    Traceback (most recent call last):
    dms.errors.InvalidCron: "0 0 31 2 *" never fires: February has no 31st
    """

    __slots__ = ("_calendar", "_fixed", "_offsets", "is_reboot", "text", "zone")

    def __init__(self, text: str, zone: tzinfo) -> None:
        self.text = text
        self.zone = zone
        self.is_reboot = is_reboot(text)
        self._offsets = offsets_of(zone)
        self._fixed = False
        self._calendar: CronCalendar | None = None
        if not self.is_reboot:
            self._read()

    def _read(self) -> None:
        fields = read_fields(self.text)
        self._fixed = fields.fixed
        self._calendar = CronCalendar(fields)
        reason = self._calendar.why_never()
        if reason:
            days = len(self.text.split()) - 3
            raise InvalidCron(f'"{self.text}" never fires: {reason}', word_offset(self.text, days))

    @classmethod
    def parse(cls, text: str, zone: tzinfo) -> "CronExpression":
        """The expression of that text; the same as the constructor."""
        return cls(text, zone)

    def next_after(self, wall: int) -> int | None:
        """The first occurrence strictly after `wall`; None where none comes before year 9999."""
        calendar = self._calendar
        if calendar is None:
            return None
        second = max(wall // SECOND + 1, FIRST)
        while second < END:
            stretch = self._offsets.at(second)
            if second == stretch.start and self._runs_after_gap(calendar, stretch):
                return second * SECOND
            local = calendar.first_from(self._fresh(second, stretch))
            if local is None:
                return None
            found = local - stretch.offset
            if found < stretch.end:
                return found * SECOND if found < END else None
            second = _onwards(second, stretch.end, found)
        return None

    def latest(self, after: int, until: int) -> int | None:
        """The last occurrence in `(after, until]`, or None."""
        calendar = self._calendar
        low, second = max(after // SECOND + 1, FIRST), min(until // SECOND, END - 1)
        while calendar is not None and second >= low:
            stretch = self._offsets.at(second)
            local = calendar.last_until(second + stretch.offset)
            if local is not None and local >= self._fresh(stretch.start, stretch):
                found = local - stretch.offset
                return found * SECOND if found >= low else None
            if self._runs_after_gap(calendar, stretch):
                return stretch.start * SECOND if stretch.start >= low else None
            if local is None:
                return None
            second = _backwards(second, stretch.start, local - stretch.offset)
        return None

    def count(self, after: int, until: int) -> int:
        """How many occurrences lie in `(after, until]`; by arithmetic, however many they are."""
        calendar = self._calendar
        if calendar is None:
            return 0
        low, high = max(after // SECOND + 1, FIRST), min(until // SECOND + 1, END)
        return sum(self._count_in(calendar, stretch) for stretch in self._offsets.between(low, high))

    def description(self, place: str = "") -> str:
        """The expression in a few words for a task list, such as `03:00 daily, Helsinki` where `place` is Helsinki."""
        return describe(self.text, place)

    def _count_in(self, calendar: CronCalendar, stretch: Stretch) -> int:
        regular = calendar.count(self._fresh(stretch.start, stretch), stretch.end + stretch.offset)
        start = stretch.start + stretch.offset
        return regular + (self._runs_after_gap(calendar, stretch) and not calendar.count(start, start + 1))

    def _fresh(self, second: int, stretch: Stretch) -> int:
        """The first local time that may count, from `second` on."""
        local = second + stretch.offset
        return max(local, stretch.shown) if self._fixed else local

    def _runs_after_gap(self, calendar: CronCalendar, stretch: Stretch) -> bool:
        """Whether the start of the stretch makes up for times that its gap swallowed."""
        if stretch.before >= stretch.offset:
            return False
        low, high = stretch.start + stretch.before, stretch.start + stretch.offset
        if self._fixed:
            return calendar.count(low, high) > 0
        return any(_swallowed(calendar, day * DAY, low, high) for day in range(low // DAY, (high - 1) // DAY + 1))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CronExpression):
            return NotImplemented
        return self.text == other.text and self.zone == other.zone

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return f"CronExpression({self.text!r}, {self.zone!r})"


def _swallowed(calendar: CronCalendar, day: int, low: int, high: int) -> bool:
    """Whether the local day that starts at `day` has times, all of them in the gap `[low, high)`."""
    inside = calendar.count(max(day, low), min(day + DAY, high))
    return 0 < inside == calendar.count(day, day + DAY)


def _onwards(second: int, end: int, found: int) -> int:
    """From where to look on when the stretch of `second` ends, at `end`, before `found`, its next time.

    Right after `end` the clock may show again what it showed before; further on, nothing can come until near `found`.
    """
    return end if end - second < _MARGIN else max(end, found - _MARGIN)


def _backwards(second: int, start: int, found: int) -> int:
    return start - 1 if second - start < _MARGIN else min(start - 1, found + _MARGIN)
