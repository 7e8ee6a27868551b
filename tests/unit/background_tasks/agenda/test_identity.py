"""A task is its name. The same definition again changes nothing of it, whatever it has before it."""

import pytest

from dms.background_tasks.agenda.decision import Failed
from dms.background_tasks.tasks.concurrency import Concurrency
from dms.background_tasks.tasks.retry import RetryPolicy
from dms.background_tasks.tasks.task import Task
from dms.background_tasks.triggers.trigger import PeriodicTrigger


def nothing():
    pass


def every_hour(**fields):
    return Task("job", nothing, triggers=[PeriodicTrigger("1h"), PeriodicTrigger(cron="30 * * * *")], **fields)


def come_again(world, how, make):
    """The same definition comes once more: to a process that runs, or to the next one."""
    if how == "restart":
        world.crash()
        world.add(make())
    else:
        world.replace(make())


both = pytest.mark.parametrize("how", ["update", "restart"])


@both
def test_its_phase_and_its_marks_stay(world, how):
    world.add(every_hour())
    world.go("90m")
    come_again(world, how, every_hour)
    world.go("90m")

    assert [f"2026-01-05T{time}" for time in ("00:30", "01:00", "01:30", "02:00", "02:30", "03:00")] == world.runs(
        "job"
    )


@both
def test_its_queued_runs_stay_in_their_order(world, how):
    def make():
        return Task("job", nothing, overlap="queue", queue_limit=5, durability="at_least_once")

    world.busy.add("job")
    world.add(make())
    for number in range(3):
        world.run("job", number)
    queued = [begun.id for begun in world.begun] + [attempt.id for attempt in world.agenda.entries[1].queue]
    come_again(world, how, make)
    for _ in range(3):
        world.finish("job")

    assert queued[1:] == [begun.id for begun in world.begun][-2:]
    assert {} == world.skipped


@both
def test_its_retry_comes_at_its_time_and_as_the_same_attempt(world, how):
    def make():
        return Task("job", nothing, retry_policy=RetryPolicy(3, delay="10m"))

    world.busy.add("job")
    world.add(make())
    world.run("job")
    world.finish("job", Failed("no"))
    world.go("4m")
    come_again(world, how, make)
    world.go("5m")
    assert 1 == len(world.begun)

    world.go("1m")
    assert [1, 2] == [begun.attempt for begun in world.begun]


@both
def test_its_place_among_those_that_wait_for_a_key_or_a_gate_stays(world, how):
    def make():
        return Task("job", nothing, concurrency=Concurrency("disk"), hold_until=["network"])

    def holder():
        return Task("holder", nothing, concurrency=Concurrency("disk"), durability="at_least_once")

    world.busy.add("holder")
    world.add(holder(), make())
    world.run("holder")
    world.run("job")
    if how == "restart":
        world.crash()
        world.add(holder(), make())
    else:
        world.replace(holder())
        world.replace(make())
    world.agenda.observe({"network": True}, world.now)
    world.turn()
    assert {"holder"} == {attempt.task.name for attempt in world.running.values()}

    world.finish("holder")
    assert 1 == len(world.runs("job"))


def test_what_runs_is_left_to_finish_and_keeps_its_slot(make_world):
    world = make_world(slots=1)
    world.busy.add("job")
    world.add(every_hour(), Task("other", nothing))
    world.run("job")
    world.replace(every_hour())
    world.run("other")
    assert (["job"], []) == (world.order(), world.told)

    world.finish("job")
    assert ["job", "other"] == world.order()


@both
def test_its_pause_and_what_was_counted_of_it_stay(world, how):
    world.add(every_hour())
    world.pause("job")
    world.go("2h")
    come_again(world, how, every_hour)
    world.go("1h")

    assert ([], {"paused": 6}) == (world.runs("job"), world.agenda.entries[1].skipped)
