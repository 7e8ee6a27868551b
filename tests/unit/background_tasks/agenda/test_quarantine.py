"""A task that was running in one crash after another is held back until somebody lets it go on."""

import pytest

from dms.background_tasks.asking.view import view_of
from dms.background_tasks.tasks.task import Task
from dms.background_tasks.triggers.event_trigger import EventTrigger
from dms.background_tasks.triggers.trigger import PeriodicTrigger

REASON = "it was running in each of the last 3 crashes"


def nothing():
    pass


def every(interval="1m", name="job", **fields):
    return Task(name, nothing, triggers=[PeriodicTrigger(interval)], **fields)


@pytest.fixture
def world(make_world):
    made = make_world(quarantine_after=3)
    made.busy |= {"job", "other"}
    return made


def crash(world, *tasks, times=1):
    """The task runs, and the process is gone."""
    for _ in range(times):
        world.go("1m")
        world.crash()
        world.add(*tasks)


def state(world):
    view = view_of(world.agenda.entries[world.id_of("job")], world.agenda, {})
    return view.state, view.reason


def test_after_so_many_crashes_in_a_row_it_is_parked_with_the_reason_and_does_not_run_by_itself(world):
    world.add(every())
    crash(world, every(), times=3)
    begun = len(world.begun)
    world.go("1h")

    assert ("parked", REASON) == state(world)
    assert begun == len(world.begun) == 3
    why = f"job: {REASON}; `dms task resume job`, or a run by hand, lets it go on"
    assert {("quarantine", "job"): why} == world.findings()
    assert [("job", "quarantined")] == world.notices


def test_one_crash_fewer_holds_nothing_back(world):
    world.add(every())
    crash(world, every(), times=2)
    world.go("1m")
    assert ("running", "") == state(world)
    assert {} == world.findings()


def test_a_crash_in_which_it_did_not_run_begins_the_count_anew(world):
    world.add(every())
    crash(world, every(), times=2)
    world.crash()
    world.add(every())
    crash(world, every(), times=2)
    assert {} == world.findings()
    crash(world, every())
    assert [("quarantine", "job")] == list(world.findings())


def test_a_success_between_crashes_begins_the_count_anew(world):
    world.add(every())
    crash(world, every(), times=2)
    world.go("1m")
    world.finish("job")
    crash(world, every(), times=2)
    assert {} == world.findings()


def test_a_clean_stop_is_no_crash(world):
    world.add(every())
    for _ in range(4):
        world.go("1m")
        world.agenda.stop(world.now)
        world.turn()
        world.crash()
        world.add(every())
    assert {} == world.findings()


def test_a_run_that_went_well_for_hours_is_not_held_to_have_to_do_with_a_crash(world):
    """A service that always runs must not be held back for three power cuts in three days."""
    other = every("1m", "tick")
    world.add(every(), other)
    for _ in range(4):
        world.go("3h")
        world.crash()
        world.add(every(), other)
    assert {} == world.findings()


def test_others_that_ran_too_are_counted_each_for_itself(world):
    world.add(every())
    crash(world, every(), every(name="other"), times=2)
    crash(world, every(), every(name="other"))
    assert [("quarantine", "job")] == list(world.findings())


def test_it_survives_restarts_without_being_told_as_new(world):
    world.add(every())
    crash(world, every(), times=3)
    world.alerts.clear()
    crash(world, every(), times=2)
    assert ("parked", REASON) == state(world)
    assert [("quarantine", "job")] == list(world.findings())
    assert [("job", "quarantined")] == world.notices


def test_whoever_resumes_it_lets_it_go_on_and_the_count_begins_anew(world):
    world.add(every())
    crash(world, every(), times=3)
    world.resume("job")
    assert {} == world.findings()
    assert world.store._tasks[world.id_of("job")].state.watched is None
    crash(world, every(), times=2)
    assert {} == world.findings()
    assert 5 == len(world.begun)


