"""The process is gone at any instant: what the next one makes of what is on disk."""

import pytest

from dms.background_tasks.agenda.decision import Failed
from dms.background_tasks.tasks.retry import RetryPolicy
from dms.background_tasks.tasks.task import Task
from dms.background_tasks.triggers.event_trigger import EventTrigger
from dms.background_tasks.triggers.trigger import OneTimeTrigger, PeriodicTrigger


def nothing():
    pass


def every(interval, name="job", **fields):
    return Task(name, nothing, triggers=[PeriodicTrigger(interval)], **fields)


def parked(name="job", **fields):
    return Task(name, nothing, parked="it can't be imported", **fields)


def test_a_run_that_was_cut_off_is_interrupted_and_does_not_run_again(world):
    world.busy.add("job")
    world.add(every("1h"))
    world.go("1h")
    world.crash(down="1m")
    world.add(every("1h"))
    world.go("30m")

    assert ["interrupted"] == world.in_store("job")
    assert ["2026-01-05T01:00"] == world.labels("job")


def test_a_run_that_was_cut_off_runs_again_as_the_same_attempt_where_it_must_run_at_least_once(world):
    world.busy.add("job")
    task = every("1h", durability="at_least_once")
    world.add(task)
    world.go("1h")
    world.crash(down="1m")
    world.add(task)

    assert ["interrupted", "starting"] == world.in_store("job")
    assert ["2026-01-05T01:00"] * 2 == world.labels("job")
    assert [1, 1] == [begun.attempt for begun in world.begun]
    assert ["schedule", "crash"] == world.causes("job")
    assert 1 == len({begun.run_id for begun in world.begun})
    assert 2 == len({begun.id for begun in world.begun})


def test_a_start_that_was_not_on_disk_did_not_happen(world):
    world.add(every("1h", catch_up="one"))
    world.disk = "slow"
    world.go("1h")
    world.disk = "quick"
    world.crash(down="1m")
    world.add(every("1h", catch_up="one"))

    assert ["2026-01-05T01:00"] == world.labels("job")
    assert ["catch_up"] == world.causes("job")


def test_a_start_that_was_on_disk_though_nobody_was_told_is_not_done_twice(world):
    world.add(every("1h"))
    world.disk = "slow"
    world.go("1h")
    world.store.save(world.unsaved[0].changes).result()
    world.disk = "quick"
    world.crash(down="1m")
    world.add(every("1h"))

    assert [] == world.begun
    assert ["interrupted"] == world.in_store("job")


def test_a_second_crash_before_anything_was_written_changes_nothing(world):
    world.busy.add("job")
    task = every("1h", durability="at_least_once")
    world.add(task)
    world.go("1h")
    for _ in range(3):
        world.disk = "slow"
        world.crash()
        world.add(task)
    world.disk = "quick"
    world.crash()
    world.add(task)

    assert ["schedule", "crash"] == world.causes("job")
    assert ["interrupted", "starting"] == world.in_store("job")


def test_a_run_that_must_run_at_least_once_is_not_given_up_before_its_task_is_back(world):
    """The first process after the crash can't load the function; the next one can."""
    world.busy.add("job")
    task = every("1h", durability="at_least_once")
    world.add(task)
    world.go("1h")
    world.crash()
    world.add(parked())
    world.crash()
    world.add(task)

    assert ["schedule", "crash"] == world.causes("job")


def test_a_run_that_was_cut_off_while_its_task_is_gone_is_interrupted(world):
    world.busy.add("job")
    world.add(Task("job", nothing, durability="at_least_once"))
    world.run("job")
    world.remove("job")
    world.crash()
    world.turn()

    assert ["interrupted"] == world.in_store("job")


def test_a_queue_survives(world):
    world.busy.add("job")
    task = Task("job", nothing, overlap="queue", queue_limit=5)
    world.add(task)
    for _ in range(4):
        world.run("job")
        world.go("1s")
    world.crash()
    world.add(task)
    for _ in range(3):
        world.finish("job")

    assert [f"2026-01-05T00:00:0{second}" for second in (1, 2, 3)] == world.labels("job")[1:]


def test_an_event_whose_run_waits_survives_with_what_it_brought(make_world):
    world = make_world(slots=1)
    world.busy.add("hog")
    task = Task("job", nothing, triggers=[EventTrigger("door.opened")])
    world.add(Task("hog", nothing), task)
    world.run("hog")
    world.emit("door.opened", {"by": "cat"})
    world.crash()
    world.add(task)

    assert {"by": "cat"} == world.begun[-1].event.payload


def test_what_was_skipped_stays_counted(world):
    world.add(every("1h"))
    world.pause("job")
    world.go("3h")
    world.crash()
    world.add(every("1h"))

    assert {"paused": 3} == world.agenda.entries[world.id_of("job")].skipped


