"""A zone's stretches of constant offset."""

from datetime import UTC, datetime, timedelta, timezone, tzinfo
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from dms.background_tasks.triggers.zone_offsets import Stretch, ZoneOffsets, offsets_of

HOUR = 3600
BORDER = 400 << 22
CHANGE = BORDER - 600


class GoesBackBeforeTheBorder(tzinfo):
    """An hour back, ten minutes before one block ends and the next begins."""

    def utcoffset(self, moment):
        if moment is None:
            return None
        local = moment.replace(tzinfo=UTC).timestamp()
        return timedelta(hours=local < CHANGE or (local < CHANGE + HOUR and not moment.fold))

    def fromutc(self, moment):
        early = moment.replace(tzinfo=UTC).timestamp() < CHANGE
        return moment + timedelta(hours=1) if early else moment.replace(fold=1)


def second(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def offset_by_the_zone(zone: ZoneInfo, moment: int) -> int:
    return int(datetime.fromtimestamp(moment, UTC).astimezone(zone).utcoffset().total_seconds())


@pytest.mark.parametrize(
    ("zone", "year"),
    [
        ("America/Noronha", 2000),
        ("Asia/Gaza", 2054),  # two changes a week apart, as close as any
        ("Asia/Gaza", 2011),  # four in a year
        ("Africa/Casablanca", 2026),
        ("Pacific/Apia", 2011),
        ("Australia/Lord_Howe", 2025),
        ("Europe/Dublin", 1971),
    ],
)
def test_they_hold_every_change_that_the_zone_tells_hour_by_hour(zone, year):
    hours = range(second(f"{year}-01-01T00:30+00:00"), second(f"{year + 1}-01-01T00:30+00:00"), HOUR)
    offsets = ZoneOffsets(ZoneInfo(zone))

    assert [offset_by_the_zone(ZoneInfo(zone), at) for at in hours] == [offsets.at(at).offset for at in hours]


def test_a_change_is_known_to_the_second():
    before = offsets_of(ZoneInfo("Europe/Helsinki")).at(second("2026-03-29T00:59:59+00:00"))
    after = offsets_of(ZoneInfo("Europe/Helsinki")).at(second("2026-03-29T01:00:00+00:00"))

    assert (2 * HOUR, 3 * HOUR) == (before.offset, after.offset)
    assert (before.end, before.offset) == (after.start, after.before)


def test_whole_stretches_cover_a_span_without_a_seam():
    low, high = second("2026-01-05T00:00+00:00"), second("2028-01-01T00:00+00:00")
    found = list(ZoneOffsets(ZoneInfo("Europe/Helsinki")).between(low, high))

    assert [2, 3, 2, 3, 2] == [stretch.offset // HOUR for stretch in found]
    assert (low, high) == (found[0].start, found[-1].end)
    assert all(one.end == other.start and one.offset == other.before for one, other in pairwise(found))


def test_what_a_clock_had_shown_before_it_went_back_is_remembered():
    back = second("2026-10-25T01:00:00+00:00")
    stretch = ZoneOffsets(ZoneInfo("Europe/Helsinki")).at(back)

    assert (back, back + 3 * HOUR) == (stretch.start, stretch.shown)


def test_a_block_that_starts_in_the_second_pass_knows_of_the_first():
    border = ZoneOffsets(GoesBackBeforeTheBorder()).at(BORDER)

    assert Stretch(BORDER, border.end, 0, 0, CHANGE + HOUR) == border


def test_a_zone_that_never_changes_is_one_stretch():
    india = offsets_of(timezone(timedelta(hours=5, minutes=30)))

    assert india.at(0) == india.at(10**12)
    assert 5.5 * HOUR == india.at(0).offset


def test_many_centuries_do_not_fill_the_memory():
    offsets = ZoneOffsets(ZoneInfo("Europe/Helsinki"))
    list(offsets.between(0, second("2300-01-01T00:00+00:00")))

    assert len(offsets._blocks) <= 1024
