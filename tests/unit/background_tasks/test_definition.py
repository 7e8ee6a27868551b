"""A task as plain values, and back."""

import json
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dms.background_tasks.tasks.breaker import Breaker
from dms.background_tasks.tasks.concurrency import Concurrency
from dms.background_tasks.tasks.definition import definition, plain, program_from, reference_to, task_from
from dms.background_tasks.tasks.limits import Limits
from dms.background_tasks.tasks.retry import RetryPolicy
from dms.background_tasks.tasks.task import Program, Task
from dms.background_tasks.triggers.event_trigger import EventTrigger
from dms.background_tasks.triggers.trigger import OneTimeTrigger, PeriodicTrigger
from dms.errors import InvalidTask


def nothing():
    pass


class Holder:
    def method(self):
        pass

    def __call__(self):
        pass


durations = st.integers(1_000, 10**12).map(lambda length: timedelta(microseconds=length))
triggers = st.one_of(
    st.builds(PeriodicTrigger, durations, jitter=durations),
    st.sampled_from([PeriodicTrigger(cron="0 3 * * 1-5", timezone="Europe/Helsinki"), EventTrigger("bell")]),
    st.builds(OneTimeTrigger, durations),
    st.builds(OneTimeTrigger, at=st.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))),
)  # fmt: skip
processes = st.fixed_dictionaries(
    {"executor": st.just("process"), "limits": st.sampled_from([Limits("64MB", "30s", "1kB"), Limits(cpu_time=1)])}
)
tasks = st.builds(
    lambda *given, how, **fields: Task(*given, **fields, **how),
    st.just("job"),
    st.just(nothing),
    st.lists(st.one_of(st.integers(-(2**53), 2**53), st.text(), st.none(), st.booleans()), max_size=3),
    st.dictionaries(st.text(min_size=1), st.lists(st.integers(0, 9)), max_size=2),
    description=st.text(),
    triggers=st.lists(triggers, max_size=3),
    retry_policy=st.builds(RetryPolicy, st.integers(0, 9), durations, st.sampled_from(["fixed", "exponential"])),
    enabled=st.booleans(),
    priority=st.integers(-1000, 1000),
    timeout=st.none() | durations,
    heartbeat_timeout=st.sampled_from([None, timedelta(microseconds=500)]),  # shorter than any timeout
    how=st.sampled_from([{}, {"executor": "process"}, {"executor": "thread"}]) | processes,
    kill_after=durations,
    overlap=st.sampled_from(["skip", "queue", "cancel_running", "allow"]),
    catch_up=st.sampled_from(["one", "all", "none"]),
    catch_up_window=st.none() | durations,
    durability=st.sampled_from([None, "none", "at_most_once", "at_least_once"]),
    hold_until=st.lists(st.sampled_from(["network", "paper"]), max_size=2),
    concurrency=st.none() | st.builds(Concurrency, st.just("disk"), st.integers(1, 9), st.sampled_from([None, "5/m"])),
    lane=st.sampled_from(["user", "node"]),
    origin=st.sampled_from(["code", "declared"]),
)


@given(tasks)
def test_a_task_comes_back_from_its_definition_as_it_was(task):
    kept = json.loads(json.dumps(definition(task)))
    again = task_from(kept, "job", nothing)

    assert definition(task) == definition(again)
    assert list(task.triggers) == list(again.triggers)
    assert (task.timeout, task.kill_after, task.retry_policy) == (again.timeout, again.kill_after, again.retry_policy)
    assert (list(task.args), dict(task.kwargs)) == (list(again.args), dict(again.kwargs))
    assert (task.concurrency, task.hold_until) == (again.concurrency, again.hold_until)


@pytest.mark.parametrize("field", ["concurrency", "hold_until", "heartbeat_timeout", "executor", "limits"])
def test_what_came_later_is_kept_only_where_it_says_something_so_that_no_kept_definition_is_another(field):
    assert field not in definition(Task("job", nothing))


def test_a_program_comes_back_as_it_was():
    program = Program(("df", "-h"), "/tmp", {"LANG": "C"})

    assert program == program_from(json.loads(json.dumps(definition(Task("job", program)))))


def test_a_task_with_a_function_has_no_program():
    assert program_from(definition(Task("job", nothing))) is None


@pytest.mark.parametrize(
    ("expected", "function"),
    [
        ("json:dumps", json.dumps),
        ("package.module:name", "package.module:name"),
        (f"{__name__}:Holder.method", Holder.method),
        (None, lambda: None),
        (None, partial(nothing)),
        (None, Holder()),
    ],
)
def test_a_function_is_known_by_its_name_where_it_can_be_found_by_it(expected, function):
    assert expected == reference_to(function)


def test_a_function_made_by_another_has_no_name_to_be_found_by():
    def inner():
        pass

    assert reference_to(inner) is None


def test_arguments_that_are_no_plain_values_are_not_kept_and_the_task_can_not_come_back():
    kept = definition(Task("job", nothing, [object()]))
    assert kept["args"] is None

    with pytest.raises(InvalidTask, match="args:"):
        task_from(kept, "job", nothing)


class Foreign:
    def is_ready(self, now):
        return False

    def reset(self, now):
        pass


def test_a_task_with_a_third_partys_trigger_can_not_come_back():
    with pytest.raises(InvalidTask, match="triggers:"):
        task_from(definition(Task("job", nothing, triggers=[Foreign()])), "job", nothing)


@pytest.mark.parametrize("value", [None, 1, "a", [1, {"a": [None, 2.5]}], {}])
def test_plain_values_stay_as_they_are(value):
    assert value == plain(value)


def test_a_value_that_contains_itself_is_not_plain():
    endless = []
    endless.append(endless)

    assert plain(endless) is None


def test_a_breaker_and_what_is_expected_are_kept_and_say_nothing_where_there_are_none():
    watched = Task("job", nothing, breaker=Breaker(3, "10m"), expect_success_within="1d")
    again = task_from(json.loads(json.dumps(definition(watched))), "job", nothing)
    assert (Breaker(3, "10m"), timedelta(days=1)) == (again.breaker, again.expect_success_within)
    again = task_from(definition(Task("job", nothing, breaker=Breaker(3))), "job", nothing)
    assert (Breaker(3), None) == (again.breaker, again.expect_success_within)
    assert {"breaker", "expect_success_within"}.isdisjoint(definition(Task("job", nothing)))
