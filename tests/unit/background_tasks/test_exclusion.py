"""Calendars of times that are left out, against a walk minute by minute."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dms.background_tasks.triggers.exclusion import Calendar, Exclusion, why_unknown
from dms.errors import InvalidInput
from dms.instant import from_datetime, to_datetime

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def excluded_days(calendar, first, count):
    days = (datetime.fromisoformat(first).replace(tzinfo=UTC) + timedelta(day, hours=12) for day in range(count))
    return [f"{day:%m-%d}" for day in days if calendar.excludes(day)]


def test_a_date_is_left_out_whole():
    calendar = Calendar(dates=["2026-12-24"])
    moments = ["2026-12-23T23:59", "2026-12-24T00:00", "2026-12-24T23:59", "2026-12-25T00:00", "2027-12-24T12:00"]

    assert [False, True, True, False, False] == [
        calendar.excludes(datetime.fromisoformat(moment).replace(tzinfo=UTC)) for moment in moments
    ]


def test_a_date_without_a_year_is_left_out_each_year():
    calendar = Calendar(dates=["12-25", "02-29"])

    assert ["12-25"] == excluded_days(calendar, "2026-12-20", 10) == excluded_days(calendar, "2031-12-20", 10)
    assert ["02-29"] == excluded_days(calendar, "2028-02-27", 5)


def test_a_span_of_dates_is_left_out_from_its_first_day_to_its_last():
    assert ["12-30", "12-31", "01-01"] == excluded_days(Calendar(dates=["2026-12-30/2027-01-01"]), "2026-12-28", 7)


def test_weekdays_go_by_name_in_any_case():
    assert ["01-10", "01-11"] == excluded_days(Calendar(weekdays=["sat", "SUN"]), "2026-01-05", 7)


@pytest.mark.parametrize(
    ("window", "hours"),
    [("08:00-10:00", [8, 9]), ("22:00-02:00", [0, 1, 22, 23]), ("23:00-24:00", [23]), ("00:00-24:00", [*range(24)])],
)
def test_a_window_goes_from_its_first_time_to_before_its_second_and_over_midnight(window, hours):
    """quartznet/quartznet#1665: the first and the last moment of a day belonged to nothing."""
    calendar = Calendar(windows=[window])

    assert hours == [hour for hour in range(24) if calendar.excludes(MONDAY + timedelta(hours=hour))]
    assert hours == [hour for hour in range(24) if calendar.excludes(MONDAY + timedelta(hours=hour, minutes=59))]


def test_a_window_may_begin_and_end_within_an_hour():
    calendar = Calendar(windows=["08:30-10:15"])
    moments = [MONDAY + timedelta(minutes=minute) for minute in range(24 * 60) if minute % 5 == 0]
    found = [moment for moment in moments if calendar.excludes(moment)]

    assert [MONDAY + timedelta(hours=8, minutes=30), MONDAY + timedelta(hours=10, minutes=10)] == [found[0], found[-1]]


def test_days_and_times_are_those_of_the_calendars_own_zone():
    calendar = Calendar(windows=["22:00-06:00"], timezone="Asia/Tokyo")

    assert [13, 14, 15, 16, 17, 18, 19, 20] == [
        hour for hour in range(24) if calendar.excludes(MONDAY + timedelta(hours=hour))
    ]


def test_a_calendar_without_a_zone_takes_that_of_the_scheduler():
    calendars = {"nights": Calendar(windows=["22:00-06:00"])}
    at = from_datetime(MONDAY + timedelta(hours=14))

    assert ["", "nights"] == [Exclusion(calendars, zone).by(["nights"], at) for zone in (UTC, ZoneInfo("Asia/Tokyo"))]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"dates": ["24.12.2026"]}, "dates: '24.12.2026' is neither a date such as 2026-12-24"),
        ({"dates": ["2026-02-30"]}, "dates: '2026-02-30' is neither"),
        ({"dates": ["13-01"]}, "dates: '13-01' is neither"),
        ({"dates": ["2027-01-01/2026-01-01"]}, "dates: '2027-01-01/2026-01-01' ends before it begins"),
        ({"dates": "2026-12-24"}, "dates: '2026-12-24' is text; give a list, such as ['2026-12-24']"),
        ({"weekdays": ["weekend"]}, "weekdays: 'weekend' is none of mon, tue, wed, thu, fri, sat, sun"),
        ({"windows": ["22-6"]}, "windows: '22-6' is not a window of the day such as 22:00-06:00"),
        ({"windows": ["24:00-06:00"]}, "windows: '24:00-06:00'"),
        ({"windows": ["22:00-24:01"]}, "windows: '22:00-24:01'"),
        ({"windows": ["06:00-06:00"]}, "windows: '06:00-06:00'"),
        ({"timezone": "Mars"}, "timezone: 'Mars' is not a time zone"),
    ],
)
def test_what_can_not_be_read_is_refused_by_the_name_of_its_field(fields, message):
    with pytest.raises(InvalidInput) as caught:
        Calendar(**fields)
    assert str(caught.value).startswith(message)


