"""A third party's times: what is asked, and how often."""

import sys
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dms.background_tasks.times.asked_calendar import AskedCalendar
from dms.instant import from_datetime

SECOND = 1_000_000
START = from_datetime(datetime(2026, 1, 5, tzinfo=UTC))


class Grid:
    """Fires at multiples of a number of seconds, and counts how often it is asked."""

    def __init__(self, seconds):
        self.seconds, self.asked = seconds, 0

    def __call__(self, now):
        self.asked += 1
        since = (from_datetime(now) - START) // SECOND
        return datetime.fromtimestamp(START // SECOND, UTC) + timedelta(
            seconds=(since // self.seconds + 1) * self.seconds
        )


@given(st.integers(1, 5_000), st.integers(0, 10**9), st.integers(0, 10**9))
def test_the_latest_time_is_found_wherever_the_span_lies(seconds, after, length):
    grid = Grid(seconds)
    until = after + length
    latest = AskedCalendar(grid, UTC).latest(START + after * SECOND, START + until * SECOND)

    expected = until // seconds * seconds
    assert (START + expected * SECOND if expected > after else None) == latest
    assert grid.asked < 50


@given(st.integers(1, 5_000), st.integers(0, 10**6), st.integers(0, 10**6))
def test_no_more_than_a_thousand_times_are_counted(seconds, after, length):
    until = after + length
    count = AskedCalendar(Grid(seconds), UTC).count(START + after * SECOND, START + until * SECOND)

    assert min(1000, until // seconds - after // seconds) == count


@pytest.mark.parametrize("answer", [None, datetime(2020, 1, 1, tzinfo=UTC)])
def test_an_answer_that_lies_in_the_past_means_that_nothing_comes(answer):
    calendar = AskedCalendar(lambda now: answer, UTC)

    assert (None, "") == (calendar.next_after(START), calendar.error)


@pytest.mark.parametrize(
    ("error", "answer"),
    [
        ("its next_after raised ZeroDivisionError", lambda now: 1 / 0),
        ("its next_after raised AttributeError", lambda now: now.tomorrow),
        ("its next_after raised SystemExit", lambda now: sys.exit()),
        ("its next_after gave datetime.datetime(2027", lambda now: datetime(2027, 1, 1)),
        ("its next_after gave 'tomorrow'", lambda now: "tomorrow"),
    ],
)
def test_a_fault_means_that_nothing_comes_and_is_told(error, answer):
    calendar = AskedCalendar(answer, UTC)

    assert calendar.next_after(START) is None
    assert calendar.error.startswith(error)
