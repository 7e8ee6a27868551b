"""Cron expressions in zones: where others went wrong, the edges of time, and long spans."""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dms.background_tasks.triggers.cron import CronExpression
from dms.errors import InvalidCron
from dms.instant import from_datetime, to_datetime

HELSINKI = ZoneInfo("Europe/Helsinki")


def moment(text: str) -> int:
    return from_datetime(datetime.fromisoformat(text))


def times_after(expression: CronExpression, after: str, count: int) -> list[str]:
    """The next so many times, as the zone's clock shows them, to the minute (or second, where it is not 0)."""
    found = []
    at = moment(after)
    for _ in range(count):
        at = expression.next_after(at)
        local = to_datetime(at).astimezone(expression.zone)
        found.append(local.isoformat(timespec="seconds" if local.second else "minutes"))
    return found


def times(text: str, zone: str, after: str, count: int) -> list[str]:
    return times_after(CronExpression(text, ZoneInfo(zone)), after, count)


def test_an_evening_job_keeps_its_hour_after_the_autumn_change():
    """pallets-eco/croniter#25: the second result was an hour late."""
    expected = ["2022-10-30T20:00+01:00", "2022-10-31T20:00+01:00", "2022-11-01T20:00+01:00"]

    assert expected == times("0 20 * * *", "Europe/Paris", "2022-10-30T00:00+02:00", 3)


def test_a_nightly_job_whose_time_is_skipped_runs_once_right_after_the_gap():
    """robfig/cron#541: it did not run at all."""
    expected = ["2025-03-09T03:00-07:00", "2025-03-10T02:00-07:00", "2025-03-11T02:00-07:00"]

    assert expected == times("0 2 * * *", "America/Los_Angeles", "2025-03-08T12:00-08:00", 3)


def test_an_hourly_job_passes_through_the_repeated_hour_in_both_passes():
    """agronholm/apscheduler#1021: asking again and again gave the same instant."""
    expected = ["2017-10-29T03:30+03:00", "2017-10-29T03:30+02:00", "2017-10-29T04:30+02:00", "2017-10-29T05:30+02:00"]

    assert expected == times("30 * * * *", "Europe/Helsinki", "2017-10-29T03:00+03:00", 4)


def test_a_skipped_first_time_does_not_take_the_rest_of_the_day_with_it():
    """systemd/systemd#13745: the whole day was lost, not only the 02:30 that did not exist."""
    expected = ["2019-10-06T03:00+11:00", "2019-10-06T06:30+11:00", "2019-10-06T10:30+11:00"]

    assert expected == times("30 2-22/4 * * *", "Australia/Sydney", "2019-10-06T00:00+10:00", 3)


def test_with_both_day_fields_restricted_either_is_enough():
    """cronie-crond/cronie#191: Debian's rule, which surprises whoever hopes for the first Friday."""
    expected = ["2024-10-18T11:00+00:00", "2024-10-25T11:00+00:00", "2024-11-01T11:00+00:00", "2024-11-02T11:00+00:00"]

    assert expected == times("0 11 1-7 * FRI", "UTC", "2024-10-11T11:00+00:00", 4)


def test_with_a_star_at_the_start_of_a_day_field_both_must_fit():
    expected = ["2024-10-05T11:00+00:00", "2024-10-19T11:00+00:00", "2024-11-09T11:00+00:00"]

    assert expected == times("0 11 */2 * SAT", "UTC", "2024-10-01T00:00+00:00", 3)


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ("1996-02-29T09:00+00:00", "2000-02-29T09:00+00:00"),
        ("2016-02-29T09:00+00:00", "2020-02-29T09:00+00:00"),
        ("2096-02-29T09:00+00:00", "2104-02-29T09:00+00:00"),
    ],
)
def test_the_next_leap_day_is_found_over_a_century_too(after, expected):
    """taichino/croniter#55: a 29 February raised an error; and 2100 has none."""
    assert [expected] == times("0 9 29 2 *", "UTC", after, 1)


