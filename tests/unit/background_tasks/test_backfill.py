"""Which fires lie in a span of the past."""

from datetime import UTC, datetime

import hypothesis.strategies as st
import pytest
from hypothesis import given

from dms.background_tasks.agenda.agenda import MOST_BACKFILLED
from dms.background_tasks.agenda.backfill import past_fires
from dms.background_tasks.agenda.entry import Entry
from dms.background_tasks.tasks.task import Task
from dms.background_tasks.times.timetables import timetable_of
from dms.background_tasks.triggers.exclusion import Calendar, Exclusion
from dms.background_tasks.triggers.trigger import OneTimeTrigger, PeriodicTrigger
from dms.errors import InvalidInput
from dms.instant import Instant, from_datetime, microseconds, to_datetime

HOUR = microseconds("1h")


def wall(text):
    return from_datetime(datetime.fromisoformat(text + "+00:00"))


NOW = Instant(wall("2026-01-05T12:30"), 50 * HOUR)


def fires(triggers, since, until, now=NOW, **calendars):
    entry = Entry(Task("job", print), 1, False)
    timetables = [timetable_of(entry, trigger, UTC, "") for trigger in triggers]
    for timetable in timetables:
        timetable.begin(NOW)
    found = past_fires(timetables, wall(since), wall(until), now, Exclusion(calendars))
    return [to_datetime(due).strftime("%dT%H:%M") for due in found]


@pytest.mark.parametrize(
    ("trigger", "expected"),
    [
        (PeriodicTrigger(cron="0 3 * * *"), ["03T03:00", "04T03:00"]),
        (PeriodicTrigger(cron="0 3 * * *", start="2026-01-04T00:00+00:00"), ["04T03:00"]),
        (PeriodicTrigger(cron="0 3 * * *", end="2026-01-03T03:00+00:00"), ["03T03:00"]),
        (PeriodicTrigger("20h"), ["03T00:30", "03T20:30", "04T16:30"]),
        (PeriodicTrigger("20h", start="2026-01-04T00:00+00:00"), ["04T00:00", "04T20:00"]),
        (PeriodicTrigger("20h", start="2026-01-04T00:00+00:00", end="2026-01-04T12:00+00:00"), ["04T00:00"]),
        (PeriodicTrigger("20h", mode="fixed_delay"), []),
        (PeriodicTrigger(cron="@reboot"), []),
        (OneTimeTrigger(at="2026-01-03T01:00", timezone="UTC"), ["03T01:00"]),
        (OneTimeTrigger(at="2026-01-05T01:00", timezone="UTC"), []),
    ],
)  # fmt: skip
def test_a_span_holds_the_fires_of_a_trigger(trigger, expected):
    assert expected == fires([trigger], "2026-01-03T00:00", "2026-01-05T00:00")


def test_the_end_of_a_span_is_the_beginning_of_the_next():
    daily = PeriodicTrigger(cron="0 0 * * *")
    assert ["03T00:00"] == fires([daily], "2026-01-03T00:00", "2026-01-04T00:00")
    assert ["04T00:00"] == fires([daily], "2026-01-04T00:00", "2026-01-05T00:00")


def test_a_fire_of_two_triggers_is_one():
    triggers = [PeriodicTrigger(cron="0 3 * * *"), PeriodicTrigger(cron="0 */3 * * *")]
    assert ["03T03:00", "03T06:00"] == fires(triggers, "2026-01-03T03:00", "2026-01-03T09:00")


def test_a_once_that_is_over_is_a_fire_of_the_past():
    later = NOW.ahead(3 * HOUR)
    assert ["05T13:30"] == fires([OneTimeTrigger("1h")], "2026-01-05T00:00", "2026-01-05T15:00", later)


@pytest.mark.parametrize(
    ("since", "until", "problem"),
    [
        ("2026-01-03T00:00", "2026-01-03T00:00", "since: 2026-01-03T00:00:00.000000.00:00 does not lie before"),
        ("2026-01-03T00:00", "2026-01-06T00:00", "until: 2026-01-06T00:00:00.000000.00:00 lies ahead"),
        ("2025-01-03T00:00", "2026-01-04T00:00", "until: more than 1000 fires .* the first until 2025-02-13T16:00"),
    ],
)
def test_a_span_that_can_t_be_is_refused(since, until, problem):
    with pytest.raises(InvalidInput, match=problem):
        fires([PeriodicTrigger(cron="0 * * * *")], since, until)


@given(st.integers(1, 5000), st.integers(0, 10**6), st.integers(1, 10**6))
def test_an_interval_comes_in_its_phase_before_its_anchor_too(minutes, back, length):
    interval, start = minutes * HOUR // 60, NOW.wall - back * HOUR // 60
    entry = Entry(Task("job", print), 1, False)
    timetable = timetable_of(entry, PeriodicTrigger(minutes * 60), UTC, "")
    timetable.begin(NOW)
    end = start + length * HOUR // 60
    found = timetable.between(start, end, MOST_BACKFILLED, NOW)
    expected = [at for at in range(NOW.wall - (back // minutes + 1) * interval, end, interval) if start <= at]
    assert expected[:MOST_BACKFILLED] == found


def test_what_a_calendar_leaves_out_is_no_past_fire():
    triggers = [PeriodicTrigger(cron="0 */6 * * *", exclude=["nights"])]
    nights = Calendar(windows=["22:00-06:00"])

    assert ["03T06:00", "03T12:00", "03T18:00"] == fires(
        triggers, "2026-01-03T00:00", "2026-01-04T00:00", nights=nights
    )
    both = [*triggers, PeriodicTrigger(cron="0 0 * * *")]
    assert "03T00:00" in fires(both, "2026-01-03T00:00", "2026-01-04T00:00", nights=nights)