def test_a_name_that_is_none_is_told_with_what_there_is():
    assert "no calendar is called 'holliday'; there are holiday, nights. Did you mean holiday?" == why_unknown(
        "holliday", ["nights", "holiday"]
    )
    assert "no calendar is called 'x'; there are none." == why_unknown("x", [])


zones = st.sampled_from(["UTC", "Europe/Helsinki", "America/Santiago", "Australia/Lord_Howe", "Africa/Cairo"])
minutes = st.integers(0, 1439).map(lambda minute: f"{minute // 60:02}:{minute % 60:02}")
windows = st.tuples(minutes, minutes).filter(lambda both: both[0] != both[1]).map("-".join)
calendars = st.builds(
    Calendar,
    windows=st.lists(windows, max_size=3),
    weekdays=st.lists(st.sampled_from(["sat", "sun", "mon"]), max_size=2),
    dates=st.lists(st.sampled_from(["2025-10-26", "04-25", "2025-09-06/2025-09-08"]), max_size=2),
    timezone=zones,
)
starts = st.sampled_from(["2025-10-25T18:00", "2025-04-24T12:00", "2025-09-06T12:00", "2025-04-05T06:00"])


@given(st.lists(calendars, min_size=1, max_size=2), starts, st.integers(0, 86_400))
def test_the_first_and_the_last_moment_that_is_free_are_those_of_a_walk(given, start, seconds):
    exclusion = Exclusion({str(number): calendar for number, calendar in enumerate(given)})
    names = list(exclusion.calendars)
    first = datetime.fromisoformat(start).replace(tzinfo=UTC) + timedelta(seconds=seconds)

    def free(moment):
        return not any(calendar.excludes(moment) for calendar in given)

    whole = first.replace(second=0)
    later = [first] + [whole + MINUTE * count for count in range(1, 4 * 1440)]
    earlier = [first] + [whole - timedelta(microseconds=1) - MINUTE * count for count in range(4 * 1440)]
    long_ago = from_datetime(first - timedelta(days=3650))
    for found, moments in (
        (exclusion.free_from(names, from_datetime(first)), later),
        (exclusion.free_until(names, from_datetime(first), long_ago), earlier),
    ):
        expected = next((moment for moment in moments if free(moment)), None)
        if expected is not None:
            assert expected == to_datetime(found)
        else:
            assert found is None or abs(to_datetime(found) - first) > timedelta(days=3)


def test_what_leaves_nothing_is_not_searched_for_without_end():
    every_day = Calendar(weekdays=["mon", "tue", "wed", "thu", "fri", "sat", "sun"])
    all_day = Calendar(windows=["00:00-12:00", "12:00-24:00"])

    for calendar in (every_day, all_day):
        exclusion = Exclusion({"never": calendar}, ZoneInfo("Europe/Helsinki"))
        assert exclusion.free_from(["never"], from_datetime(MONDAY)) is None
        assert exclusion.free_until(["never"], from_datetime(MONDAY), 0) is None


def test_the_last_moment_that_is_free_is_not_looked_for_before_the_first_that_counts():
    exclusion = Exclusion({"nights": Calendar(windows=["22:00-06:00"])})
    at = from_datetime(MONDAY + timedelta(hours=5))

    assert [None, at - 7 * 3_600_000_000 - 1] == [
        exclusion.free_until(["nights"], at, at - hours * 3_600_000_000) for hours in (6, 8)
    ]


def test_a_calendar_that_is_not_there_leaves_nothing_out():
    at = from_datetime(MONDAY)

    assert ("", at) == (Exclusion().by(["gone"], at), Exclusion().free_from(["gone"], at))


def test_calendars_of_the_same_times_are_equal():
    assert Calendar(weekdays=["sat"]) == Calendar(weekdays=["sat"])
    assert hash(Calendar(weekdays=["sat"])) == hash(Calendar(weekdays=["sat"]))
    assert Calendar(weekdays=["sat"]) != Calendar(weekdays=["sun"])
    assert Calendar(weekdays=["sat"]) != Calendar(weekdays=["sat"], timezone="Asia/Tokyo")