def test_a_disabled_task_stays_so(world):
    world.add(every("1h"))
    world.replace(every("1h", enabled=False))
    world.crash()
    world.add(every("1h", enabled=False))
    world.go("3h")

    assert [] == world.begun


def test_a_removed_task_is_not_remembered(world):
    world.add(every("1h"))
    world.remove("job")
    world.crash(down="5h")
    world.add(every("1h"))
    world.go("1h")

    assert ["2026-01-05T06:00"] == world.runs("job")
    assert 0 == world.skipped.total()


def test_a_removed_parked_task_leaves_nothing_unfinished(make_world):
    world = make_world(slots=1)
    world.busy.add("hog")
    world.add(Task("hog", nothing), every("1h"))
    world.run("hog")
    world.run("job")
    world.crash()
    world.add(parked())
    world.remove("job")
    world.crash()
    world.add(every("1h"))

    assert ["cancelled"] == world.in_store("job")
    assert [] == world.runs("job")


def test_what_nobody_declares_any_more_is_forgotten_and_what_waits_of_it_is_cancelled(make_world):
    world = make_world(slots=1)
    world.busy.add("hog")
    world.add(Task("hog", nothing), every("1h", origin="declared"))
    world.run("hog")
    world.run("job")
    world.crash()
    world.agenda.drop_undeclared("declared", world.now)
    world.turn()
    world.crash()

    assert ["cancelled"] == world.in_store("job")
    assert "job" not in world.agenda._memory.tasks


def test_a_declared_task_that_is_parked_is_not_forgotten(world):
    task = every("1h", origin="declared")
    world.add(task)
    world.crash()
    world.add(parked(origin="declared"))
    world.agenda.drop_undeclared("declared", world.now)
    world.turn()
    world.crash(down="90m")
    world.add(task)

    assert ["2026-01-05T01:00"] == world.labels("job")


# ── parked ──


def test_a_parked_task_goes_on_in_its_phase_once_it_is_repaired(world):
    world.add(every("1h"))
    world.go("90m")
    world.crash()
    world.add(parked())
    world.go("2h")
    world.replace(every("1h"))

    assert ["2026-01-05T01:00", "2026-01-05T03:00"] == world.labels("job")
    world.go("30m")
    assert "2026-01-05T04:00" == world.runs("job")[-1]


def test_a_task_that_is_parked_while_the_process_runs_keeps_its_phase_too(world):
    world.add(every("1h"))
    world.go("90m")
    world.replace(parked())
    world.go("1h")
    world.replace(every("1h"))
    world.go("30m")

    assert ["2026-01-05T01:00", "2026-01-05T02:00", "2026-01-05T03:00"] == world.labels("job")


def test_the_marks_of_a_parked_task_survive_a_crash(world):
    world.add(every("1h"))
    world.go("90m")
    world.replace(parked())
    world.pause("job")
    world.resume("job")
    world.crash()
    world.add(every("1h"))
    world.go("30m")

    assert ["2026-01-05T01:00", "2026-01-05T02:00"] == world.runs("job")


def test_a_pause_that_ended_while_its_task_was_parked_has_ended(world):
    world.add(every("1h"))
    world.pause("job")
    world.crash()
    world.add(parked())
    world.resume("job")
    world.replace(every("1h"))
    world.go("1h")

    assert 1 == len(world.begun)


def test_what_waits_of_a_task_that_is_parked_meanwhile_runs_as_it_was(make_world):
    world = make_world(slots=1)
    world.busy.add("hog")
    world.add(Task("hog", nothing), every("1h"))
    world.run("hog")
    world.run("job")
    world.replace(parked())
    world.finish("hog")

    assert ["hog", "job"] == world.order()
    assert ["success"] == world.ends("job")


def test_what_waits_of_a_task_that_comes_back_parked_waits_until_it_is_repaired(make_world):
    world = make_world(slots=1)
    world.busy.add("hog")
    world.add(Task("hog", nothing), every("1h"))
    world.run("hog")
    world.run("job")
    world.crash()
    world.add(parked())
    assert [] == world.runs("job")

    world.replace(every("1h"))
    assert 1 == len(world.runs("job"))


# ── one-time tasks ──


def once(**fields):
    return Task("once", nothing, triggers=[OneTimeTrigger("1m")], **fields)


def test_a_one_time_task_that_has_run_does_not_run_again_when_it_comes_again(world):
    world.add(once())
    world.go("1m")
    for _ in range(3):
        world.crash()
        world.add(once())
        world.go("5m")

    assert 1 == len(world.begun)
    assert {} == world.agenda.entries


