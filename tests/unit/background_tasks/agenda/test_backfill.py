"""Runs for past fires that an operator wants."""

import pytest

from dms.background_tasks.agenda.agenda import MOST_BACKFILLED
from dms.background_tasks.agenda.decision import Failed
from dms.background_tasks.tasks.retry import RetryPolicy
from dms.background_tasks.tasks.task import Task
from dms.background_tasks.triggers.trigger import PeriodicTrigger
from dms.instant import to_datetime

PAST = ["2026-01-01T03:00", "2026-01-02T03:00", "2026-01-03T03:00"]


def told(wall):
    return to_datetime(wall).strftime("%Y-%m-%dT%H:%M")


def nothing():
    pass


def hourly(**fields):
    return Task("job", nothing, triggers=[PeriodicTrigger("1h")], **fields)


def test_past_fires_run_one_after_another_oldest_first(world):
    world.busy.add("job")
    world.add(hourly())
    world.backfill("job", *PAST)
    for _ in PAST:
        assert 1 == len(world.running)
        world.finish("job")

    assert (PAST, ["backfill"] * 3) == (world.labels("job"), world.causes("job"))


def test_they_are_not_too_late_for_the_window_of_the_task(world):
    world.add(hourly(catch_up="none", catch_up_window="1h"))
    world.backfill("job", *PAST)

    assert PAST == world.labels("job")
    assert {} == world.skipped


@pytest.mark.parametrize("policy", ["queue", "cancel_running"])
def test_what_comes_due_meanwhile_goes_before_those_that_wait(world, policy):
    world.busy.add("job")
    world.add(hourly(overlap=policy))
    world.backfill("job", *PAST)
    world.go("1h")
    while world.running:
        world.finish("job")

    assert [PAST[0], "2026-01-05T01:00", *PAST[1:]] == world.labels("job")


def test_a_queue_that_they_fill_is_free_for_what_comes_due(world):
    world.busy.add("job")
    world.add(hourly(overlap="queue", queue_limit=1))
    world.backfill("job", *PAST)
    world.go("2h")

    assert {("job", "overlap"): 1} == world.skipped


def test_they_move_nothing_that_is_to_come(world):
    """apache/airflow#47886: the next run came before the start of all after a backfill."""
    world.add(hourly())
    world.go("90m")
    before = world.next_fire("job")
    world.backfill("job", *PAST)

    assert (before, PAST) == (world.next_fire("job"), world.labels("job")[1:])


def test_those_that_wait_outlive_a_crash(world):
    task = hourly()
    world.busy.add("job")
    world.add(task)
    world.backfill("job", *PAST)
    world.busy.clear()
    world.crash()
    world.add(task)

    assert PAST == world.labels("job")
    assert ["interrupted", "success", "success"] == world.in_store("job")


def test_a_paused_task_is_run_for_the_past_all_the_same(world):
    world.add(hourly())
    world.pause("job")
    world.backfill("job", *PAST)

    assert PAST == world.labels("job")


def test_they_end_no_retry_that_waits(world):
    world.busy.add("job")
    world.add(hourly(retry_policy=RetryPolicy(1, "30m")))
    world.run("job")
    world.finish("job", Failed("no"))
    world.busy.clear()
    world.backfill("job", *PAST)
    world.go("30m")

    assert ["operator", "backfill", "backfill", "backfill", "retry"] == world.causes("job")


def test_a_run_is_for_its_moment_whichever_attempt_it_is_and_after_a_crash_too(world):
    task = hourly(retry_policy=RetryPolicy(2, "10m"))
    world.busy.add("job")
    world.add(task)
    world.backfill("job", PAST[0])
    seen = []
    for _ in range(2):
        seen.append(next(iter(world.running.values())).occurrence)
        world.finish("job", Failed("no"))
        world.crash()
        world.add(task)
        world.go("10m")
    seen.append(next(iter(world.running.values())).occurrence)

    assert [PAST[0]] * 3 == [told(occurrence) for occurrence in seen]
    assert [None, PAST[0], PAST[0]] == [
        execution.occurrence and told(execution.occurrence) for _, execution in sorted(world.store._executions.items())
    ]


def test_no_more_wait_than_the_bound_says(world):
    world.busy.add("job")
    world.add(hourly())
    world.backfill("job", *PAST[:1] * (MOST_BACKFILLED + 1))
    world.backfill("job", PAST[1], ticket="one more")

    assert "job has 1000 runs waiting; more are taken on when those are done" == world.answers["one more"]
