"""Moments and lengths of time, in and out."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dms.errors import InvalidDuration
from dms.instant import Instant, duration_text, from_datetime, microseconds, parse_duration, rfc3339, to_datetime


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("1h30m", timedelta(hours=1, minutes=30)),
        (" 250 ms ", timedelta(milliseconds=250)),
        ("1.5s", timedelta(seconds=1.5)),
        ("2w 1d", timedelta(days=15)),
        ("7us", timedelta(microseconds=7)),
        (0, timedelta(0)),
        (2.5, timedelta(seconds=2.5)),
        (timedelta(minutes=3), timedelta(minutes=3)),
    ],
)
def test_a_length_of_time_is_read(given: str | float | timedelta, expected: timedelta) -> None:
    assert expected == parse_duration(given)


@pytest.mark.parametrize(
    "given", ["", "5", "5 parsecs", "m", "-1s", -1, timedelta(-1), "1s later", True, None, [], float("nan"), 1e300]
)
def test_what_is_no_length_of_time_is_refused_by_name(given: object) -> None:
    with pytest.raises(InvalidDuration, match=r"^timeout: "):
        microseconds(given, "timeout")  # type: ignore[arg-type]


def test_a_length_of_more_than_a_hundred_years_is_refused() -> None:
    with pytest.raises(InvalidDuration, match="longer than a hundred years"):
        parse_duration("5300w")


@given(st.integers(0, 10**15))
def test_a_length_is_spelt_as_it_is_read(length: int) -> None:
    assert length == microseconds(duration_text(length))


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_moment_comes_back_as_it_was(moment: datetime) -> None:
    assert moment == to_datetime(from_datetime(moment))


def test_a_moment_is_the_same_in_whatever_offset_it_is_told() -> None:
    east = datetime(2026, 11, 25, 14, tzinfo=timezone(timedelta(hours=2)))
    assert from_datetime(datetime(2026, 11, 25, 12, tzinfo=UTC)) == from_datetime(east)


def test_a_moment_without_an_offset_is_refused() -> None:
    with pytest.raises(ValueError, match=r"2026-11-25T12:00:00 has no UTC offset; give one"):
        from_datetime(datetime(2026, 11, 25, 12))


def test_a_moment_is_told_with_its_offset_and_none_as_none() -> None:
    assert ["2026-11-25T12:00:00.000000+00:00", None] == [
        rfc3339(from_datetime(datetime(2026, 11, 25, 12, tzinfo=UTC))),
        rfc3339(None),
    ]


def test_what_lies_ahead_lies_ahead_on_both_clocks() -> None:
    assert Instant(105, 7) == Instant(103, 5).ahead(2)
