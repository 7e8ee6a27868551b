"""One fire that an operator wants left out."""

import pytest

from dms.background_tasks.tasks.task import Task
from dms.background_tasks.triggers.event_trigger import EventTrigger
from dms.background_tasks.triggers.trigger import OneTimeTrigger, PeriodicTrigger


def nothing():
    pass


def every(interval, **fields):
    return Task("job", nothing, triggers=[PeriodicTrigger(interval)], **fields)


def test_the_next_fire_is_left_out_and_the_one_after_it_runs(world):
    world.add(every("1h"))
    world.skip_next("job")
    world.go("2h")

    assert ["2026-01-05T02:00"] == world.runs("job")
    assert {("job", "skipped"): 1} == world.skipped
    assert {"skipped": 1} == world.agenda.entries[1].skipped


def test_asking_twice_leaves_out_one_fire(world):
    world.add(every("1h"))
    world.skip_next("job")
    world.skip_next("job")
    world.go("2h")

    assert ["2026-01-05T02:00"] == world.runs("job")


def test_it_can_be_taken_back(world):
    world.add(every("1h"))
    world.skip_next("job")
    world.skip_next("job", False)
    world.go("1h")

    assert ["2026-01-05T01:00"] == world.runs("job")


@pytest.mark.parametrize("durability", ["none", "at_most_once", "at_least_once"])
def test_it_outlives_a_crash(world, durability):
    task = every("1h", durability=durability)
    world.add(task)
    world.skip_next("job")
    world.crash()
    world.add(task)
    world.go("2h")

    assert ["2026-01-05T02:00"] == world.runs("job")


def test_what_was_skipped_is_not_skipped_again_after_a_crash(world):
    task = every("1h")
    world.add(task)
    world.skip_next("job")
    world.go("90m")
    world.crash()
    world.add(task)
    world.go("30m")

    assert ["2026-01-05T02:00"] == world.runs("job")


def test_an_event_counts_as_a_fire(world):
    world.add(Task("job", nothing, triggers=[EventTrigger("bell")]))
    world.skip_next("job")
    world.emit("bell", 1)
    world.emit("bell", 2)

    assert [2] == [begun.event.payload for begun in world.begun]


def test_a_fire_that_would_not_run_anyway_is_not_the_one(world):
    world.add(every("1h"))
    world.skip_next("job")
    world.pause("job")
    world.go("90m")
    world.resume("job")
    world.go("2h")

    assert ["2026-01-05T03:00"] == world.runs("job")
    assert {("job", "paused"): 1, ("job", "skipped"): 1} == world.skipped


def test_of_several_that_are_made_up_for_the_first_is_left_out(world):
    world.add(every("1h", catch_up="all", catch_up_limit=3))
    world.skip_next("job")
    world.sleep("3h")
    world.turn()

    assert ["2026-01-05T02:00", "2026-01-05T03:00"] == world.labels("job")


def test_an_operator_who_asks_for_a_run_gets_it(world):
    world.add(every("1h"))
    world.skip_next("job")
    world.run("job")
    world.go("1h")

    assert ["operator"] == world.causes("job")


def test_a_one_time_task_whose_only_fire_is_left_out_is_over(world):
    world.add(Task("job", nothing, triggers=[OneTimeTrigger("1h")]))
    world.skip_next("job")
    world.go("1h")

    assert [] == world.begun
    assert ["job"] == world.removed


def test_a_delay_counts_on_from_the_fire_that_was_left_out(world):
    world.add(Task("job", nothing, triggers=[PeriodicTrigger("1h", mode="fixed_delay")]))
    world.skip_next("job")
    world.go("2h")

    assert ["2026-01-05T02:00"] == world.runs("job")
