"""Slots and who gets them: nothing is lost, the urgent goes first, nothing starves."""

import pytest

from dms.background_tasks.agenda.decision import Succeeded
from dms.background_tasks.tasks.task import Lane, Task
from dms.background_tasks.triggers.trigger import PeriodicTrigger


def nothing():
    pass


def test_no_more_run_at_once_than_there_are_slots_and_none_is_lost(make_world):
    world = make_world(slots=3)
    names = [f"task-{number}" for number in range(10)]
    world.busy.update(names)
    world.add(*(Task(name, nothing) for name in names))
    for name in names:
        world.run(name)
    most = len(world.running)
    while world.running:
        world.finish(next(iter(world.running.values())).task.name)
        most = max(most, len(world.running))

    assert 3 == most
    assert names == world.order()


def test_the_more_urgent_goes_first_and_of_equals_the_one_that_was_due_first(make_world):
    world = make_world(slots=1)
    world.busy.add("hog")
    world.add(Task("hog", nothing))
    world.add(*(Task(name, nothing, priority=priority) for name, priority in (("c", 1), ("a", -1), ("d", 1), ("b", 0))))
    world.run("hog")
    for name in "cadb":
        world.run(name)
    world.finish("hog")

    assert ["hog", "a", "b", "c", "d"] == world.order()


def test_a_run_of_low_priority_waits_no_longer_than_its_priority_says(make_world):
    """multica-ai/multica#8551: a stream of urgent work overtook an older run for about an hour.

    Priority 3 and a quantum of ten minutes: it is overtaken only by what comes within half an hour."""
    world = make_world(slots=1, aging_quantum=600_000_000)
    world.busy.add("urgent")
    world.add(
        Task("urgent", nothing, triggers=[PeriodicTrigger("10m", at_start=True)], overlap="queue", queue_limit=100)
    )
    world.add(Task("low", nothing, priority=3))
    world.run("low")
    for _ in range(12):
        world.go("10m")
        world.finish("urgent")

    assert ["2026-01-05T00:30"] == world.runs("low")


def test_the_nodes_own_tasks_have_slots_of_their_own(make_world):
    world = make_world(slots=1, node_slots=1)
    world.busy.update(["hog", "own"])
    world.add(Task("hog", nothing), Task("next", nothing), Task("own", nothing, lane=Lane.NODE))
    for name in ("hog", "next", "own"):
        world.run(name)

    assert ["hog", "own"] == world.order()
    assert (1, 1) == (world.agenda.attempts.running_count(), world.agenda.attempts.running_count(Lane.NODE))


def test_a_task_that_moves_to_the_other_lane_while_it_runs_gives_back_the_slot_that_it_took(make_world):
    world = make_world(slots=1, node_slots=1)
    world.busy.add("job")
    world.add(Task("job", nothing))
    world.run("job")
    world.replace(Task("job", nothing, lane=Lane.NODE))
    world.finish("job")

    assert (0, 0) == (world.agenda.attempts.running_count(), world.agenda.attempts.running_count(Lane.NODE))


def test_a_priority_that_changes_counts_from_the_next_run_on(make_world):
    world = make_world(slots=1)
    world.busy.add("hog")
    world.add(Task("hog", nothing), Task("one", nothing, priority=5), Task("two", nothing))
    for name in ("hog", "one", "two"):
        world.run(name)
    world.replace(Task("one", nothing, priority=-5))
    world.finish("hog")

    assert ["hog", "two", "one"] == world.order()


def test_who_waits_is_told_in_the_order_in_which_it_will_start(make_world):
    world = make_world(slots=1)
    world.busy.add("hog")
    world.add(Task("hog", nothing), Task("low", nothing, priority=1), Task("high", nothing, priority=-1))
    for name in ("hog", "low", "high"):
        world.run(name)

    assert ["high", "low"] == [attempt.task.name for attempt in world.agenda.attempts.waiting()]


@pytest.mark.parametrize("stored", [True, False])
def test_a_thousand_waiting_runs_of_one_task_end_one_by_one(make_world, stored):
    world = make_world(slots=1_000, stored=stored)
    world.busy.add("job")
    world.add(Task("job", nothing, overlap="allow", max_instances=1_000))
    for _ in range(1_000):
        world.agenda.fire(1, None, world.now)
    world.turn()
    while world.running:
        world._finish(next(reversed(world.running.values())), Succeeded())
    world.turn()

    assert ["success"] * 1_000 == world.ends("job")
