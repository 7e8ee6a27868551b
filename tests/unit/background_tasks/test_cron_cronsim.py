"""The engine against cronsim, where cronsim is right.

Left out are its known faults: a sixth field or half an hour's change at daylight saving, and a day whose only times
fall in the gap.
"""

from datetime import UTC, datetime
from itertools import islice
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from hypothesis import assume, given
from hypothesis import strategies as st

from dms.background_tasks.triggers.cron import CronExpression
from dms.errors import InvalidCron
from dms.instant import from_datetime, to_datetime

ZONES = ["UTC", "Europe/Helsinki", "America/New_York", "Asia/Tokyo", "America/Sao_Paulo", "Australia/Sydney"]


def part(low: int, high: int) -> st.SearchStrategy[str]:
    number = st.integers(low, high)
    pair = st.lists(number, min_size=2, max_size=2, unique=True).map(sorted)
    return st.one_of(
        number.map(str),
        pair.map("{0[0]}-{0[1]}".format),
        st.tuples(pair, st.integers(1, 7)).map(lambda both: "{0[0]}-{0[1]}/{1}".format(*both)),
    )


def field(low: int, high: int, *special: str) -> st.SearchStrategy[str]:
    parts = st.one_of(part(low, high), st.sampled_from(special)) if special else part(low, high)
    some = st.lists(parts, min_size=1, max_size=3).map(",".join)
    return st.one_of(st.just("*"), st.integers(2, 5).map("*/{}".format), some)


expressions = st.tuples(
    field(0, 59),
    field(0, 23),
    field(1, 31, "L", "LW"),
    field(1, 12, "feb", "jan-mar"),
    field(0, 6, "5L", "mon#2", "fri"),
)
starts = st.datetimes(datetime(1990, 1, 1), datetime(2060, 1, 1)).map(lambda moment: moment.replace(microsecond=0))


def ours(text: str, start: datetime, zone: ZoneInfo, count: int) -> list[datetime]:
    expression, found = CronExpression(text, zone), []
    at = expression.next_after(from_datetime(start))
    while at is not None and len(found) < count:
        found.append(to_datetime(at))
        at = expression.next_after(at)
    return found


@given(expressions, starts, st.sampled_from(ZONES))
def test_the_next_times_are_those_of_cronsim(fields, start, zone):
    minute, hour, *_ = fields
    assume(not minute.startswith("*") or hour == "*" or zone in ("UTC", "Asia/Tokyo"))
    text, start = " ".join(fields), start.replace(tzinfo=UTC).astimezone(ZoneInfo(zone))
    try:
        theirs = CronSim(text, start)
    except CronSimError:
        assume(False)

    expected = [moment.astimezone(UTC) for moment in islice(theirs, 12)]
    assert expected == ours(text, start, ZoneInfo(zone), len(expected))


@given(expressions)
def test_what_never_fires_for_cronsim_is_refused(fields):
    text = " ".join(fields)
    try:
        found = next(CronSim(text, datetime(2000, 1, 1)), None)
    except CronSimError:
        found = None
    try:
        next_time = CronExpression(text, UTC).next_after(from_datetime(datetime(2000, 1, 1, tzinfo=UTC)))
    except InvalidCron:
        next_time = None

    assert (found is None) == (next_time is None)
