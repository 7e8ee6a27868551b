"""What a task list shows for an expression."""

import pytest

from dms.background_tasks.triggers.cron_description import describe


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0 3 * * *", "03:00 daily, Helsinki"),
        ("@daily", "00:00 daily, Helsinki"),
        ("30 8,18 * * mon-fri", "08:30 and 18:30 Mon-Fri, Helsinki"),
        ("0 18,6,12 * * *", "06:00, 12:00 and 18:00 daily, Helsinki"),
        ("0 3 * * 7", "03:00 Sun, Helsinki"),
        ("@monthly", "00:00 on the 1st, Helsinki"),
        ("0 4 22 * ?", "04:00 on the 22nd, Helsinki"),
        ("0 4 13 * *", "04:00 on the 13th, Helsinki"),
        ("0 4 L * *", "04:00 on the last day of the month, Helsinki"),
        ("@yearly", "00:00 on 1 Jan, Helsinki"),
        ("0 9 29 feb *", "09:00 on 29 Feb, Helsinki"),
    ],
)
def test_times_of_day_are_told_with_their_place(text, expected):
    assert expected == describe(text, "Helsinki")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("* * * * *", "every minute"),
        ("*/15 * * * *", "every 15 minutes"),
        ("@hourly", "hourly"),
        ("5 * * * *", "hourly at :05"),
        ("@reboot", "at boot"),
    ],
)
def test_what_happens_within_the_hour_needs_no_place(text, expected):
    assert expected == describe(text, "Helsinki")


@pytest.mark.parametrize(
    "text",
    [
        "*/7 * * * *",
        "0 3 1 * 1",
        "0 3 1-7 * *",
        "0 8-18 * * *",
        "0 0 3 * * *",
        "0 3 * * 1,2",
        "0 3 * 1 *",
        "0 3 * * 5#2",
    ],
)
def test_what_has_no_short_name_stays_as_it_is_written(text):
    assert text == describe(text, "Helsinki")


def test_without_a_place_none_is_named():
    assert "03:00 daily" == describe("0 3 * * *")
