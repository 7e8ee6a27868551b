"""Timetables against a walk that counts one by one, and what is kept of them."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dms.background_tasks.times.calendar_timetable import CalendarTimetable
from dms.background_tasks.times.timetables import timetable_of
from dms.background_tasks.triggers.event_trigger import EventTrigger
from dms.background_tasks.triggers.trigger import OneTimeTrigger, PeriodicTrigger
from dms.instant import Instant, from_datetime, to_datetime

SECOND = 1_000_000
MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
START = Instant(from_datetime(MONDAY), 3_600 * SECOND)


def timetable(trigger):
    made = timetable_of(None, trigger, UTC, "seed")
    made.begin(START)
    return made


def walk(made, naps, wanted):
    """Sleep and take what has come, again and again: all labels that were given, and the count of all fires."""
    now, labels, total = START, [], 0
    for nap in naps:
        now = now.ahead(nap * SECOND)
        while made.due is not None and made.due <= (now.wall if made.on_wall else now.boot):
            found, count = made.take(now, wanted)
            assert len(found) == min(count, wanted)
            labels += found
            total += count
    return labels, total, now


naps = st.lists(st.integers(1, 5_000), min_size=1, max_size=15)
TRIGGERS = [
    PeriodicTrigger(7),
    PeriodicTrigger("1m"),
    PeriodicTrigger("1m", end=MONDAY + timedelta(minutes=100)),
    PeriodicTrigger("10m", start=MONDAY + timedelta(minutes=33)),
    PeriodicTrigger("10m", start=MONDAY - timedelta(minutes=33)),
    PeriodicTrigger(cron="*/7 * * * *", timezone="UTC"),
    PeriodicTrigger(cron="* * * * *", timezone="UTC", end=MONDAY + timedelta(minutes=100)),
    PeriodicTrigger(cron="* * * * *", timezone="UTC", start=MONDAY + timedelta(minutes=33)),
]
triggers = st.sampled_from(TRIGGERS)


def expected_times(trigger, until):
    """Every time of a trigger from the start on, one by one, as the trigger itself says it."""
    if trigger.interval is not None and trigger.start is None:
        end = None if trigger.end is None else to_datetime(trigger.end)
        trigger = PeriodicTrigger(timedelta(microseconds=trigger.interval), start=MONDAY, end=end)
    times, at = [], trigger.next_after(MONDAY)
    while at is not None and from_datetime(at) <= until:
        times.append(from_datetime(at))
        at = trigger.next_after(at)
    return times


@given(triggers, naps)
def test_all_that_came_is_taken_once_and_in_order(trigger, naps):
    made = timetable(trigger)
    labels, total, now = walk(made, naps, 10_000)

    expected = expected_times(trigger, now.wall)
    assert expected == labels
    assert len(expected) == total


@given(triggers, naps, st.integers(1, 5))
def test_what_is_not_wanted_is_counted_all_the_same(trigger, naps, wanted):
    labels, total, now = walk(timetable(trigger), naps, wanted)

    expected = expected_times(trigger, now.wall)
    assert len(expected) == total
    assert labels == [label for label in expected if label in set(labels)]


unbounded = st.sampled_from([each for each in TRIGGERS if each.end is None and (each.start or 0) <= START.wall])


@given(unbounded, st.integers(0, 20_000), st.integers(0, 20_000))
def test_how_many_there_are_the_last_and_the_first_of_a_span_are_told_as_one_by_one(trigger, first, second):
    after, until = sorted(START.wall + seconds * SECOND for seconds in (first, second))
    made = timetable(trigger)
    expected = [each for each in expected_times(trigger, until) if each > after]

    assert len(expected) == made.count(after, until, START)
    assert (expected[-1] if expected else None) == made.latest(after, until, START)
    assert expected[:1] == made.between(after + 1, until + 1, 1, START)
    assert [] == made.between(until, until, 1, START)


@given(triggers, naps, st.booleans())
def test_a_timetable_goes_on_from_its_mark_as_if_nothing_had_happened(trigger, naps, reboot):
    made = timetable(trigger)
    _, _, now = walk(made, naps, 1)
    again = timetable_of(None, trigger, UTC, "seed")
    later = Instant(now.wall, SECOND) if reboot else now
    again.resume_from(made.mark("boot-1"), later, "boot-2" if reboot else "boot-1")

    shift = 0 if made.on_wall else later.boot - now.boot
    assert (None if made.due is None else made.due + shift) == again.due


@given(st.integers(1, 600), naps)
def test_jitter_moves_no_label_and_no_count(jitter, naps):
    plain, moved = PeriodicTrigger("10m"), PeriodicTrigger("10m", jitter=jitter)
    expected, total, _ = walk(timetable(plain), naps, 10_000)
    labels, delayed, _ = walk(timetable(moved), naps, 10_000)

    assert labels == expected[: len(labels)]
    assert 0 <= total - delayed <= 1


@pytest.mark.parametrize("trigger", [OneTimeTrigger("10m"), OneTimeTrigger(at=MONDAY + timedelta(minutes=10))])
def test_a_one_time_timetable_is_taken_once_and_stays_so(trigger):
    made = timetable(trigger)
    labels, total, now = walk(made, [500, 500, 500], 5)
    assert ([START.wall + 600 * SECOND], 1, None) == (labels, total, made.due)

    again = timetable_of(None, trigger, UTC, "seed")
    again.resume_from(made.mark("boot-1"), now, "boot-2")
    assert again.due is None


def test_a_calendar_that_fires_no_more_is_never_due():
    made = timetable(PeriodicTrigger(cron="0 0 1 1 *", timezone="UTC", end=MONDAY + timedelta(days=30)))

    assert isinstance(made, CalendarTimetable)
    assert made.due is None


def test_an_event_has_no_timetable():
    assert timetable_of(None, EventTrigger("bell"), UTC, "seed") is None
