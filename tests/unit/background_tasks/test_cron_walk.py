"""The engine against a walk over every minute of days on which clocks change, written without a thought of speed."""

import calendar
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dms.background_tasks.cron import CronExpression
from dms.errors import InvalidCron
from dms.instant import from_datetime, to_datetime

MINUTE = timedelta(minutes=1)

# Each window starts the day before the change (UTC) and lasts four days.
WINDOWS = (
    ("Europe/Helsinki", "2026-03-28"),
    ("Europe/Helsinki", "2026-10-24"),
    ("America/New_York", "2025-03-08"),
    ("America/New_York", "2025-11-01"),
    ("Australia/Lord_Howe", "2025-04-04"),  # half an hour back
    ("Australia/Lord_Howe", "2025-10-03"),  # half an hour forward
    ("Europe/Dublin", "2025-03-29"),  # winter time is the one with (negative) daylight saving
    ("Europe/Dublin", "2025-10-25"),
    ("Africa/Casablanca", "2025-02-22"),  # back for Ramadan
    ("Africa/Casablanca", "2025-04-05"),  # and forth
    ("America/Santiago", "2025-09-06"),  # 00:00 to 00:59 does not exist
    ("America/Santiago", "2025-04-04"),  # 23:00 to 23:59 twice
    ("Africa/Cairo", "2025-04-24"),
    ("Africa/Cairo", "2025-10-30"),
    ("Atlantic/Azores", "2025-03-29"),
    ("Atlantic/Azores", "2025-10-25"),  # 01:00 back to midnight
    ("Pacific/Chatham", "2025-09-26"),  # 02:45 to 03:44
    ("Pacific/Chatham", "2025-04-04"),
    ("Pacific/Apia", "2011-12-28"),  # the 30th does not exist
    ("America/Havana", "2025-03-08"),
    ("America/Havana", "2025-11-01"),
    ("America/Nuuk", "2024-03-29"),  # 23:00 to 23:59, the gap ends at midnight
    ("Antarctica/Troll", "2025-03-29"),  # two hours
    ("Antarctica/Troll", "2025-10-25"),
    ("America/St_Johns", "2006-04-01"),  # 00:01 to 01:00
    ("America/St_Johns", "2006-10-28"),  # 00:01 back to 23:01 of the day before
    ("Asia/Pyongyang", "2018-05-03"),  # 23:30 to 23:59
    ("Pacific/Kwajalein", "1969-09-29"),  # 23 hours back
    ("Asia/Kolkata", "2026-02-26"),  # nothing at all
)

FIXED = (
    "0 2 * * *",
    "30 2 * * *",
    "30 1,2,3 * * *",
    "0 2-4 * * *",
    "30 23 * * *",
    "0 0 * * *",
    "15 0 * * *",
    "59 23 * * 6",
    "45 1 * * *",
    "30 2-22/4 * * *",
)
FOLLOWING = (
    "* * * * *",
    "*/30 2 * * *",
    "*/20 0 * * *",
    "0 * * * *",
    "30 * * * *",
    "5 */2 * * *",
    "*/15 2 * * sun",
    "* 23 30 * *",
    "45 * 30 12 *",
    "*/7 1-2 * * *",
)
DAYS = (
    "0 2 l * *",
    "0 0 lw * *",
    "30 2 * * sun#5",
    "30 2 * * 0l",
    "0 3 30w * *",
    "0 1 1-7 * sat",
    "0 1 */2 * sat",
    "0 0 l-1 * *",
    "10 2 28-1 * *",
    "*/30 1-3 25 10 *",
    "*/20 0-2 l 10 *",
    "* * * * fri#5",
    "0 3 * mar-apr fri-mon",
)
EXPRESSIONS = FIXED + FOLLOWING + DAYS


class Line(NamedTuple):
    """One expression as sets, read by other means than the engine's."""

    minutes: set[int]
    hours: set[int]
    day: str
    months: set[int]
    weekday: str
    fixed: bool

    def names(self, local: datetime) -> bool:
        return local.minute in self.minutes and local.hour in self.hours and self.fits(local.date())

    def fits(self, day: date) -> bool:
        if day.month not in self.months:
            return False
        by_day = any(_day_fits(part, day) for part in self.day.split(","))
        by_weekday = any(_weekday_fits(part, day) for part in self.weekday.split(","))
        if self.day[0] == "*" or self.weekday[0] == "*":
            return by_day and by_weekday
        return by_day or by_weekday

    def times_of(self, day: date) -> set[datetime]:
        if not self.fits(day):
            return set()
        return {datetime(day.year, day.month, day.day, h, m) for h in self.hours for m in self.minutes}


MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
WEEKDAYS = "sun mon tue wed thu fri sat".split()


def line_of(text: str) -> Line:
    minute, hour, day, month, weekday = text.split()
    months = numbers(month, range(1, 13), MONTHS)
    fixed = not minute.startswith("*") and not hour.startswith("*")
    return Line(numbers(minute, range(60)), numbers(hour, range(24)), day, months, weekday, fixed)


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


def makes_up(line: Line, gap: list[datetime]) -> bool:
    swallowed = {local for local in gap if line.names(local)}
    if line.fixed:
        return bool(swallowed)
    return any(line.times_of(day) <= swallowed for day in {local.date() for local in swallowed})


def span_of(start: str) -> tuple[int, int]:
    first = datetime.fromisoformat(start).replace(tzinfo=UTC)
    return from_datetime(first) - 1, from_datetime(first + timedelta(days=4)) - 1


def forwards(expression: CronExpression, after: int, until: int) -> list[datetime]:
    found = []
    at = expression.next_after(after)
    while at is not None and at <= until:
        found.append(to_datetime(at))
        at = expression.next_after(at)
    return found


def backwards(expression: CronExpression, after: int, until: int) -> list[datetime]:
    found = []
    at = expression.latest(after, until)
    while at is not None:
        found.append(to_datetime(at))
        at = expression.latest(after, at - 1)
    return found[::-1]


@pytest.mark.parametrize(("zone", "start"), WINDOWS)
def test_every_occurrence_around_a_change_of_the_clocks_is_where_the_walk_finds_it(zone, start):
    expected = {text: walk(line_of(text), zone, start) for text in EXPRESSIONS}

    assert expected == {text: forwards(CronExpression(text, ZoneInfo(zone)), *span_of(start)) for text in EXPRESSIONS}


@pytest.mark.parametrize(("zone", "start"), WINDOWS)
def test_going_backwards_finds_the_same_occurrences(zone, start):
    lines = {text: CronExpression(text, ZoneInfo(zone)) for text in EXPRESSIONS}
    expected = {text: forwards(line, *span_of(start)) for text, line in lines.items()}

    assert expected == {text: backwards(line, *span_of(start)) for text, line in lines.items()}


def test_the_windows_hold_the_changes_they_are_there_for():
    unchanged = [zone for zone, start in WINDOWS if len({local for _, local in clock_of(zone, start)}) == 5 * 1440
                 and not gaps_of(zone, start)]  # fmt: skip

    assert unchanged == ["Asia/Kolkata"]


def _values(low: int, high: int) -> st.SearchStrategy[str]:
    number = st.integers(low, high)
    step = st.integers(1, high - low + 1)
    return st.one_of(
        number.map(str),
        st.just("*"),
        step.map("*/{}".format),
        st.tuples(number, number).map("{0[0]}-{0[1]}".format),
        st.tuples(number, number, st.integers(1, 5)).map("{0[0]}-{0[1]}/{0[2]}".format),
    )


def _field(*parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(st.one_of(*parts), min_size=1, max_size=3).map(",".join)


_number = st.integers(0, 6)
lines = st.builds(
    "{} {} {} {} {}".format,
    _field(_values(0, 59)),
    _field(_values(0, 4), _values(0, 23)),
    st.one_of(st.just("*"), _field(_values(1, 31), st.sampled_from(["l", "lw", "l-1", "30w", "1w", "26w"]))),
    st.just("*"),
    st.one_of(st.just("*"), _field(_values(0, 6), _number.map("{}l".format), _number.map("{}#4".format))),
)


def read(text: str, zone: str) -> CronExpression:
    """The expression, unless it never fires; test_cron.py is about those."""
    try:
        return CronExpression(text, ZoneInfo(zone))
    except InvalidCron as refused:
        assume("never fires" not in str(refused))
        raise


@given(lines, st.sampled_from(WINDOWS))
def test_any_expression_fires_where_the_walk_finds_it(text, window):
    zone, start = window

    assert walk(line_of(text), zone, start) == forwards(read(text, zone), *span_of(start))


@given(lines, st.sampled_from(WINDOWS), st.integers(0, 4 * 1440), st.integers(0, 4 * 1440))
def test_count_and_latest_agree_with_the_occurrences_one_by_one(text, window, from_minute, to_minute):
    zone, start = window
    expression, low = read(text, zone), span_of(start)[0] + 1
    after, until = low + from_minute * 60_000_000, low + to_minute * 60_000_000
    found = forwards(expression, after, until)

    assert len(found) == expression.count(after, until)
    latest = expression.latest(after, until)
    assert (found[-1] if found else None) == (latest and to_datetime(latest))