def test_a_one_time_task_with_another_time_is_another_task(world):
    world.add(once())
    world.go("1m")
    world.crash()
    world.add(Task("once", nothing, triggers=[OneTimeTrigger("2m")]))
    world.go("5m")

    assert 2 == len(world.begun)


def test_a_one_time_task_that_was_cut_off_does_not_run_again(world):
    world.busy.add("once")
    world.add(once())
    world.go("1m")
    world.crash()
    world.add(once())
    world.go("5m")

    assert 1 == len(world.begun)
    assert ["interrupted"] == world.in_store("once")
    assert ["once"] == world.removed


def test_a_one_time_task_that_was_cut_off_runs_again_where_it_must_run_at_least_once(world):
    world.busy.add("once")
    world.add(once(durability="at_least_once"))
    world.go("1m")
    world.crash()
    world.add(once(durability="at_least_once"))
    world.finish("once")
    world.crash()
    world.add(once(durability="at_least_once"))
    world.go("5m")

    assert ["schedule", "crash"] == world.causes("once")


def test_a_one_time_task_whose_retry_waits_goes_on_with_it(world):
    world.busy.add("once")
    task = once(retry_policy=RetryPolicy(1, "1h"))
    world.add(task)
    world.go("1m")
    world.finish("once", Failed("no"))
    world.crash()
    world.add(task)
    world.go("1h")
    world.finish("once")
    world.crash()
    world.add(task)
    world.go("1d")

    assert [1, 2] == [begun.attempt for begun in world.begun]


@pytest.mark.parametrize("step", range(6))
def test_a_one_time_task_runs_once_wherever_the_crash_falls(make_world, step):
    """After each batch in turn: the definition, the start, the end."""
    world = make_world()
    world.disk = "slow"
    world.add(once())
    world.go("1m")
    for _ in range(step):
        if world.unsaved:
            world.acknowledge()
    before = len(world.begun)
    world.disk = "quick"
    world.crash()
    world.add(once())
    world.go("5m")

    assert 1 == len(world.begun) or (0, ["interrupted"]) == (len(world.begun), world.in_store("once"))
    assert before <= len(world.begun) <= 1


def test_of_one_time_tasks_that_are_over_so_many_stay_and_those_that_come_again_longest(world, monkeypatch):
    monkeypatch.setattr("dms.background_tasks.agenda.tombstones.MOST", 2)
    world.crash()
    world.add(*(Task(name, nothing, triggers=[OneTimeTrigger("1s")]) for name in "ab"))
    world.go("1s")
    world.crash()
    world.add(Task("a", nothing, triggers=[OneTimeTrigger("1s")]))
    world.add(Task("c", nothing, triggers=[OneTimeTrigger("1s")]))
    world.go("1s")
    assert ["a", "c"] == [task.name for task in world.store._tasks.values()]
    world.crash()
    world.add(*(Task(name, nothing, triggers=[OneTimeTrigger("1s")]) for name in "ac"))
    world.go("1s")
    assert (1, 1, 1) == tuple(len(world.runs(name)) for name in "abc")


def test_a_one_time_task_that_comes_again_while_the_process_lives_leaves_one_tombstone(world):
    for _ in range(3):
        world._ids.pop("job", None)
        world.add(Task("job", nothing, triggers=[OneTimeTrigger("1s")]))
        world.go("1s")
    assert 3 == len(world.runs("job"))
    assert 1 == len(world.store._tasks)


def test_a_one_time_task_with_another_time_takes_the_place_of_its_tombstone_whatever_their_number(world, monkeypatch):
    world.add(Task("job", nothing, triggers=[OneTimeTrigger("1s")]))
    world.go("1s")
    monkeypatch.setattr("dms.background_tasks.agenda.tombstones.MOST", 0)
    world.crash()
    world.add(Task("job", nothing, triggers=[OneTimeTrigger("1h")]))
    assert [None] == [task.state.finished for task in world.store._tasks.values()]
    world.crash()
    world.add(Task("job", nothing, triggers=[OneTimeTrigger("1h")]))
    world.go("1h")
    assert 2 == len(world.runs("job"))


def test_a_task_that_was_parked_from_its_first_sight_on_begins_once_it_is_repaired(world):
    world.add(parked())
    world.go("10m")
    world.replace(every("1h"))
    world.go("59m")
    assert [] == world.runs("job")
    world.go("1m")
    assert ["2026-01-05T01:10"] == world.labels("job")


def test_a_task_that_is_repaired_keeps_its_phase_though_the_clock_was_set_meanwhile(world):
    world.add(every("1h"))
    world.go("10m")
    world.replace(parked())
    world.set_wall("2026-01-05T05:35")
    world.replace(every("1h"))
    world.go("49m")
    assert [] == world.runs("job")
    world.go("1m")
    assert ["2026-01-05T06:25"] == world.runs("job")