def test_a_minutely_job_counts_what_a_long_downtime_missed():
    """kubernetes/kubernetes#81557: after a hundred ticks missed it was refused for ever."""
    minutely = CronExpression("* * * * *", UTC)
    last, back = moment("2025-06-02T07:14:00+00:00"), moment("2025-06-02T09:06:30+00:00")

    assert 112 == minutely.count(last, back)
    assert moment("2025-06-02T09:06+00:00") == minutely.latest(last, back)
    assert moment("2025-06-02T09:07+00:00") == minutely.next_after(back)


def test_a_line_that_follows_the_clock_still_has_its_day_when_the_gap_swallows_all_its_times():
    expected = ["2026-03-28T03:45+02:00", "2026-03-29T04:00+03:00", "2026-03-30T03:00+03:00"]

    assert expected == times("*/15 3 * * *", "Europe/Helsinki", "2026-03-28T03:30+02:00", 3)


def test_a_line_that_follows_the_clock_skips_the_gap_where_the_day_has_other_times():
    expected = ["2026-03-29T02:59+02:00", "2026-03-29T04:00+03:00", "2026-03-29T04:01+03:00"]

    assert expected == times("* * * * *", "Europe/Helsinki", "2026-03-29T02:58+02:00", 3)


def test_several_fixed_times_in_one_gap_make_one_run():
    expected = ["2026-03-29T04:00+03:00", "2026-03-30T03:00+03:00", "2026-03-30T03:20+03:00"]

    assert expected == times("0,20 3 * * *", "Europe/Helsinki", "2026-03-29T00:00+02:00", 3)


def test_a_made_up_run_and_a_regular_one_at_the_same_instant_are_one():
    nightly = CronExpression("0 3,4 * * *", HELSINKI)
    day = moment("2026-03-28T23:59+02:00"), moment("2026-03-29T23:59+03:00")

    assert ["2026-03-29T04:00+03:00", "2026-03-30T03:00+03:00"] == times_after(nightly, "2026-03-29T00:00+02:00", 2)
    assert 1 == nightly.count(*day)
    assert moment("2026-03-29T04:00+03:00") == nightly.latest(*day)


def test_a_made_up_run_is_not_the_latest_after_itself():
    made_up, hour = moment("2026-03-29T04:00+03:00"), 3_600_000_000

    assert made_up == CronExpression("30 3 * * *", HELSINKI).latest(made_up - 1, made_up + hour)
    assert None is CronExpression("30 3 * * *", HELSINKI).latest(made_up, made_up + hour)


def test_a_gap_across_midnight_makes_up_for_each_of_its_days():
    class SkipsMidnight(tzinfo):
        """UTC, whose clocks went from 23:30 to 00:45 on the night of 4 June 2026, and stayed 75 minutes ahead."""

        change = datetime(2026, 6, 4, 23, 30)

        def utcoffset(self, moment):
            if moment is None:
                return None
            return timedelta(minutes=75 if moment.replace(tzinfo=None) >= self.change + timedelta(minutes=75) else 0)

        def fromutc(self, moment):
            return moment + timedelta(minutes=75 if moment.replace(tzinfo=None) >= self.change else 0)

    made_up = "2026-06-05T00:45+01:15"

    for text in ("*/30 0 * * *", "40 23 4 * *"):
        assert [made_up] == times_after(CronExpression(text, SkipsMidnight()), "2026-06-04T22:00+00:00", 1)


def test_half_an_hour_back_repeats_half_an_hour_only():
    expected = ["2025-04-06T01:45+11:00", "2025-04-06T01:45+10:30", "2025-04-06T02:45+10:30"]

    assert expected == times("45 * * * *", "Australia/Lord_Howe", "2025-04-06T00:50+11:00", 3)
    assert expected[:1] == times("45 1 * * *", "Australia/Lord_Howe", "2025-04-05T12:00+11:00", 1)
    assert ["2025-04-07T01:45+10:30"] == times("45 1 * * *", "Australia/Lord_Howe", expected[0], 1)


def test_a_day_that_a_country_skips_is_made_up_for_at_the_start_of_the_next():
    expected = ["2011-12-29T12:00-10:00", "2011-12-31T00:00+14:00", "2011-12-31T12:00+14:00"]

    assert expected == times("0 12 * * *", "Pacific/Apia", "2011-12-29T00:00-10:00", 3)


