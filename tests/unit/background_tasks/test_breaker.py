"""When a task that keeps failing is held back: what may be given."""

from datetime import timedelta

import pytest

from dms.background_tasks.tasks.breaker import Breaker
from dms.background_tasks.tasks.task import Program, Task
from dms.background_tasks.triggers.event_trigger import EventTrigger
from dms.background_tasks.triggers.trigger import PeriodicTrigger
from dms.errors import InvalidInput


@pytest.mark.parametrize(
    ("failures", "probe", "message"),
    [
        (0, None, "breaker.failures: 0 is not a whole number from 1 to 1000000"),
        (True, None, "breaker.failures: True is not a whole number from 1 to 1000000"),
        ("5", None, "breaker.failures: '5' is not a whole number from 1 to 1000000"),
        (1_000_001, None, "breaker.failures: 1000001 is not a whole number from 1 to 1000000"),
        (5, 0, "breaker.probe: 0 would never hold it back; leave it out to pause it for good"),
        (5, "soon", "breaker.probe: "),
    ],
)
def test_a_breaker_that_can_not_be_is_refused_with_its_field(failures, probe, message):
    with pytest.raises(InvalidInput) as raised:
        Breaker(failures, probe)
    assert str(raised.value).startswith(message)


def test_a_breaker_keeps_what_it_was_given():
    assert (1, None) == (Breaker(1).failures, Breaker(1).probe)
    assert timedelta(minutes=10) == Breaker(1_000_000, "10m").probe


def test_what_is_no_breaker_is_refused():
    with pytest.raises(InvalidInput, match="breaker: 5 is not a Breaker"):
        Task("job", Program(("true",)), breaker=5)


def test_a_success_can_not_be_expected_sooner_than_the_task_comes_due():
    with pytest.raises(InvalidInput) as raised:
        Task("job", Program(("true",)), triggers=[PeriodicTrigger("1h")], expect_success_within="59m")
    assert "expect_success_within: 59m is shorter than the interval of 1h, so that it would always be overdue" == str(
        raised.value
    )
    with pytest.raises(InvalidInput, match="expect_success_within: 0 can't be kept"):
        Task("job", Program(("true",)), expect_success_within=0)


@pytest.mark.parametrize(
    "triggers", [[PeriodicTrigger("1h")], [PeriodicTrigger("2h"), EventTrigger("bell")], [PeriodicTrigger("1h")] * 2]
)
def test_a_success_may_be_expected_within_the_interval_or_where_something_else_fires_it_too(triggers):
    task = Task("job", Program(("true",)), triggers=triggers, expect_success_within="1h")
    assert timedelta(hours=1) == task.expect_success_within
