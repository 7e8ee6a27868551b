"""Reading an expression: what is allowed, and where and why the rest is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dms.background_tasks.triggers.cron_fields import NICKNAMES, read_fields
from dms.errors import InvalidCron


def members(mask: int) -> list[int]:
    return [number for number in range(mask.bit_length()) if mask >> number & 1]


@pytest.mark.parametrize(
    ("minute", "expected"),
    [
        ("5", [5]),
        ("05", [5]),
        ("5,7,5", [5, 7]),
        ("5-8", [5, 6, 7, 8]),
        ("5-5", [5]),
        ("*/20", [0, 20, 40]),
        ("50/4", [50, 54, 58]),
        ("10-20/5", [10, 15, 20]),
        ("58-1", [0, 1, 58, 59]),
        ("50-10/5", [0, 5, 10, 50, 55]),
        ("*/60", [0]),
        ("*", list(range(60))),
    ],
)
def test_a_minute_field_means_these_minutes(minute, expected):
    assert expected == members(read_fields(f"{minute} * * * *").minutes)


@pytest.mark.parametrize(
    ("weekday", "expected"),
    [
        ("0", [0]),
        ("7", [0]),
        ("SUN", [0]),
        ("5-7", [0, 5, 6]),
        ("7-2", [0, 1, 2]),
        ("fri-Mon", [0, 1, 5, 6]),
        ("0-7", list(range(7))),
        ("1/2", [1, 3, 5]),
        ("*/2", [0, 2, 4, 6]),
        ("?", list(range(7))),
    ],
)
def test_a_weekday_field_means_these_days_from_sunday(weekday, expected):
    assert expected == members(read_fields(f"0 0 * * {weekday}").weekdays)


def test_months_go_by_name_in_any_case_and_around_the_year():
    assert [1, 2, 11, 12] == members(read_fields("0 0 1 NOV-Feb *").months)


def test_days_wrap_around_the_month():
    assert [1, 2, 30, 31] == members(read_fields("0 0 30-2 * *").days)


def test_special_days_are_kept_apart_from_the_numbers():
    fields = read_fields("0 0 1,L,L-2,LW,15W * 2,friL,7#1")

    assert ([1], (0, 2), (0, 15)) == (members(fields.days), fields.from_end, fields.nearest)
    assert ([2], ((5, -1), (0, 1))) == (members(fields.weekdays), fields.nth)


def test_without_seconds_second_zero_is_meant():
    assert [0] == members(read_fields("* * * * *").seconds)


def test_six_fields_begin_with_seconds():
    fields = read_fields("*/30 1 2 3 4 5")

    assert ([0, 30], [1], [2]) == (members(fields.seconds), members(fields.minutes), members(fields.hours))


@pytest.mark.parametrize(
    ("text", "either"),
    [("0 0 1 * 1", True), ("0 0 */2 * 1", False), ("0 0 1 * */2", False), ("0 0 ? * 1", False), ("0 0 L * 5L", True)],
)
def test_either_day_field_is_enough_only_if_neither_starts_with_a_star(text, either):
    assert either is read_fields(text).either


@pytest.mark.parametrize(
    ("text", "fixed"),
    [
        ("0 3 * * *", True),
        ("0/5 3 * * *", True),
        ("*/5 3 * * *", False),
        ("0 * * * *", False),
        ("* 0 3 * * *", True),
        ("0 * 3 * * *", False),
    ],
)
def test_a_line_is_fixed_if_neither_minute_nor_hour_starts_with_a_star(text, fixed):
    assert fixed is read_fields(text).fixed


@pytest.mark.parametrize(("nickname", "meaning"), NICKNAMES.items())
def test_a_nickname_stands_for_five_fields(nickname, meaning):
    assert read_fields(meaning) == read_fields(f" {nickname.upper()} ")


def test_any_blanks_separate():
    assert read_fields("0 3 * * 1") == read_fields("  0\t3  *   * 1\n")


@pytest.mark.parametrize(
    ("text", "offset", "message"),
    [
        ("60 * * * *", 0, 'minute "60" at offset 0 is not from 0 to 59. Did you mean 0'),
        ("60 * * * * *", 0, 'second "60" at offset 0 is not from 0 to 59. Did you mean 0'),
        ("0 24 * * *", 2, 'hour "24" at offset 2 is not from 0 to 23. Did you mean 0 (midnight)'),
        ("0  8,25 * * *", 5, 'hour "25" at offset 5 is not from 0 to 23'),
        ("0 3 0 * *", 4, "Did you mean 1, or L for the last day?"),
        ("0 3 * 13 *", 6, 'month "13" at offset 6 is not from 1 to 12'),
        ("0 3 * * 8", 8, 'weekday "8" at offset 8 is not from 0 to 7. Did you mean 1 (Monday)?'),
        ("0 3 * * Mon-Fryday", 12, 'weekday "Fryday" at offset 12 is not 0 to 7 or sun to sat. Did you mean fri?'),
        ("0 3 * january *", 6, "Did you mean jan?"),
        ("*5 * * * *", 0, "Did you mean */5?"),
        ("*/0 * * * *", 2, 'minute "0" at offset 2 is not a step'),
        ("*/x * * * *", 2, 'minute "x" at offset 2 is not a step'),
        ("*/90 * * * *", 2, "a longer rhythm needs an interval"),
        ("1,,2 * * * *", 2, "nothing stands beside the comma"),
        ("5- * * * *", 2, "is empty; a value belongs there, 0 to 59"),
        ("1_0 * * * *", 0, 'minute "1_0" at offset 0 is not 0 to 59'),
        ("? 3 * * *", 0, "is for a whole day field; write * here"),
        ("H 3 * * *", 0, "the trigger's jitter does that"),
        ("0 3 15W-20 * *", 4, "with L and W there are L, L-3, LW and 15W"),
        ("0 3 L-31 * *", 4, "at most L-30"),
        ("0 3 * * L", 8, "the month's last Friday is 5L"),
        ("0 3 * * 5#6", 8, "needs a number from 1 to 5 after #"),
        ("0 3 * * 1-5#2", 8, "with L and # there are 5L"),
        ("0 3 1 1 * 2027", 10, "a year field is not supported"),
        ("", 0, "is empty; it needs five fields: minute, hour"),
        ("0 3 * *", 0, "has 4 fields; five are needed"),
        ("0 0 3 * * * 2027", 12, '"2027" at offset 12 is too much'),
        (" @dayly", 1, 'unknown name "@dayly" at offset 1. Did you mean @daily?'),
        ("hourly", 0, "Did you mean @hourly?"),
        ("reboot", 0, "Did you mean @reboot?"),
        ("@sometimes", 0, "Known are @annually, @daily"),
        ("@daily 5", 0, "stands alone"),
        ("@every 5m", 0, "give the trigger an interval"),
        ("0 ３ * * *", 2, "at offset 2 is no part of a cron expression"),
        (f"{'9' * 5000} * * * *", 0, "is not from 0 to 59"),
    ],
)
def test_a_fault_is_named_with_its_place_and_what_may_be_meant(text, offset, message):
    with pytest.raises(InvalidCron) as refused:
        read_fields(text)

    assert message in str(refused.value)
    assert offset == refused.value.offset


@given(st.one_of(st.text(), st.text("0123456789*/-,?lwh#@ \tmonsunjan", max_size=30)))
def test_any_other_text_is_read_or_refused_at_an_offset_inside_it(text):
    assert 0 <= offset_of_fault(text) <= len(text)


def offset_of_fault(text: str) -> int:
    try:
        read_fields(text)
    except InvalidCron as refused:
        return refused.offset
    return 0
