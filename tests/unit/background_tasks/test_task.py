"""A task's definition: what is normalised, and what is refused by the name of its field."""

from datetime import timedelta

import pytest

from dms.background_tasks.tasks.retry import RetryPolicy
from dms.background_tasks.tasks.task import CatchUp, Durability, Execution, Lane, Overlap, Program, Status, Task
from dms.background_tasks.triggers.event_trigger import EventTrigger
from dms.background_tasks.triggers.trigger import PeriodicTrigger
from dms.errors import InvalidInput, InvalidTask, InvalidTrigger


def nothing():
    pass


def test_policies_given_as_text_become_what_they_mean():
    task = Task("job", nothing, overlap="queue", catch_up="none", durability="at_least_once", lane="node", timeout="5m")

    expected = (Overlap.QUEUE, CatchUp.NONE, Durability.AT_LEAST_ONCE, Lane.NODE, timedelta(minutes=5))
    assert expected == (task.overlap, task.catch_up, task.durability, task.lane, task.timeout)
    assert isinstance(task.lane, Lane)


@pytest.mark.parametrize("name", ["a", "backup", "0-day", "x" * 63, "a_b-c", "7z"])
def test_a_name_is_letters_digits_and_dashes(name):
    assert name == Task(name, nothing).name


@pytest.mark.parametrize("name", ["", "Backup", "-a", "_a", "a b", "a.b", "x" * 64, "123", "é", "a\n", None, 7])
def test_what_can_not_name_a_task_is_refused(name):
    with pytest.raises(InvalidTask, match="name:"):
        Task(name, nothing)


@pytest.mark.parametrize("function", [nothing, print, "package.module:function", Program(("df", "-h"))])
def test_a_function_is_something_that_can_be_called_found_or_started(function):
    assert function == Task("job", function).function


@pytest.mark.parametrize("function", [None, 5, "no reference", "module:", ":name", "module:a b"])
def test_what_can_not_be_run_is_refused(function):
    with pytest.raises(InvalidTask, match="function:"):
        Task("job", function)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("triggers", PeriodicTrigger("5m")),
        ("triggers", 5),
        ("triggers", "5m"),
        ("triggers", None),
        ("args", "abc"),
        ("args", 5),
        ("kwargs", [1]),
        ("retry_policy", 3),
        ("retry_policy", None),
        ("enabled", "no"),
        ("description", None),
        ("lane", "fast"),
        ("lane", None),
        ("overlap", "never"),
        ("overlap", None),
        ("catch_up", "some"),
        ("catch_up", None),
        ("durability", "always"),
        ("priority", "high"),
        ("priority", True),
        ("priority", -1001),
        ("queue_limit", 0),
        ("max_instances", 0),
        ("catch_up_limit", 1.5),
        ("timeout", "soon"),
        ("timeout", 0),
        ("heartbeat_timeout", 0),
        ("heartbeat_timeout", "soon"),
        ("timeout", -5),
        ("kill_after", "never"),
        ("catch_up_window", -1),
    ],
)
def test_what_can_not_be_is_refused_by_the_name_of_its_field(field, value):
    with pytest.raises(InvalidInput, match=f"^{field}"):
        Task("job", nothing, **{field: value})


@pytest.mark.parametrize("trigger", [5, "5m", None, object()])
def test_what_is_no_trigger_is_refused(trigger):
    with pytest.raises(InvalidTrigger, match="triggers:"):
        Task("job", nothing, triggers=[trigger])


@pytest.mark.parametrize(
    ("field", "needs"),
    [("max_instances", "overlap: allow"), ("queue_limit", "overlap: queue"), ("catch_up_limit", "catch_up: all")],
)
def test_a_number_that_nothing_would_read_is_refused_with_what_it_needs(field, needs):
    with pytest.raises(InvalidTask, match=f"^{field}.*{needs}"):
        Task("job", nothing, **{field: 2})


def test_a_program_takes_no_arguments_beside_its_own():
    with pytest.raises(InvalidTask, match="args:"):
        Task("job", Program(("df",)), ["-h"])


@pytest.mark.parametrize("argv", ["df -h", (), [], [""], [5], ["a\0b"], ["\udc80"]])
def test_what_can_not_be_started_is_no_program(argv):
    with pytest.raises(InvalidTask, match="run:"):
        Program(argv)


def test_a_list_of_words_becomes_a_tuple():
    assert ("df", "-h") == Program(["df", "-h"]).argv


def test_the_triggers_for_events_are_told_apart():
    bell = EventTrigger("bell")

    assert [bell] == Task("job", nothing, triggers=[PeriodicTrigger("5m"), bell]).event_triggers


def test_a_task_that_is_not_registered_has_no_next_fire_and_no_history():
    task = Task("job", nothing, triggers=[PeriodicTrigger("5m")], retry_policy=RetryPolicy(1))

    assert (None, []) == (task.next_fire, task.execution_history)


def test_three_states_change_and_the_rest_are_final():
    assert ["waiting", "starting", "running"] == [status.value for status in Status if not status.final]


def test_an_execution_tells_its_times_in_utc():
    execution = Execution("1-1", "1-1", "job", 1, 1, Status.RUNNING, 0, 1_500_000)

    assert "1970-01-01T00:00:00+00:00" == execution.due_at.isoformat()
    assert "1970-01-01T00:00:01.500000+00:00" == execution.started_at.isoformat()
    assert execution.ended_at is None


def test_a_debugger_shows_a_task_in_a_line():
    assert "<Task backup: every 5m, after ingest success>" == repr(
        Task("backup", nothing, triggers=[PeriodicTrigger(interval="5m"), EventTrigger("task.ingest.success")])
    )
    assert "<Task backup (ID 3): on demand>" == repr(Task("backup", nothing, id=3))


def test_a_debugger_shows_of_an_execution_what_is_there():
    execution = Execution("1-1", "1-1", "a", 7, 1, Status.WAITING, 0)
    expected = "id='1-1', run_id='1-1', task='a', task_id=7, attempt=1, status=<Status.WAITING: 'waiting'>, due=0"
    assert f"Execution({expected})" == repr(execution)