def test_a_gap_that_is_no_whole_number_of_minutes_is_left_at_its_very_end():
    """Liberia went from -00:44:30 to UTC on 7 January 1972."""
    expected = ["1972-01-07T00:44:30+00:00", "1972-01-08T00:20+00:00"]

    assert expected == times("20 0 * * *", "Africa/Monrovia", "1972-01-06T12:00+00:00", 2)


class TestSeconds:
    def test_they_come_first(self):
        expected = ["2026-01-01T03:05:10+00:00", "2026-01-01T03:05:40+00:00", "2026-01-02T03:05:10+00:00"]

        assert expected == times("10,40 5 3 * * *", "UTC", "2026-01-01T00:00+00:00", 3)

    def test_a_fixed_time_in_the_gap_runs_once_right_after_it(self):
        expected = ["2026-03-29T04:00+03:00", "2026-03-30T03:30:15+03:00"]

        assert expected == times("15 30 3 * * *", "Europe/Helsinki", "2026-03-29T00:00+02:00", 2)

    def test_a_fixed_time_that_comes_twice_runs_once(self):
        expected = ["2026-10-25T03:30:15+03:00", "2026-10-26T03:30:15+02:00"]

        assert expected == times("15 30 3 * * *", "Europe/Helsinki", "2026-10-25T00:00+03:00", 2)

    def test_every_second_goes_on_through_both_changes(self):
        each = CronExpression("* * * * * *", HELSINKI)

        for day in ("2026-03-29T00:00+00:00", "2026-10-25T00:00+00:00"):
            assert 86_400 == each.count(moment(day), moment(day) + 86_400_000_000)
            assert moment(day) + 1_000_000 == each.next_after(moment(day))

    def test_a_field_of_seconds_that_is_all_stars_leaves_a_line_fixed(self):
        burst = CronExpression("* 30 3 * * *", HELSINKI)

        assert 60 == burst.count(moment("2026-10-25T00:00+03:00"), moment("2026-10-26T00:00+02:00"))
        assert 1 == burst.count(moment("2026-03-29T00:00+02:00"), moment("2026-03-30T00:00+03:00"))


class TestSpecialDays:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("0 0 L * *", ["01-31", "02-28", "03-31"]),
            ("0 0 L-3 * *", ["01-28", "02-25", "03-28"]),
            ("0 0 LW * *", ["01-30", "02-27", "03-31"]),
            ("0 0 1W * *", ["01-01", "02-02", "03-02"]),
            ("0 0 1W 8 *", ["08-03"]),
            ("0 0 15W * *", ["01-15", "02-16", "03-16"]),
            ("0 0 31W * *", ["01-30", "03-31", "05-29"]),
            ("0 0 1,L * ?", ["01-01", "01-31", "02-01"]),
            ("0 0 * * 5L", ["01-30", "02-27", "03-27"]),
            ("0 0 ? * friL", ["01-30", "02-27", "03-27"]),
            ("0 0 * * MON#2", ["01-12", "02-09", "03-09"]),
            ("0 0 * * 4#5", ["01-29", "04-30", "07-30"]),
            ("0 0 * * 7#1,wed#1", ["01-04", "01-07", "02-01"]),
            ("0 0 1 jan-mar,nov-jan *", ["01-01", "02-01", "03-01", "11-01"]),
            ("0 0 30-2 * *", ["01-01", "01-02", "01-30", "01-31", "02-01"]),
            ("0 0 * 2 sat-mon", ["02-01", "02-02", "02-07", "02-08", "02-09"]),
            ("0 0 * 2 5-7/2", ["02-01", "02-06", "02-08"]),
        ],
    )
    def test_it_names_these_days_of_2026(self, text, expected):
        found = times(text, "UTC", "2025-12-31T23:59+00:00", len(expected))

        assert [f"2026-{day}T00:00+00:00" for day in expected] == found

    def test_a_fifth_monday_that_is_a_leap_day_is_awaited_for_decades(self):
        assert ["2044-02-29T00:00+00:00"] == times("0 0 */1 2 MON#5", "UTC", "2016-03-01T00:00+00:00", 1)

    def test_the_time_wraps_around_midnight(self):
        expected = ["2026-01-01T22:00+00:00", "2026-01-02T00:00+00:00", "2026-01-02T02:00+00:00"]

        assert expected == times("0 22-2/2 * * *", "UTC", "2026-01-01T03:00+00:00", 3)


