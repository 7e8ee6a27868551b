"""A fire while the task still runs, or waits for a slot."""

import pytest

from dms.background_tasks.agenda.decision import Cancelled, Failed
from dms.background_tasks.tasks.retry import RetryPolicy
from dms.background_tasks.tasks.task import Overlap, Program, Task
from dms.background_tasks.triggers.event_trigger import EventTrigger
from dms.background_tasks.triggers.trigger import OneTimeTrigger, PeriodicTrigger


def nothing():
    pass


def every(interval, name="job", **fields):
    return Task(name, nothing, triggers=[PeriodicTrigger(interval)], **fields)


def test_skip_runs_one_at_a_time_and_counts_the_rest(world):
    world.busy.add("job")
    world.add(every("1m"))
    world.go("5m")
    world.finish("job")
    world.go("1m")

    assert ["2026-01-05T00:01", "2026-01-05T00:06"] == world.runs("job")
    assert {("job", "overlap"): 4} == world.skipped


def test_waiting_for_a_slot_counts_as_running(make_world):
    world = make_world(slots=1)
    world.busy.add("hog")
    world.add(Task("hog", nothing), every("1m"))
    world.run("hog")
    world.go("3m")
    world.finish("hog")

    assert ["2026-01-05T00:01"] == world.labels("job")
    assert {("job", "overlap"): 2} == world.skipped


def test_queue_lets_so_many_wait_and_counts_the_rest(world):
    world.busy.add("job")
    world.add(every("1m", overlap="queue", queue_limit=2))
    world.go("5m")
    for _ in range(3):
        world.finish("job")

    assert ["2026-01-05T00:01", "2026-01-05T00:02", "2026-01-05T00:03"] == world.labels("job")
    assert {("job", "overlap"): 2} == world.skipped


def test_a_queued_run_that_waited_longer_than_its_window_is_missed(world):
    world.busy.add("job")
    world.add(every("1m", overlap="queue", queue_limit=5, catch_up_window="2m30s"))
    world.go("5m")
    world.finish("job")

    assert ["2026-01-05T00:01", "2026-01-05T00:03"] == world.labels("job")
    assert {("job", "missed"): 1} == world.skipped
    assert ["success", "cancelled"] == sorted(world.ends("job"), reverse=True)


def test_allow_runs_so_many_at_once(world):
    world.busy.add("job")
    world.add(every("1m", overlap="allow", max_instances=2))
    world.go("3m")

    assert 2 == len(world.running)
    assert {("job", "overlap"): 1} == world.skipped


def test_a_queue_moves_up_when_its_task_may_run_more_often_at_once(world):
    world.busy.add("job")
    world.add(every("1m", overlap="queue", queue_limit=2))
    world.go("3m")
    world.replace(every("1m", overlap="allow", max_instances=2))

    assert ["2026-01-05T00:01", "2026-01-05T00:02"] == world.labels("job")


def test_cancel_running_tells_what_runs_to_end_and_starts_once_it_has(world):
    world.busy.add("job")
    world.add(every("1m", overlap="cancel_running"))
    world.go("2m")
    first = world.begun[0].id
    assert [("cancel", first)] == world.told
    assert 1 == len(world.begun)

    world.finish("job", Cancelled())
    assert ["2026-01-05T00:01", "2026-01-05T00:02"] == world.labels("job")
    assert ["cancelled"] == world.ends("job")


def test_cancel_running_gives_up_what_does_not_end(world):
    world.busy.add("job")
    world.add(every("1m", overlap="cancel_running", kill_after="20s"))
    world.go("2m20s")

    assert ["abandoned"] == world.ends("job")
    assert ["2026-01-05T00:01", "2026-01-05T00:02:20"] == world.runs("job")


def test_cancel_running_kills_a_program_that_does_not_end(world):
    world.busy.add("job")
    program = Task("job", Program(("sleep", "1000")), overlap="cancel_running", kill_after=0)
    world.add(program)
    world.run("job")
    world.run("job")
    killed = world.begun[0].id

    assert [("cancel", killed), ("kill", killed)] == world.told
    world.finish("job", Cancelled())
    assert 2 == len(world.begun)


