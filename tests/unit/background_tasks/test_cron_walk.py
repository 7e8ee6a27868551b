"""The engine against a walk over every minute, and every second, of days on which clocks change: see cron_walk.py."""

from datetime import UTC, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cron_walk import clock_of, gaps_of, line_of, seconds_of, walk, walk_seconds
from dms.background_tasks.triggers.cron import CronExpression
from dms.errors import InvalidCron
from dms.instant import from_datetime, to_datetime

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
    ("America/St_Johns", "2025-03-08"),
    ("America/St_Johns", "2025-11-01"),
    ("Asia/Beirut", "2025-03-28"),  # 00:00 to 00:59
    ("Asia/Beirut", "2025-10-24"),  # midnight back to 23:00 of the day before
    ("Asia/Gaza", "2025-04-11"),
    ("Asia/Tehran", "2022-03-20"),  # 00:00 to 00:59, the last time there
    ("Europe/Berlin", "2025-03-29"),
    ("Europe/Berlin", "2025-10-25"),
    ("Asia/Pyongyang", "2018-05-03"),  # 23:30 to 23:59
    ("Pacific/Kwajalein", "1969-09-29"),  # 23 hours back
    ("Asia/Kolkata", "2026-02-26"),  # nothing at all
)

CHANGING = tuple(window for window in WINDOWS if window[0] != "Asia/Kolkata")

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


def drawn(random: Random) -> str:
    """A line of five fields whose hours are mostly those at which clocks change."""
    minute, hour = (random.choice(_drawn_part(random, top)) for top in (59, 23))
    day = random.choice(["*", "*", "*/2", "l", f"{random.randint(1, 28)}-31", "1-7", "lw"])
    weekday = random.choice(["*", "*", "*", "fri-mon", f"{random.randint(0, 6)}#4", "sat,sun", "*/2"])
    return f"{minute} {hour} {day} * {weekday}"


def _drawn_part(random: Random, top: int) -> list[str]:
    early, some = random.randint(0, 3), random.randint(0, top)
    return ["*", f"*/{random.randint(2, 40) if top > 40 else early + 1}", f"{some}", f"{early}-{early + 2}",
            f"{early},{some}", f"{some}-{early}", f"0-{top}/{early + 2}", f"{top},{early}"]  # fmt: skip


_random = Random(2026)
DRAWN = tuple(drawn(_random) for _ in range(10))
EXPRESSIONS = FIXED + FOLLOWING + DAYS + DRAWN

SECONDS = (
    "*/10 * * * * *",
    "30 30 2 * * *",
    "*/15 30 0,1,2,3 * * *",
    "0,59 0 0 * * *",
    "5 */7 * * * *",
    "*/20 * 0,2 * * *",
    "15,45 59 23 * * *",
    "50-9 0-1 0-4 * * sat-mon",
)


def span_of(start: str) -> tuple[int, int]:
    first = datetime.fromisoformat(start).replace(tzinfo=UTC)
    return from_datetime(first) - 1, from_datetime(first + timedelta(days=4)) - 1


def seconds_span(zone: str, start: str) -> tuple[int, int]:
    first, last = seconds_of(zone, start)[0][0], seconds_of(zone, start)[-1][0]
    return from_datetime(first), from_datetime(last)


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


@pytest.mark.parametrize(("zone", "start"), CHANGING)
def test_every_second_around_a_change_of_the_clocks_is_where_the_walk_finds_it(zone, start):
    lines = {text: CronExpression(text, ZoneInfo(zone)) for text in SECONDS}
    expected = {text: walk_seconds(line_of(text), zone, start) for text in SECONDS}

    assert expected == {text: forwards(line, *seconds_span(zone, start)) for text, line in lines.items()}


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


six_fields = st.builds(
    "{} {} {} * * *".format,
    _field(_values(0, 59)),
    _field(_values(0, 59)),
    _field(_values(0, 4), _values(0, 23)),
)


@given(six_fields, st.sampled_from(CHANGING))
def test_any_expression_with_seconds_fires_where_the_walk_finds_it(text, window):
    zone, start = window
    expression, span = read(text, zone), seconds_span(zone, start)
    expected = walk_seconds(line_of(text), zone, start)

    assert expected == forwards(expression, *span)
    assert len(expected) == expression.count(*span)
    latest = expression.latest(*span)
    assert (expected[-1] if expected else None) == (latest and to_datetime(latest))
