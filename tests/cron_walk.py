"""Brute-force walks over the minutes, or the seconds, around a change of the clocks: what the cron engine is held
against. Written from the rules alone (crontab(5) and cron(8) of Debian, and that no local day in which a line has times
goes without a run), with nothing of the engine's, and without a thought of speed."""

import calendar
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import pairwise, product
from typing import NamedTuple
from zoneinfo import ZoneInfo

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


class Line(NamedTuple):
    """One expression as sets, read by other means than the engine's."""

    seconds: set[int]
    minutes: set[int]
    hours: set[int]
    day: str
    months: set[int]
    weekday: str
    fixed: bool

    def names(self, local: datetime) -> bool:
        if local.second not in self.seconds or local.minute not in self.minutes or local.hour not in self.hours:
            return False
        return self.fits(local.date())

    def fits(self, day: date) -> bool:
        if day.month not in self.months:
            return False
        return _both_fit(self.day, self.weekday, day)

    def times_of(self, day: date) -> set[datetime]:
        if not self.fits(day):
            return set()
        times = product(self.hours, self.minutes, self.seconds)
        return {datetime(day.year, day.month, day.day, *time) for time in times}


MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
WEEKDAYS = "sun mon tue wed thu fri sat".split()


def line_of(text: str) -> Line:
    second, minute, hour, day, month, weekday = ["0"] * (6 - len(text.split())) + text.split()
    months = numbers(month, range(1, 13), MONTHS)
    fixed = not minute.startswith("*") and not hour.startswith("*")
    seconds, minutes, hours = numbers(second, range(60)), numbers(minute, range(60)), numbers(hour, range(24))
    return Line(seconds, minutes, hours, day, months, weekday, fixed)


def numbers(field: str, domain: range, names: list[str] | None = None) -> set[int]:
    found: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        found |= set(around(first, last or first, domain, names)[:: int(step or 1)])
    return found


def around(first: str, last: str, domain: range, names: list[str] | None) -> list[int]:
    if first == "*":
        return list(domain)
    start, stop = (names.index(text) + domain[0] if names and text in names else int(text) for text in (first, last))
    ring = [*domain, *domain]
    start_at = domain.index(start)
    return ring[start_at : ring.index(stop, start_at) + 1]


@cache
def _both_fit(days: str, weekdays: str, day: date) -> bool:
    by_day = any(_day_fits(part, day) for part in days.split(","))
    by_weekday = any(_weekday_fits(part, day) for part in weekdays.split(","))
    if days[0] == "*" or weekdays[0] == "*":
        return by_day and by_weekday
    return by_day or by_weekday


def _day_fits(part: str, day: date) -> bool:
    last = calendar.monthrange(day.year, day.month)[1]
    if part == "lw" or part.endswith("w"):
        return day == _nearest_weekday(day, last if part == "lw" else int(part[:-1]), last)
    if part.startswith("l"):
        return day.day == last - int(part[2:] or 0)
    return day.day in numbers(part, range(1, 32))


def _nearest_weekday(month: date, wanted: int, last: int) -> date | None:
    if wanted > last:
        return None
    working = [day for day in range(1, last + 1) if month.replace(day=day).weekday() < 5]
    return month.replace(day=min(working, key=lambda day: abs(day - wanted)))


def _weekday_fits(part: str, day: date) -> bool:
    name, _, which = part.partition("#")
    if which:
        return day.isoweekday() % 7 in numbers(name, range(7), WEEKDAYS) and (day.day + 6) // 7 == int(which)
    if part[0] != "*" and part.endswith("l"):
        same = day.isoweekday() % 7 in numbers(part[:-1], range(7), WEEKDAYS)
        return same and (day + timedelta(7)).month != day.month
    return day.isoweekday() % 7 in numbers(part, range(7), WEEKDAYS)


@cache
def clock_of(zone: str, start: str) -> list[tuple[datetime, datetime]]:
    """Every minute of the window, in UTC and as the local clock shows it, from a day before it."""
    first = datetime.fromisoformat(start).replace(tzinfo=UTC) - timedelta(days=1)
    moments = (first + MINUTE * count for count in range(5 * 1440))
    return [(moment, moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None)) for moment in moments]


@cache
def gaps_of(zone: str, start: str) -> dict[datetime, list[datetime]]:
    """The local minutes that are skipped, by the moment right after them."""
    gaps = {}
    for (_, before), (moment, after) in pairwise(clock_of(zone, start)):
        skipped = (after - before) // MINUTE - 1
        if skipped > 0:
            gaps[moment] = [before + MINUTE * count for count in range(1, skipped + 1)]
    return gaps


def walk(line: Line, zone: str, start: str) -> list[datetime]:
    """Every occurrence of the window, found minute by minute from the rules as scheduling.md words them."""
    seen: set[datetime] = set()
    found = []
    gaps = gaps_of(zone, start)
    for moment, local in clock_of(zone, start):
        first_time = local not in seen
        seen.add(local)
        if (line.names(local) and (first_time or not line.fixed)) or makes_up(line, gaps.get(moment, [])):
            found.append(moment)
    return [moment for moment in found if moment >= datetime.fromisoformat(start).replace(tzinfo=UTC)]


@cache
def change_of(zone: str, start: str) -> datetime:
    """The first moment of the window at which the local clock makes a jump."""
    jumps = (moment for (_, before), (moment, after) in pairwise(clock_of(zone, start)) if after - before != MINUTE)
    return next(jumps)


@cache
def seconds_of(zone: str, start: str) -> list[tuple[datetime, datetime]]:
    """Every second from 40 minutes before the change to more than two hours after it, as the local clock shows it."""
    first = change_of(zone, start) - 40 * MINUTE
    return [(first + SECOND * count, (first + SECOND * count).astimezone(ZoneInfo(zone))) for count in range(10_200)]


def walk_seconds(line: Line, zone: str, start: str) -> list[datetime]:
    """The same second by second, for expressions of six fields too. What comes the second time the zone tells."""
    found = []
    for (_, before), (moment, after) in pairwise(seconds_of(zone, start)):
        local, last = after.replace(tzinfo=None, fold=0), before.replace(tzinfo=None, fold=0)
        named = line.names(local) and (not after.fold or not line.fixed)
        if named or (local - last > SECOND and makes_up(line, skipped_seconds(last, local))):
            found.append(moment)
    return found


def skipped_seconds(last: datetime, local: datetime) -> list[datetime]:
    return [last + SECOND * count for count in range(1, (local - last) // SECOND)]


def makes_up(line: Line, gap: list[datetime]) -> bool:
    swallowed = {local for local in gap if line.names(local)}
    if line.fixed:
        return bool(swallowed)
    return any(line.times_of(day) <= swallowed for day in {local.date() for local in swallowed})
