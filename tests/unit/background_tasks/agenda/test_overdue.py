"""A success that is expected within some time."""

from dms.background_tasks.agenda.decision import Failed
from dms.background_tasks.tasks.task import Task
from dms.background_tasks.triggers.event_trigger import EventTrigger
from dms.background_tasks.triggers.trigger import PeriodicTrigger

OVERDUE = {("overdue", "job"): "job has not succeeded for 2h, within which it was expected to"}


def nothing():
    pass


def hourly(within="2h", **fields):
    return Task("job", nothing, triggers=[PeriodicTrigger("1h")], expect_success_within=within, **fields)


def fail(world, times):
    for _ in range(times):
        world.go("1h")
        world.finish("job", Failed("no"))


def test_a_task_that_never_succeeds_is_overdue_from_its_first_sight_on(world):
    world.busy.add("job")
    world.add(hourly())
    fail(world, 1)
    world.go("59m59s")
    assert ({}, []) == (world.findings(), world.notices)
    world.go("1s")
    assert (OVERDUE, [("job", "overdue")]) == (world.findings(), world.notices)


def test_a_task_that_succeeds_in_time_is_never_overdue(world):
    world.add(hourly())
    world.go("24h")
    assert ({}, []) == (world.findings(), world.notices)


def test_a_success_takes_it_back_and_the_time_begins_anew(world):
    world.busy.add("job")
    world.add(hourly())
    fail(world, 3)
    assert OVERDUE == world.findings()
    world.go("1h")
    world.finish("job")
    assert {} == world.findings()
    fail(world, 1)
    assert {} == world.findings()
    fail(world, 1)
    assert OVERDUE == world.findings()
    assert [("job", "overdue")] * 2 == world.notices


def test_it_is_told_once_and_not_over_and_over(world):
    world.busy.add("job")
    world.add(hourly())
    world.go("2h")
    world.replace(hourly(priority=2))
    fail(world, 12)
    world.replace(hourly(priority=3))
    world.go("1m")
    assert [("job", "overdue")] == world.notices


def test_a_task_that_somebody_paused_and_forgot_is_overdue(world):
    world.add(hourly())
    world.pause("job")
    world.go("3h")
    assert OVERDUE == world.findings()


def test_of_a_disabled_task_nothing_is_expected_until_it_is_enabled(world):
    world.add(hourly(enabled=False))
    world.go("3h")
    assert {} == world.findings()
    world.busy.add("job")
    world.replace(hourly())
    world.go("1h59m")
    assert {} == world.findings()
    world.go("1m")
    assert OVERDUE == world.findings()
    world.replace(hourly(enabled=False))
    assert {} == world.findings()


def test_the_time_goes_on_over_a_restart(world):
    world.add(hourly())
    world.go("1h")
    world.busy.add("job")
    world.crash(down="30m")
    world.add(hourly())
    world.go("1h29m")
    assert {} == world.findings()
    world.go("1m")
    assert OVERDUE == world.findings()


def test_a_node_that_was_off_for_longer_says_so_until_it_has_succeeded_again(world):
    world.busy.add("job")
    world.add(hourly())
    world.crash(down="5h")
    world.add(hourly())
    assert OVERDUE == world.findings()
    world.finish("job")
    assert {} == world.findings()


def test_a_clock_that_is_set_changes_nothing(world):
    world.busy.add("job")
    world.add(hourly())
    world.set_wall("2031-01-05T00:00")
    assert {} == world.findings()
    world.set_wall("2020-01-05T00:00")
    world.go("1h59m")
    assert {} == world.findings()
    world.go("1m")
    assert OVERDUE == world.findings()


def test_a_clock_that_was_set_back_over_a_restart_leaves_the_whole_time(world):
    world.busy.add("job")
    world.add(hourly())
    world.set_wall("2020-01-05T00:00")
    world.crash()
    world.add(hourly())
    world.go("1h59m")
    assert {} == world.findings()
    world.go("1m")
    assert OVERDUE == world.findings()


def test_an_overdue_success_is_an_event_for_others(world):
    world.add(Task("call", nothing, triggers=[EventTrigger("task.job.overdue")]))
    world.busy.add("job")
    world.add(hourly())
    world.go("2h")
    assert ["event"] == world.causes("call")


def test_a_task_that_is_removed_is_not_waited_for(world):
    world.busy.add("job")
    world.add(hourly())
    world.go("2h")
    world.remove("job")
    assert {} == world.findings()
    world.add(hourly())
    world.remove("job")
    world.go("4h")
    assert {} == world.findings()


def test_a_longer_time_counts_at_once(world):
    world.busy.add("job")
    world.add(hourly())
    world.go("2h")
    world.replace(hourly("5h"))
    assert {} == world.findings()
    world.go("3h")
    assert ["job has not succeeded for 5h, within which it was expected to"] == list(world.findings().values())


def test_what_is_told_says_since_when_and_within_what_time_it_was_expected(world):
    world.add(Task("call", nothing, triggers=[EventTrigger("task.job.overdue")]))
    world.busy.add("job")
    began = world.now.wall
    world.add(hourly())
    world.go("2h")
    assert list(OVERDUE.values()) == world.said
    assert {"since": began, "within": "2h"} == world.begun[-1].event.payload


def test_a_success_counts_from_its_own_time_over_a_restart_too(world):
    world.busy.add("job")
    world.add(hourly())
    world.go("1h30m")
    world.finish("job")
    world.crash()
    world.add(hourly())
    world.go("1h59m")
    assert {} == world.findings()
    world.go("1m")
    assert OVERDUE == world.findings()


def test_a_task_from_which_nothing_is_expected_any_more_is_not_waited_for(world):
    world.busy.add("job")
    world.add(hourly())
    world.go("1h")
    world.replace(Task("job", nothing, triggers=[PeriodicTrigger("1h")]))
    world.go("5h")
    assert ({}, []) == (world.findings(), world.notices)