def test_a_run_by_hand_lets_it_go_on(world):
    world.add(every())
    crash(world, every(), times=3)
    world.run("job")
    assert {} == world.findings()
    world.finish("job")
    world.go("1m")
    assert ["operator", "schedule"] == world.causes("job")[3:]


def test_a_pause_does_not_end_it(world):
    world.add(every())
    crash(world, every(), times=3)
    world.pause("job", until="2026-01-05T00:10")
    world.go("1h")
    assert ("parked", REASON) == state(world)


def test_what_must_run_at_least_once_waits_too_and_runs_once_it_is_let_go(world):
    task = every("1h", durability="at_least_once")
    world.add(task)
    world.go("59m")
    crash(world, every("1h", durability="at_least_once"), times=3)
    world.go("5m")
    assert 3 == len(world.begun)
    world.crash()
    world.add(every("1h", durability="at_least_once"))
    world.go("5m")
    assert 3 == len(world.begun)
    world.resume("job")
    assert ("crash", 1) == (world.begun[-1].cause, world.begun[-1].attempt)
    assert {begun.run_id for begun in world.begun} == {world.begun[0].run_id}


def test_zero_never_holds_anything_back(make_world):
    world = make_world(quarantine_after=0)
    world.busy.add("job")
    world.add(every())
    crash(world, every(), times=6)
    assert {} == world.findings()


def test_a_quarantine_is_an_event_for_others(world):
    call = Task("call", nothing, triggers=[EventTrigger("task.job.quarantined")])
    world.add(every(), call)
    crash(world, every(), call, times=3)
    assert ["event"] == world.causes("call")


def test_the_count_is_on_disk_though_the_process_dies_before_the_task_is_there_again(world):
    task = every("1h", durability="at_least_once")
    world.add(task)
    world.go("59m")
    crash(world, task)
    world.turn()
    world.crash()
    world.turn()
    world.crash()
    world.add(every("1h", durability="at_least_once"))
    assert {} == world.findings()


def test_a_task_that_is_removed_takes_its_finding_with_it(world):
    world.add(every())
    crash(world, every(), times=3)
    world.remove("job")
    assert {} == world.findings()


def test_what_is_told_says_how_many_crashes_there_were(world):
    call = Task("call", nothing, triggers=[EventTrigger("task.job.quarantined")])
    world.add(every(), call)
    crash(world, every(), call, times=3)
    assert [f"job: {REASON}; `dms task resume job`, or a run by hand, lets it go on"] == world.said
    assert {"crashes": 3} == world.begun[-1].event.payload


def test_one_crash_is_enough_where_that_is_wanted(make_world):
    world = make_world(quarantine_after=1)
    world.busy.add("job")
    world.add(every())
    crash(world, every())
    assert ("parked", "it was running in a crash") == state(world)


def test_a_run_of_just_an_hour_is_not_held_to_have_to_do_with_a_crash(world):
    tick = every("1m", "tick")
    for length, quarantined in (("60m", False), ("59m", True)):
        world.add(every("1h", "job", enabled=False), tick)
        world.resume("job")
        for _ in range(3):
            world.run("job")
            world.go(length)
            world.crash()
            world.add(every("1h", "job", enabled=False), tick)
        assert quarantined == bool(world.findings())
        world.remove("job")


def test_a_quarantined_task_that_is_changed_stays_so_and_is_not_told_of_again(world):
    world.add(every())
    crash(world, every(), times=3)
    world.replace(every("2m"))
    world.go("1h")
    assert ("parked", REASON) == state(world)
    assert [("job", "quarantined")] == world.notices


def test_one_that_is_let_go_before_anybody_was_told_is_not_told_of(world):
    world.add(every())
    crash(world, every(), times=2)
    world.go("1m")
    world.crash()
    world.agenda.add(every(), world.id_of("job"), world.now)
    world.resume("job")
    assert ({}, []) == (world.findings(), world.notices)
