"""What has to be on disk before what, and what goes on while the disk does not answer."""

import pytest

from dms.background_tasks.agenda.decision import Failed
from dms.background_tasks.store import PutExecution, PutState, PutTask
from dms.background_tasks.tasks.retry import RetryPolicy
from dms.background_tasks.tasks.task import Task
from dms.background_tasks.triggers.trigger import OneTimeTrigger, PeriodicTrigger


def nothing():
    pass


def every(interval, name="job", **fields):
    return Task(name, nothing, triggers=[PeriodicTrigger(interval)], **fields)


@pytest.fixture
def slow(world):
    """A world with a task `job` and another, `light`, that needs no disk; from here on the disk is slow."""
    world.busy.add("job")
    world.add(Task("job", nothing), Task("light", nothing, durability="none"))
    world.disk = "slow"
    return world


def statuses(save):
    return [change.execution.status.value for change in save.changes if isinstance(change, PutExecution)]


def test_a_durable_start_waits_until_it_is_on_disk_and_nothing_else_does(slow):
    slow.run("job")
    slow.run("light")
    assert ["light"] == slow.order()

    slow.acknowledge()
    assert ["light", "job"] == slow.order()


def test_a_start_that_is_not_on_disk_yet_holds_its_slot(slow):
    slow.run("job")

    assert 1 == slow.agenda.attempts.running_count()


def test_all_starts_that_are_due_together_and_their_marks_share_one_commit(world):
    world.add(*(every("1m", f"task-{number}") for number in range(4)))
    world.disk = "slow"
    world.go("1m")

    (save,) = world.unsaved
    assert ["starting"] * 4 == statuses(save)
    assert 4 == sum(isinstance(change, PutState) for change in save.changes)


def test_an_end_is_told_once_it_is_on_disk(slow):
    slow.run("job")
    slow.acknowledge()
    slow.finish("job")
    assert [] == slow.ends("job")

    slow.acknowledge()
    assert ["success"] == slow.ends("job")


def test_an_end_frees_its_slot_without_waiting_for_the_disk(slow):
    slow.run("job")
    slow.acknowledge()
    slow.finish("job")

    assert 0 == slow.agenda.attempts.running_count()


def test_an_operator_is_promised_a_durable_run_once_it_is_on_disk(slow):
    assert slow.run("job", "ticket") is None

    slow.acknowledge()
    assert "1-1" == slow.answers["ticket"].id


def test_a_run_that_waits_is_on_disk_too(make_world):
    world = make_world(slots=1)
    world.busy.add("hog")
    world.add(Task("hog", nothing), Task("job", nothing))
    world.run("hog")
    world.run("job")

    assert ["waiting"] == world.in_store("job")


def test_a_start_whose_batch_failed_waits_until_the_disk_works_again(slow):
    slow.run("job")
    slow.refuse()
    assert ([], 0) == (slow.order(), slow.agenda.attempts.running_count())

    slow.go("1s")
    slow.acknowledge()
    slow.acknowledge()
    assert ["job"] == slow.order()


def test_while_the_disk_fails_nothing_durable_starts_and_everything_else_does(slow):
    slow.add(every("1m", "tick"), every("1m", "tock", durability="none"))
    slow.refuse()
    slow.go("3m")

    assert [] == slow.runs("tick")
    assert 3 == len(slow.runs("tock"))


def test_a_failing_disk_is_told_of_and_so_is_that_it_works_again(slow):
    slow.run("job")
    slow.refuse()
    assert "the disk is full; durable tasks wait until it works again" == slow.alerts[-1].message

    slow.go("1s")
    slow.acknowledge()
    assert "" == slow.alerts[-1].message


def test_a_save_that_failed_is_tried_each_second_and_no_oftener(slow):
    slow.run("job")
    attempts = 0
    for _ in range(5):
        attempts += len(slow.unsaved)
        slow.refuse()
        slow.turn()
        assert [] == slow.unsaved
        slow.go("1s")

    assert 5 == attempts