class TestEdgesOfTime:
    def test_nothing_comes_from_the_year_9999_on(self):
        yearly = CronExpression("@yearly", HELSINKI)

        assert moment("9998-01-01T00:00+02:00") == yearly.next_after(moment("9997-06-01T00:00+00:00"))
        assert moment("9999-01-01T00:00+02:00") == yearly.next_after(moment("9998-06-01T00:00+00:00"))
        assert None is yearly.next_after(moment("9998-12-31T23:00+00:00"))
        assert None is yearly.next_after(1 << 62)
        assert None is CronExpression("@yearly", UTC).next_after(moment("9998-06-01T00:00+00:00"))

    def test_a_clock_that_stands_at_1970_or_before_is_served(self):
        hourly = CronExpression("@hourly", UTC)

        assert 3_600_000_000 == hourly.next_after(0)
        assert 0 == hourly.next_after(-1)
        assert -3_600_000_000 == hourly.next_after(-7_200_000_000)
        assert hourly.next_after(-(1 << 62)) is not None

    def test_the_answer_is_strictly_later_to_the_microsecond(self):
        minutely = CronExpression("* * * * *", UTC)

        assert 60_000_000 == minutely.next_after(59_999_999)
        assert 120_000_000 == minutely.next_after(60_000_000)
        assert None is minutely.latest(60_000_000, 60_000_000)
        assert 60_000_000 == minutely.latest(59_999_999, 60_000_000)

    def test_a_span_that_runs_backwards_holds_nothing(self):
        minutely = CronExpression("* * * * *", HELSINKI)

        assert 0 == minutely.count(10**15, 0)
        assert None is minutely.latest(10**15, 0)

    def test_a_span_beyond_all_time_is_counted_up_to_its_end(self):
        assert 2 * 365 == CronExpression("@daily", UTC).count(moment("9997-01-01T00:00+00:00") - 1, 1 << 62)

    def test_the_latest_leap_day_is_found_over_a_century(self):
        leap = CronExpression("0 9 29 2 *", HELSINKI)

        assert moment("2096-02-29T09:00+02:00") == leap.latest(0, moment("2104-02-29T08:59+02:00"))
        assert None is leap.latest(moment("2096-02-29T09:00+02:00"), moment("2104-02-29T08:59+02:00"))

    def test_the_latest_skips_months_without_such_a_day(self):
        last_days = CronExpression("0 0 31 * *", UTC)

        assert moment("2026-01-31T00:00+00:00") == last_days.latest(0, moment("2026-03-15T00:00+00:00"))

    def test_the_latest_of_a_day_gone_by_has_its_last_second(self):
        twice = CronExpression("10,40 5 3 * * *", UTC)

        assert moment("2026-01-01T03:05:40+00:00") == twice.latest(0, moment("2026-01-02T03:05:09+00:00"))
        assert moment("2026-01-02T03:05:10+00:00") == twice.latest(0, moment("2026-01-02T03:05:39+00:00"))
        assert moment("2026-01-02T03:05:40+00:00") == twice.latest(0, moment("2026-01-02T04:00:00+00:00"))


class TestLongSpans:
    @pytest.mark.parametrize(
        "zone", ["UTC", "Europe/Helsinki", "Africa/Casablanca", "Asia/Gaza", "Australia/Lord_Howe"]
    )
    @pytest.mark.parametrize("text", ["15 2 * * *", "*/20 0-3 l,15 * *", "30 1 * * sun#1"])
    def test_ten_years_are_counted_as_one_by_one(self, text, zone):
        expression = CronExpression(text, ZoneInfo(zone))
        after, until = moment("2020-02-29T12:34:56+00:00"), moment("2030-03-01T00:00:00+00:00")
        at, found = expression.next_after(after), 0
        while at is not None and at <= until:
            at, found = expression.next_after(at), found + 1

        assert found == expression.count(after, until)

    def test_ten_years_of_minutes_are_all_there(self):
        """A zone's year is as long as any other: what the spring loses the autumn gives."""
        after, until = moment("2026-01-01T00:00+02:00"), moment("2036-01-01T00:00+02:00")

        assert (until - after) // 60_000_000 == CronExpression("* * * * *", HELSINKI).count(after, until)

    @given(st.integers(0, 4 * 10**15), st.integers(0, 10**14))
    def test_the_parts_of_a_span_add_up(self, after, length):
        expression = CronExpression("*/7 1-3 * * 0,3", ZoneInfo("America/New_York"))
        middle, until = after + length // 3, after + length

        parts = expression.count(after, middle) + expression.count(middle, until)
        assert parts == expression.count(after, until)


