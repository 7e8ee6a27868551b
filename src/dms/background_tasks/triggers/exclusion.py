"""Calendars of times that are left out: dates, weekdays, windows of the day. Pure.

A trigger names the calendars that it keeps to in its `exclude`; what counts is the moment that a fire is for, on the
local clock of the calendar's zone.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import TYPE_CHECKING

from dms.background_tasks.triggers.trigger import PeriodicTrigger, zone_of
from dms.errors import InvalidInput, did_you_mean
from dms.instant import SECOND, from_datetime, to_datetime

if TYPE_CHECKING:
    from dms.background_tasks.tasks.task import Task

_DAY_OF_YEAR = re.compile(r"\d\d-\d\d").fullmatch
_WINDOW = re.compile(r"(\d\d):([0-5]\d)-(\d\d):([0-5]\d)").fullmatch
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MINUTES = 1440
_LEAP_YEAR = "2024-"

LOOKS = 800
"""Edges of days and windows that are looked at for a moment that is not left out; years of days, and milliseconds."""


class Calendar:
    """Times that are left out: whatever lies on one of `dates` or `weekdays`, or in one of `windows`.

    A date is `2026-12-24`, `12-24` (each year) or `2026-12-24/2027-01-06`, both days included; a weekday `sat`; a
    window `22:00-06:00`, from the first time to before the second, over midnight where that is earlier. `timezone` is
    an IANA name or a `tzinfo`; None takes the scheduler's. InvalidInput names what can't be read, InvalidTrigger the
    zone.

    >>> Calendar(weekdays=["sat", "sun"]).excludes(datetime(2026, 11, 28, 9, tzinfo=UTC))
    True
    """

    __slots__ = ("_dates", "_days_of_year", "_weekdays", "_windows", "dates", "timezone", "weekdays", "windows")

    def __init__(
        self,
        *,
        dates: Iterable[str | date] = (),
        weekdays: Iterable[str] = (),
        windows: Iterable[str] = (),
        timezone: str | tzinfo | None = None,
    ) -> None:
        self.dates = tuple(str(each) for each in _listed(dates, "dates"))
        self.weekdays = tuple(str(each) for each in _listed(weekdays, "weekdays"))
        self.windows = tuple(str(each) for each in _listed(windows, "windows"))
        self.timezone = timezone
        zone_of(timezone)
        self._days_of_year = frozenset(_day_of_year(each) for each in self.dates if _DAY_OF_YEAR(each))
        self._dates = [_dates(each) for each in self.dates if not _DAY_OF_YEAR(each)]
        self._weekdays = frozenset(map(_weekday, self.weekdays))
        self._windows = list(map(_window, self.windows))

    def excludes(self, moment: datetime) -> bool:
        """Whether an aware moment is left out; where the calendar has no zone, by the clock that the moment shows."""
        return self.covers(moment.astimezone(zone_of(self.timezone)) if self.timezone is not None else moment)

    def covers(self, local: datetime) -> bool:
        """Whether a moment on the calendar's own clock is left out."""
        return self._covers_day(local.date()) or any(_is_in(local, *window) for window in self._windows)

    def _covers_day(self, day: date) -> bool:
        if day.weekday() in self._weekdays or (day.month, day.day) in self._days_of_year:
            return True
        return any(first <= day <= last for first, last in self._dates)

    def edge_after(self, local: datetime) -> datetime:
        """Of a local time that is left out: one after it, and not after the end of that."""
        ends = [] if self._covers_day(local.date()) else [end for _, end in self._windows if end > _minute(local)]
        return _at(local, min(ends, default=_MINUTES))

    def edge_before(self, local: datetime) -> datetime:
        """Of a local time that is left out: one not after it, and not before the beginning of that."""
        covered = self._covers_day(local.date())
        begins = [] if covered else [begin for begin, _ in self._windows if begin <= _minute(local)]
        return _at(local, max(begins, default=0))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Calendar) and self._told() == other._told()

    def __hash__(self) -> int:
        return hash(self._told())

    def _told(self) -> tuple[object, ...]:
        return self.dates, self.weekdays, self.windows, str(self.timezone)

    def __repr__(self) -> str:
        return f"<Calendar {', '.join((*self.dates, *self.weekdays, *self.windows)) or 'of nothing'}>"


