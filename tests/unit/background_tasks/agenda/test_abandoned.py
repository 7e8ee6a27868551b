"""A run that was given up and goes on all the same: its slot is free, and it stays in plain sight until it ends."""

import pytest

from dms.background_tasks.agenda.decision import Succeeded
from dms.background_tasks.tasks.task import Program, Task


def nothing():
    pass


@pytest.fixture
def stuck(world):
    """Gives up so many runs of a task; gives their IDs."""
    world.busy.add("job")
    world.add(Task("job", nothing, timeout="1m", kill_after=0))

    def give_up(times):
        for _ in range(times):
            world.run("job")
            world.go("1m")
        return [attempt.id for attempt in world.begun]

    return give_up


def counted(world):
    return world.agenda.attempts.abandoned.by_task


def hear(world, execution_id):
    """It ends by itself at last."""
    world.agenda.attempts.finished(execution_id, Succeeded(), world.now)
    world.turn()


def test_it_is_a_finding_and_a_count_of_its_task(world, stuck):
    stuck(2)
    message = world.findings()["abandoned", "job"]

    assert "2 runs of it that were given up go on" in message
    assert {"job": 2} == counted(world)
    assert 0 == world.agenda.attempts.running_count()


def test_both_go_when_it_ends_by_itself_at_last(world, stuck):
    first, second = stuck(2)
    hear(world, first)
    assert "a run of it that was given up goes on" in world.findings()["abandoned", "job"]

    hear(world, second)
    assert ({}, "") == (counted(world), world.findings().get(("abandoned", "job"), ""))


def test_what_ends_twice_or_was_never_given_up_changes_nothing(world, stuck):
    (first,) = stuck(1)
    hear(world, "9-9")
    assert {"job": 1} == counted(world)

    hear(world, first)
    hear(world, first)
    assert ({}, 2) == (counted(world), len(world.alerts))


def test_it_stays_in_sight_though_its_task_is_removed(world, stuck):
    (first,) = stuck(1)
    world.remove("job")
    assert {"job": 1} == counted(world)

    hear(world, first)
    assert {} == counted(world)


def test_a_program_that_was_killed_and_is_gone_is_none_of_them(world):
    world.busy.add("job")
    world.add(Task("job", Program(("sleep", "1000")), timeout="1m", kill_after="10s"))
    world.run("job")
    world.go("1m10s")
    world.finish("job")

    assert {} == counted(world)


def test_what_is_given_up_at_a_stop_is_told_by_the_stop_and_not_once_more(world):
    world.busy.add("job")
    world.add(Task("job", nothing))
    world.run("job")
    world.agenda.stop(world.now)
    world.agenda.attempts.abandon(world.now)
    world.go("1s")

    assert ["abandoned"] == world.ends("job")
    assert {} == counted(world)