def test_cancel_running_replaces_what_waits_for_a_slot(make_world):
    world = make_world(slots=1)
    world.busy.add("hog")
    world.add(Task("hog", nothing), every("1m", overlap="cancel_running"))
    world.run("hog")
    world.go("3m")
    world.finish("hog")

    assert ["2026-01-05T00:03"] == world.labels("job")
    assert ["cancelled", "cancelled", "success"] == world.ends("job")


def test_what_waits_and_is_overtaken_again_and_again_takes_no_room(make_world):
    world = make_world(slots=1, stored=False)
    world.busy.add("hog")
    world.add(Task("hog", nothing), every("1s", overlap="cancel_running", timeout="1h"))
    world.run("hog")
    world.go("2000s")

    assert len(world.agenda.attempts._lanes["user"]._waiting) < 200
    assert len(world.agenda._alarms._boot) < 200


def test_the_alarms_of_runs_that_have_ended_take_no_room(make_world):
    world = make_world(stored=False)
    world.add(every("1s", timeout="1h"))
    world.go("2000s")

    assert len(world.agenda._alarms._boot) < 200


def test_a_one_time_task_whose_waiting_run_is_overtaken_by_an_operator_runs_once_and_is_gone(make_world):
    world = make_world(slots=1)
    world.busy.add("hog")
    task = Task("once", nothing, triggers=[OneTimeTrigger("1m")], overlap="cancel_running")
    world.add(Task("hog", nothing), task)
    world.run("hog")
    world.go("2m")
    world.run("once")
    assert [] == world.removed

    world.finish("hog")
    assert 1 == len(world.runs("once"))
    assert ["once"] == world.removed
    assert ["cancelled", "success"] == world.in_store("once")


def test_an_operator_is_refused_where_the_task_runs_and_its_overlap_is_skip(world):
    world.busy.add("job")
    world.add(Task("job", nothing))
    world.run("job")

    assert "job is running already; its overlap is skip" == world.run("job", "ticket")


@pytest.mark.parametrize(("overlap", "key"), [("queue", "queue_limit"), ("allow", "max_instances")])
def test_an_operator_is_refused_by_the_key_that_sets_the_limit(world, overlap, key):
    world.busy.add("job")
    world.add(Task("job", nothing, overlap=overlap))
    world.run("job")
    if key == "queue_limit":
        world.run("job")

    assert world.run("job", "ticket").endswith(f"its {key} allows: 1")


def test_an_operator_is_told_which_execution_is_on_its_way(world):
    world.busy.add("job")
    world.add(Task("job", nothing))

    assert "1-1" == world.run("job", "ticket").id
    assert ["1-1"] == [begun.id for begun in world.begun]


@pytest.mark.parametrize("how", ["pause", "disable"])
def test_an_operator_may_run_a_task_that_is_paused_or_disabled(world, how):
    world.add(Task("job", nothing, enabled=how != "disable"))
    if how == "pause":
        world.pause("job")
    world.run("job")

    assert ["operator"] == world.causes("job")


def test_an_operator_is_refused_for_a_parked_task_with_the_reason(world):
    world.add(Task("job", nothing, parked="it can't be imported"))

    assert "job is parked: it can't be imported" == world.run("job", "ticket")


def test_an_event_reaches_the_run_and_every_task_that_waits_for_its_topic(world):
    world.add(*(Task(name, nothing, triggers=[EventTrigger("door.opened")]) for name in ("one", "two")))
    world.emit("door.opened", {"by": "cat"})

    assert ["one", "two"] == world.order()
    assert [{"by": "cat"}] * 2 == [begun.event.payload for begun in world.begun]
    assert ["event"] == world.causes("one")


def test_an_event_fires_a_task_once_though_it_waits_for_it_twice(world):
    world.add(Task("job", nothing, triggers=[EventTrigger("door.opened"), EventTrigger("door.opened")]))
    world.emit("door.opened")

    assert ["job"] == world.order()


def test_an_event_for_a_paused_task_is_counted_and_for_a_disabled_one_is_not_heard(world):
    world.add(*(Task(name, nothing, triggers=[EventTrigger("door.opened")]) for name in ("one", "two")))
    world.pause("one")
    world.replace(Task("two", nothing, triggers=[EventTrigger("door.opened")], enabled=False))
    world.emit("door.opened")

    assert [] == world.begun
    assert {("one", "paused"): 1} == world.skipped


