"""Retry policies: how long before which retry, and what can't be one."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dms.background_tasks.tasks.retry import GiveUp, RetryLater, RetryPolicy, kinds_of
from dms.errors import InvalidDuration, InvalidInput, InvalidTask

SECOND = 1_000_000


def waits(policy, count):
    return [policy.wait_before_retry(retry) for retry in range(1, count + 1)]


def test_a_policy_that_says_nothing_never_retries():
    assert [None, None] == waits(RetryPolicy(), 2)


def test_a_fixed_delay_is_the_same_each_time_until_no_more_are_allowed():
    assert [5 * SECOND, 5 * SECOND, None] == waits(RetryPolicy(2, "5s"), 3)


def test_an_exponential_delay_grows_by_its_factor_up_to_its_limit():
    policy = RetryPolicy(5, "10s", "exponential", factor=3, max_delay="5m")

    assert [10 * SECOND, 30 * SECOND, 90 * SECOND, 270 * SECOND, 300 * SECOND, None] == waits(policy, 6)


def test_a_delay_longer_than_the_limit_is_cut_from_the_first_retry_on_where_it_grows():
    assert [60 * SECOND] == waits(RetryPolicy(1, "2h", "exponential", max_delay="1m"), 1)


@given(st.integers(1, 10**9), st.floats(1, 1000), st.integers(0, 10**6))
def test_no_retry_waits_longer_than_the_limit_or_less_than_nothing(retry, factor, delay):
    policy = RetryPolicy(10**9, delay, "exponential", factor, "1h")

    assert 0 <= policy.wait_before_retry(retry) <= 3600 * SECOND


@given(st.integers(1, 100), st.floats(1, 1000))
def test_a_growing_delay_never_shrinks(retry, factor):
    policy = RetryPolicy(1000, "1s", "exponential", factor)

    assert policy.wait_before_retry(retry) <= policy.wait_before_retry(retry + 1)


@pytest.mark.parametrize("given", ["90s", 90, 90.0, "1m30s", timedelta(seconds=90)])
def test_a_delay_may_be_text_seconds_or_a_timedelta(given):
    assert RetryPolicy(1, timedelta(seconds=90)) == RetryPolicy(1, given)


@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("retry.max_retries", {"max_retries": -1}),
        ("retry.max_retries", {"max_retries": 1.5}),
        ("retry.max_retries", {"max_retries": True}),
        ("retry.max_retries", {"max_retries": "3"}),
        ("retry.factor", {"factor": 0.5}),
        ("retry.factor", {"factor": float("nan")}),
        ("retry.factor", {"factor": "2"}),
        ("retry.backoff", {"backoff": "linear"}),
        ("retry.delay", {"delay": "5 parsecs"}),
        ("retry.delay", {"delay": -1}),
        ("retry.max_delay", {"max_delay": "soon"}),
    ],
)
def test_what_can_not_be_is_refused_by_the_name_of_its_field(field, fields):
    with pytest.raises(InvalidInput, match=field) as refused:
        RetryPolicy(**fields)

    assert (InvalidDuration if "delay" in field else InvalidTask) is refused.type


def named(**fields: Any) -> RetryPolicy:
    return RetryPolicy(max_retries=3, delay="1s", **fields)


@pytest.mark.parametrize(
    ("fields", "error", "again"),
    [
        ({}, ValueError(), True),
        ({"retry_on": [ConnectionError]}, ConnectionResetError(), True),
        ({"retry_on": ["ConnectionError"]}, ConnectionResetError(), True),
        ({"retry_on": ["builtins.OSError"]}, ConnectionResetError(), True),
        ({"retry_on": [ConnectionError]}, ValueError(), False),
        ({"retry_on": ["Connection"]}, ConnectionResetError(), False),
        ({"give_up_on": [ValueError]}, UnicodeError(), False),
        ({"give_up_on": [ValueError]}, OSError(), True),
        ({"retry_on": [OSError], "give_up_on": [ConnectionError]}, ConnectionResetError(), False),
        ({"retry_on": OSError}, OSError(), True),
    ],
)
def test_only_failures_that_are_named_are_tried_again(fields: dict[str, Any], error: Exception, again: bool) -> None:
    assert (1_000_000 if again else None) == named(**fields).wait_before_retry(1, kinds_of(error))


def test_how_a_program_ended_can_be_named() -> None:
    policy = named(retry_on=["exit 75", "signal 9"])
    assert [True, True, False] == [
        policy.wait_before_retry(1, (kind,)) is not None for kind in ("exit 75", "signal 9", "exit 7")
    ]


@pytest.mark.parametrize("name", ["", "exit 1000", "two words", 75, int, "1st"])
def test_what_names_no_failure_is_refused_with_the_field(name: Any) -> None:
    with pytest.raises(InvalidTask, match=r"retry\.give_up_on: .* names no failure; give an exception's class"):
        named(give_up_on=[name])


def test_jitter_is_a_share_that_stays_the_same_for_a_run_and_differs_between_runs() -> None:
    policy = named(jitter="10s")
    waits = [policy.wait_before_retry(1, (), f"1-{number}") or 0 for number in range(200)]
    assert waits == [policy.wait_before_retry(1, (), f"1-{number}") for number in range(200)]
    assert 1_000_000 <= min(waits) < 3_000_000
    assert 9_000_000 < max(waits) <= 11_000_000


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"max_retries": -1}, "retry.max_retries: -1 is not a whole number of 0 or more"),
        ({"factor": 1001, "backoff": "exponential"}, "retry.factor: 1001 is not a number from 1 to 1000"),
        ({"factor": 0.5}, "retry.factor: 0.5 is not a number from 1 to 1000"),
        ({"factor": 3}, "retry.factor: a fixed wait does not grow; it needs backoff: exponential"),
        ({"max_delay": "5m"}, "retry.max_delay: a fixed wait does not grow; it needs backoff: exponential"),
        ({"backoff": "linear"}, "retry.backoff: 'linear' is neither fixed nor exponential"),
        ({"supersede": 1}, "retry.supersede: 1 is neither true nor false"),
        (
            {"retry_on": [OSError, "exit 7"], "give_up_on": ["exit 7", OSError]},
            "retry.give_up_on: builtins.OSError is in retry_on too; say one of the two",
        ),
        (
            {"retry_on": ["two words"]},
            "retry.retry_on: 'two words' names no failure; give an exception's class or name, such as ConnectionError,"
            " or for a program 'exit 75' or 'signal 9'",
        ),
    ],
)
def test_what_is_refused_is_told_with_what_would_do(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidTask) as refused:
        RetryPolicy(**fields)
    assert message == str(refused.value)


@pytest.mark.parametrize("field", ["delay", "max_delay", "jitter"])
def test_a_length_that_can_not_be_is_told_by_its_field(field: str) -> None:
    with pytest.raises(InvalidDuration) as refused:
        RetryPolicy(**{field: "5 parsecs"})  # type: ignore[arg-type]
    assert str(refused.value).startswith(f"retry.{field}: ")


def test_the_greatest_and_the_least_factor_are_taken() -> None:
    assert [1000, 1] == [RetryPolicy(factor=factor, backoff="exponential").factor for factor in (1000, 1)]


def test_the_longest_wait_is_the_delay_and_all_of_the_jitter() -> None:
    assert 15_000_000 == RetryPolicy(3, "5s", jitter="10s").longest_wait(1)
    assert 30_000_000 == RetryPolicy(3, "5s", "exponential", jitter="10s").longest_wait(3)


def test_a_function_that_asks_for_a_retry_says_when_and_why() -> None:
    assert (300_000_000, "it asked to be tried again later") == (RetryLater("5m").delay, str(RetryLater("5m")))
    assert "the printer is busy" == str(RetryLater(1, "the printer is busy"))
    with pytest.raises(InvalidDuration) as refused:
        RetryLater("soon")
    assert str(refused.value).startswith("RetryLater.delay: ")


def test_an_error_is_of_each_of_its_classes_by_their_full_names_but_not_of_object() -> None:
    named = ("dms.background_tasks.tasks.retry.GiveUp", "builtins.Exception", "builtins.BaseException")
    assert named == kinds_of(GiveUp())


def test_a_name_is_that_of_a_class_by_its_last_part_only() -> None:
    policy = named(retry_on=["Broken"])
    assert policy.wait_before_retry(1, ("house.heating.Broken",)) is not None
    assert policy.wait_before_retry(1, ("house.Broken.Other",)) is None
