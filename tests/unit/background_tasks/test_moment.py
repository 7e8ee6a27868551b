"""Moments as people write them."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from dms.background_tasks.triggers.moment import wall_of
from dms.errors import InvalidTrigger
from dms.instant import to_datetime

BERLIN = ZoneInfo("Europe/Berlin")


def test_an_aware_datetime_is_taken_as_it_is() -> None:
    moment = datetime(2026, 12, 24, 18, tzinfo=BERLIN)
    assert moment == to_datetime(wall_of(moment, "at"))


def test_text_with_an_offset_needs_no_zone() -> None:
    assert datetime(2026, 12, 24, 16, tzinfo=UTC) == to_datetime(wall_of("2026-12-24T18:00+02:00", "at"))


def test_text_without_an_offset_is_read_in_the_zone_and_never_in_the_hosts() -> None:
    """agronholm/apscheduler#133: a moment was read in one zone and filed in another."""
    assert datetime(2026, 12, 24, 17, tzinfo=UTC) == to_datetime(wall_of("2026-12-24T18:00", "at", BERLIN))


def test_a_time_that_the_clocks_skip_means_the_end_of_the_gap() -> None:
    assert datetime(2026, 3, 29, 1, tzinfo=UTC) == to_datetime(wall_of("2026-03-29T02:30", "at", BERLIN))


def test_a_time_that_comes_twice_means_the_first() -> None:
    assert datetime(2026, 10, 25, 0, 30, tzinfo=UTC) == to_datetime(wall_of("2026-10-25T02:30", "at", BERLIN))


@pytest.mark.parametrize(
    ("given", "zone", "why"),
    [
        ("2026-12-24T18:00", None, "at: 2026-12-24T18:00:00 has neither a UTC offset nor a timezone beside it"),
        ("soon", BERLIN, "at: 'soon' is not a moment such as 2026-12-24T18:00"),
        (5, BERLIN, "at: 5 is not a moment such as 2026-12-24T18:00"),
        ("9999-12-31T23:59", ZoneInfo("America/New_York"), "at: 9999-12-31T23:59 lies outside the years that a cal"),
        ("0001-01-01T00:00", ZoneInfo("Asia/Tokyo"), "at: 0001-01-01T00:00 lies outside the years that a calendar"),
    ],
)
def test_what_is_no_moment_is_refused_by_name(given: str, zone: ZoneInfo | None, why: str) -> None:
    with pytest.raises(InvalidTrigger) as refused:
        wall_of(given, "at", zone)
    assert why == str(refused.value)[: len(why)]