def test_the_end_of_a_task_fires_what_waits_for_it(world):
    world.busy.add("backup")
    world.add(Task("backup", nothing))
    world.add(Task("notice", nothing, triggers=[EventTrigger("task.backup.success")]))
    world.add(Task("alarm", nothing, triggers=[EventTrigger("task.backup.failed")]))
    world.run("backup")
    world.finish("backup")
    world.run("backup")
    world.finish("backup", Failed("disk"))

    assert ["backup", "notice", "backup", "alarm"] == world.order()
    assert "disk" == world.begun[-1].event.payload["error"]


def test_only_the_last_attempt_of_a_run_is_its_end(world):
    world.busy.add("backup")
    world.add(Task("backup", nothing, retry_policy=RetryPolicy(1, "1m")))
    world.add(Task("alarm", nothing, triggers=[EventTrigger("task.backup.failed")]))
    world.run("backup")
    world.finish("backup", Failed("disk"))
    assert ["backup"] == world.order()

    world.go("1m")
    world.finish("backup", Failed("disk"))
    assert ["backup", "backup", "alarm"] == world.order()


def test_a_task_that_waits_for_its_own_end_goes_on_for_ever(world):
    world.busy.add("loop")
    world.add(Task("loop", nothing, triggers=[EventTrigger("task.loop.success")]))
    world.run("loop")
    for _ in range(3):
        world.finish("loop")

    assert ["loop"] * 4 == world.order()


def test_a_topic_with_very_many_listeners_is_left_by_each_at_once(world):
    count = 3_000
    for number in range(count):
        world.agenda.add(Task(f"t{number}", nothing, triggers=[EventTrigger("tick")]), number + 1, world.now)
    for number in reversed(range(count)):
        world.agenda.remove(number + 1, world.now)
    world.turn()

    assert {} == world.agenda._listeners.topics


OTHER = ["skip", "queue", "cancel_running"]


@pytest.mark.parametrize("policy", OTHER)
def test_an_operator_may_have_a_run_beside_what_runs(world, policy):
    world.busy.add("job")
    world.add(Task("job", nothing, overlap=policy))
    world.run("job", "first")
    world.run("job", "second", overlap=Overlap.ALLOW)
    world.run("job", "third", overlap=Overlap.ALLOW)

    assert (3, {}) == (len(world.running), world.skipped)


@pytest.mark.parametrize("policy", ["skip", "queue", "allow"])
def test_an_operator_may_have_a_run_that_waits_for_what_runs_however_many_wait(world, policy):
    world.busy.add("job")
    world.add(Task("job", nothing, overlap=policy))
    for ticket in "abc":
        world.run("job", ticket, overlap=Overlap.QUEUE)
    assert (1, {}) == (len(world.running), world.skipped)

    for _ in range(3):
        world.finish("job")
    assert ["success"] * 3 == world.ends("job")


@pytest.mark.parametrize("policy", ["skip", "queue", "allow"])
def test_an_operator_may_have_what_runs_ended_for_a_run(world, policy):
    world.busy.add("job")
    world.add(Task("job", nothing, overlap=policy))
    world.run("job", "first")
    world.run("job", "second", overlap=Overlap.CANCEL_RUNNING)
    assert [("cancel", world.begun[0].id)] == world.told

    world.finish("job", Cancelled())
    assert 2 == len(world.begun)


def test_an_operator_may_be_refused_where_it_is_busy_whatever_the_task_says(world):
    world.busy.add("job")
    world.add(Task("job", nothing, overlap="queue"))
    world.run("job", "first")

    assert "job is running already" in str(world.run("job", "second", overlap=Overlap.SKIP))


def test_what_an_operator_wants_once_counts_for_no_other_fire(world):
    world.busy.add("job")
    world.add(every("1m"))
    world.run("job")
    world.run("job", overlap=Overlap.ALLOW)
    world.go("1m")

    assert (2, {("job", "overlap"): 1}) == (len(world.running), world.skipped)