class Exclusion:
    """The calendars that there are, by name; `zone` is for those that name none. All moments are wall microseconds."""

    __slots__ = ("calendars", "zone")

    def __init__(self, calendars: Mapping[str, Calendar] | None = None, zone: tzinfo = UTC) -> None:
        self.calendars, self.zone = dict(calendars or {}), zone

    def by(self, names: Sequence[str], wall: int) -> str:
        """The first of these calendars that leaves a moment out; empty where none does. One that is not there leaves
        nothing out."""
        for name in names:
            calendar = self.calendars.get(name)
            if calendar is not None and calendar.covers(self._local(calendar, wall)):
                return name
        return ""

    def free_from(self, names: Sequence[str], wall: int) -> int | None:
        """The first moment from `wall` on that none of them leaves out; None where years hold none."""
        for _ in range(LOOKS):
            name = self.by(names, wall)
            if not name:
                return wall
            edge = self._edge(self.calendars[name], wall, Calendar.edge_after)
            wall = edge if edge > wall else wall + 60 * SECOND  # a local time that comes twice has its edge behind it
        return None

    def free_until(self, names: Sequence[str], wall: int, since: int) -> int | None:
        """The last moment from `since` to `wall` that none of them leaves out; None where years hold none."""
        for _ in range(LOOKS):
            if wall < since:
                break
            name = self.by(names, wall)
            if not name:
                return wall
            wall = min(self._edge(self.calendars[name], wall, Calendar.edge_before), wall) - 1
        return None

    def _local(self, calendar: Calendar, wall: int) -> datetime:
        return to_datetime(wall).astimezone(zone_of(calendar.timezone) or self.zone)

    def _edge(self, calendar: Calendar, wall: int, edge: Callable[[Calendar, datetime], datetime]) -> int:
        return from_datetime(edge(calendar, self._local(calendar, wall)))


def why_missing(task: "Task", calendars: Mapping[str, object]) -> str:
    """What is wrong where a trigger of the task names a calendar that is not there; empty where none does."""
    for trigger in task.triggers:
        for name in trigger.exclude if isinstance(trigger, PeriodicTrigger) else ():
            if name not in calendars:
                return why_unknown(name, calendars)
    return ""


def why_unknown(name: str, calendars: Iterable[str]) -> str:
    """That no calendar goes by that name, and what there is."""
    known = sorted(calendars)
    there = f"there are {', '.join(known)}" if known else "there are none"
    return f"no calendar is called {name!r}; {there}.{did_you_mean(name, known)}"


def _listed(given: Iterable[object], what: str) -> list[object]:
    if isinstance(given, str):
        raise InvalidInput(f"{what}: {given!r} is text; give a list, such as [{given!r}]")
    return list(given)


def _day_of_year(text: str) -> tuple[int, int]:
    day = _date(f"{_LEAP_YEAR}{text}", text)
    return day.month, day.day


def _dates(text: str) -> tuple[date, date]:
    first, slash, last = text.partition("/")
    found = _date(first, text), _date(last if slash else first, text)
    if found[1] < found[0]:
        raise InvalidInput(f"dates: {text!r} ends before it begins")
    return found


def _date(text: str, whole: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidInput(
            f"dates: {whole!r} is neither a date such as 2026-12-24, nor one of each year such as 12-24, nor a span "
            "such as 2026-12-24/2027-01-06"
        ) from None


def _weekday(name: str) -> int:
    told = name.lower()
    if told not in _WEEKDAYS:
        raise InvalidInput(f"weekdays: {name!r} is none of {', '.join(_WEEKDAYS)}")
    return _WEEKDAYS.index(told)


def _window(text: str) -> tuple[int, int]:
    found = _WINDOW(text)
    hour, minute, end_hour, end_minute = (int(part) for part in found.groups()) if found else (99, 0, 99, 0)
    begin, end = hour * 60 + minute, end_hour * 60 + end_minute
    if begin >= _MINUTES or end > _MINUTES or begin == end:
        raise InvalidInput(f"windows: {text!r} is not a window of the day such as 22:00-06:00")
    return begin, end


def _is_in(local: datetime, begin: int, end: int) -> bool:
    minute = _minute(local)
    return begin <= minute < end if begin < end else minute >= begin or minute < end


def _minute(local: datetime) -> int:
    return local.hour * 60 + local.minute


def _at(local: datetime, minute: int) -> datetime:
    """That minute of the same local day; its last is the next day's first."""
    midnight = datetime.combine(local.date(), time(), local.tzinfo)
    return (midnight + timedelta(minutes=minute)).replace(fold=local.fold)