def test_nothing_of_a_failed_batch_is_lost(slow):
    slow.add(every("1m", "tick"))
    slow.pause("tick", until="2026-01-06T00:00")
    slow.pause(until="2026-01-07T00:00")
    while slow.unsaved:
        slow.refuse()
    slow.go("1s")
    slow.disk = "quick"
    while slow.unsaved:
        slow.acknowledge()
    slow.crash()
    slow.add(every("1m", "tick"))

    assert slow.agenda.entries[slow.id_of("tick")].pause is not None
    assert slow.agenda.orders.of_all is not None


def test_one_batch_is_under_way_at_a_time_and_the_next_holds_all_that_came_meanwhile(slow):
    slow.run("job")
    slow.pause()
    slow.resume()
    slow.pause("light")
    assert 1 == len(slow.unsaved)

    slow.acknowledge()
    assert 1 == len(slow.unsaved)
    slow.acknowledge()
    assert [] == slow.unsaved


def test_a_mark_never_outlives_the_run_that_it_stands_for(slow):
    """The batch with the mark and the start fails; what came after it must not take the mark to the disk alone."""
    slow.disk = "quick"
    slow.add(every("1m", "tick", durability="at_least_once"))
    slow.disk = "slow"
    slow.go("1m")
    slow.pause("tick")
    slow.refuse()
    slow.disk = "quick"
    while slow.unsaved:
        slow.acknowledge()
    slow.crash()
    slow.add(every("1m", "tick", durability="at_least_once"))

    assert ["2026-01-05T00:01"] == slow.labels("tick")


def test_a_later_state_is_not_overwritten_by_an_earlier_one_whose_batch_failed(slow):
    slow.pause()
    slow.resume()
    slow.refuse()
    slow.disk = "quick"
    slow.go("1s")
    slow.crash()

    assert slow.agenda.orders.of_all is None


def test_an_end_is_not_overwritten_by_its_start_whose_batch_failed(world):
    world.add(Task("job", nothing, overlap="cancel_running"))
    world.disk = "slow"
    world.run("job")
    world.run("job")
    world.refuse()
    world.disk = "quick"
    world.go("1s")

    assert ["cancelled", "success"] == world.in_store("job")
    assert ["cancelled", "success"] == world.ends("job")


def test_a_start_that_is_cancelled_before_it_is_on_disk_never_runs(world):
    world.add(Task("job", nothing, overlap="cancel_running"))
    world.disk = "slow"
    world.run("job")
    world.run("job")
    while world.unsaved:
        world.acknowledge()

    assert ["1-2"] == [begun.id for begun in world.begun]
    assert ["cancelled", "success"] == world.in_store("job")


def test_a_run_that_is_overtaken_in_the_very_turn_of_its_fire_is_in_the_history_too(world):
    world.add(Task("job", nothing, overlap="cancel_running"))
    for _ in range(2):
        world.agenda.fire(world.id_of("job"), None, world.now)
    world.turn()

    assert ["cancelled", "success"] == world.in_store("job")


def test_a_task_that_is_removed_before_its_start_is_on_disk_does_not_run(slow):
    slow.run("job")
    slow.remove("job")
    while slow.unsaved:
        slow.acknowledge()

    assert [] == slow.order()
    assert ["cancelled"] == slow.in_store("job")
    assert 0 == slow.agenda.attempts.running_count()


def test_a_run_held_back_by_a_failing_disk_keeps_its_place(make_world):
    world = make_world(slots=1, aging_quantum=60_000_000)
    world.add(Task("old", nothing, priority=3), Task("new", nothing))
    world.disk = "slow"
    world.run("old")
    world.refuse()
    world.go("10m")
    world.run("new")
    world.disk = "quick"
    while world.unsaved:
        world.acknowledge()
    world.go("1s")

    assert ["old", "new"] == world.order()


def test_without_a_store_nothing_is_saved_whatever_a_task_says(make_world):
    world = make_world(stored=False)
    world.disk = "slow"
    world.add(every("1m", durability="at_most_once"))
    world.go("1m")

    assert [] == world.unsaved
    assert ["success"] == world.ends("job")