class TestReboot:
    def test_it_has_no_calendar_times(self):
        reboot = CronExpression("@Reboot", HELSINKI)

        assert reboot.is_reboot
        assert (None, None, 0) == (reboot.next_after(0), reboot.latest(0, 10**16), reboot.count(0, 10**16))

    def test_any_other_expression_is_none(self):
        assert not CronExpression("@daily", HELSINKI).is_reboot


class TestNeverFires:
    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("0 0 31 2 *", "February has no 31st"),
            ("0 0 30 2 *", "February has no 30th"),
            ("0 0 30,31 feb *", "February has no 30th or 31st"),
            ("0 0 31 4,6 *", "April and June have no 31st"),
            ("0 0 31 2,4,6 *", "February, April and June have no 31st"),
            ("0 0 */30 2 mon#5", "no day of February fits both day fields"),
            ("0 0 */10 * 0#4", "no day of any month fits both day fields"),
            ("0 0 L-30 2 *", "no day of February fits both day fields"),
            ("0 0 30W 2 *", "no day of February fits both day fields"),
        ],
    )
    def test_it_is_refused_with_the_reason(self, text, reason):
        with pytest.raises(InvalidCron) as refused:
            CronExpression(text, UTC)

        assert (f'"{text}" never fires: {reason}', 4) == (str(refused.value), refused.value.offset)

    @pytest.mark.parametrize("text", ["0 0 31 2 1", "0 0 29 2 *", "0 0 31 2-3 *", "0 0 */31 2 *", "0 0 L-29 * *"])
    def test_what_fires_rarely_is_not(self, text):
        assert CronExpression(text, UTC).next_after(0) is not None

    def test_the_offset_counts_a_field_of_seconds_too(self):
        with pytest.raises(InvalidCron) as refused:
            CronExpression(" 0 0 0 31 2 *", UTC)

        assert 7 == refused.value.offset


class TestZones:
    def test_an_offset_is_a_zone_too(self):
        india = timezone(timedelta(hours=5, minutes=30))

        assert ["2026-01-01T03:00+05:30"] == times_after(
            CronExpression("0 3 * * *", india), "2026-01-01T00:00+05:30", 1
        )

    def test_a_zone_without_a_hash_will_do(self):
        class Unhashable(ZoneInfo):
            __hash__ = None  # type: ignore[assignment]

        expression = CronExpression("0 3 * * *", Unhashable("Europe/Helsinki"))

        assert ["2026-03-29T04:00+03:00"] == times_after(expression, "2026-03-29T00:00+02:00", 1)


def test_equal_text_and_zone_are_equal():
    assert CronExpression("0 3 * * *", HELSINKI) == CronExpression("0 3 * * *", HELSINKI)
    assert CronExpression("0 3 * * *", HELSINKI) != CronExpression("0 3 * * *", UTC)
    assert CronExpression("0 3 * * *", HELSINKI) != CronExpression("0 4 * * *", HELSINKI)
    assert 1 == len({CronExpression("@daily", UTC), CronExpression.parse("@daily", UTC)})


def test_the_page_on_cron_quotes_the_messages_as_they_are():
    page = (Path(__file__).resolve().parents[3] / "docs/reference/cron.md").read_text()
    quoted = re.findall(r"^\| `([^`]+)` \| (.+ at offset .+|never fires.+) \|$", page, re.MULTILINE)

    assert 5 == len(quoted)
    assert [] == [text for text, message in quoted if message not in refusal(text)]


def refusal(text: str) -> str:
    with pytest.raises(InvalidCron) as refused:
        CronExpression(text, UTC)
    return str(refused.value)
