"""Which fires are not worth running any more, and what is said of it."""

import pytest

from dms.background_tasks.agenda.decision import Attempt
from dms.background_tasks.agenda.entry import Entry
from dms.background_tasks.agenda.missed import has_waited_too_long, held, outlived, why_not_all, why_too_late
from dms.background_tasks.store import Pause
from dms.background_tasks.tasks.task import Program, Task
from dms.instant import Instant

SECOND = 1_000_000


def task(**fields):
    return Task("job", Program(("true",)), **fields)


@pytest.mark.parametrize(
    ("fields", "late", "on_time", "why"),
    [
        ({}, 10**15, False, ""),
        ({"catch_up_window": "1h"}, 3_600 * SECOND, False, ""),
        ({"catch_up_window": "1h"}, 3_600 * SECOND + 1, False, "its catch_up_window is 1h"),
        ({"catch_up_window": "1h"}, 3_600 * SECOND + 1, True, "its catch_up_window is 1h"),
        ({"catch_up": "none"}, 0, True, ""),
        ({"catch_up": "none"}, 1, False, "its catch_up is none"),
    ],
)
def test_a_fire_is_too_late_beyond_its_window_or_where_it_is_not_on_time_and_nothing_is_made_up_for(
    fields, late, on_time, why
):
    assert why == why_too_late(task(**fields), late, on_time)


def test_why_not_all_of_several_run_is_told():
    assert "its catch_up runs only the latest of them" == why_not_all(task())
    assert "its catch_up_limit is 7" == why_not_all(task(catch_up="all", catch_up_limit=7))
    assert "its catch_up_window is 1h30m" == outlived("90m")


@pytest.mark.parametrize(
    ("cause", "waited", "late"),
    [
        ("schedule", 60 * SECOND, False),
        ("schedule", 60 * SECOND + 1, True),
        ("operator", 60 * SECOND + 1, True),
        ("backfill", 10**12, False),
        ("retry", 10**12, False),
        ("retry_later", 10**12, False),
        ("crash", 10**12, False),
    ],
)
def test_what_waits_is_too_late_once_its_window_is_over_unless_it_had_begun_or_is_late_on_purpose(cause, waited, late):
    entry = Entry(task(catch_up_window="1m"), 1, stored=False)
    assert late == has_waited_too_long(Attempt(entry, "1-1", 5, cause, None), Instant(5 + waited, 0))


def test_a_fire_falls_into_a_pause_until_that_is_over():
    assert [True, False] == [held(due, [Pause(0, 10)]) for due in (9, 10)]
    assert held(10, [Pause(0, 10), Pause(0)])
    assert not held(10, [])