def test_a_task_without_durability_leaves_nothing_but_its_definition(world):
    world.add(every("1m", durability="none"))
    world.go("3m")

    assert [] == world.in_store("job")
    assert 3 == len(world.begun)


def test_a_task_that_comes_again_unchanged_writes_nothing(world):
    world.add(every("1m"))
    world.crash()
    world.disk = "slow"
    world.add(every("1m"))

    assert [] == world.unsaved


def test_a_changed_definition_is_written(world):
    world.add(every("1m"))
    world.disk = "slow"
    world.replace(every("2m"))

    assert [PutTask] == [type(change) for change in world.unsaved[0].changes]


# ── stop ──


def test_after_a_stop_nothing_starts_and_what_waits_stays_on_disk(make_world):
    world = make_world(slots=1)
    world.busy.update(["hog", "job"])
    world.add(Task("hog", nothing), Task("job", nothing), every("1m", "tick"))
    world.run("hog")
    world.run("job")
    world.agenda.stop(world.now)
    world.finish("hog")
    world.go("1h")
    assert ["hog"] == world.order()

    world.crash()
    world.add(Task("job", nothing))
    assert ["hog", "job"] == world.order()


def test_after_a_stop_an_operator_is_refused(world):
    world.add(Task("job", nothing))
    world.agenda.stop(world.now)

    assert "the scheduler is stopping" == world.run("job", "ticket")


@pytest.mark.parametrize("acknowledged", [True, False])
def test_a_start_that_is_not_on_disk_at_the_stop_waits_for_the_next_process(slow, acknowledged):
    slow.run("job")
    slow.agenda.stop(slow.now)
    if acknowledged:
        slow.acknowledge()
    slow.agenda.attempts.abandon(slow.now)
    slow.turn()
    while slow.unsaved:
        slow.acknowledge()
    assert ([], ["waiting"]) == (slow.order(), slow.in_store("job"))
    assert 0 == slow.agenda.attempts.running_count()

    slow.disk = "quick"
    slow.crash()
    slow.add(Task("job", nothing))
    assert ["job"] == slow.order()


@pytest.mark.parametrize(("durability", "again"), [("at_most_once", []), ("at_least_once", [1])])
def test_a_stop_uses_up_no_attempt(world, durability, again):
    task = Task("job", nothing, durability=durability, retry_policy=RetryPolicy(1, "1m"))
    world.busy.add("job")
    world.add(task)
    world.run("job")
    world.agenda.stop(world.now)
    world.agenda.attempts.cancel_running("the scheduler stopped", world.now)
    world.finish("job", Failed("killed"))
    assert ["interrupted"] == world.ends("job")

    world.crash()
    world.add(task)
    assert again == [begun.attempt for begun in world.begun[1:]]


def test_what_ends_well_though_the_stop_told_it_to_end_has_succeeded(world):
    world.busy.add("job")
    world.add(Task("job", nothing, durability="at_least_once"))
    world.run("job")
    world.agenda.stop(world.now)
    world.agenda.attempts.cancel_running("the scheduler stopped", world.now)
    world.finish("job")
    world.crash()
    world.add(Task("job", nothing, durability="at_least_once"))

    assert (["success"], 1) == (world.ends("job"), len(world.begun))


def test_what_does_not_end_at_a_stop_is_abandoned_with_a_reason(world):
    world.busy.add("job")
    world.add(Task("job", nothing))
    world.run("job")
    world.agenda.stop(world.now)
    world.agenda.attempts.abandon(world.now)
    world.turn()

    assert "the scheduler stopped, and it did not stop when told to" == world.ended[0].error


def test_a_one_time_task_that_is_interrupted_by_a_stop_and_may_not_run_again_is_over_after_it(world):
    once = Task("once", nothing, triggers=[OneTimeTrigger(0)])
    world.busy.add("once")
    world.add(once)
    world.agenda.stop(world.now)
    world.agenda.attempts.cancel_running("the scheduler stopped", world.now)
    world.finish("once", Failed("killed"))
    world.crash()
    world.add(once)
    world.go("1h")

    assert 1 == len(world.begun)
    assert ["once"] == world.removed
