"""What was missed while the node was off is made up for over a while after its start, each task at its own time."""

import pytest

from dms.background_tasks.tasks.task import Task
from dms.background_tasks.triggers.trigger import OneTimeTrigger, PeriodicTrigger


def nothing():
    pass


def nightly(name="job", **fields):
    return Task(name, nothing, triggers=[PeriodicTrigger(cron="0 3 * * *")], **fields)


def seconds_late(world, name, since):
    return [(begun.at.boot - since) / 1e6 for begun in world.begun if begun.task == name]


def off_at_three(make_world, seed, *tasks, up="2026-01-05T03:30", **options):
    """A node that was off when its tasks were due, and that has just started; when that was."""
    world = make_world("2026-01-05T02:00", seed=seed, catch_up_spread=60_000_000, **options)
    world.add(*tasks)
    world.crash(down="0s" if up is None else "90m", reboot=True)
    world.add(*tasks)
    return world, world.now.boot


def test_a_fleet_does_not_make_up_for_what_it_missed_in_the_same_second(make_world):
    """apache/hertzbeat#4328: after a restart every job ran in the same second."""
    late = []
    for number in range(200):
        world, began = off_at_three(make_world, f"node-{number}", nightly())
        world.go("2m")
        late += seconds_late(world, "job", began)

    assert 200 == len(late)
    assert all(0 <= each <= 60 for each in late)
    assert all(10 <= sum(low <= each < low + 10 for each in late) <= 60 for low in range(0, 60, 10))


def test_the_share_of_a_task_is_its_own_and_the_same_at_each_start(make_world):
    """NousResearch/hermes-agent#52542: forty overdue jobs of one scheduler ran at once when it came back."""
    tasks = [nightly(f"job-{number}") for number in range(5)]
    starts = []
    for _ in range(2):
        world, began = off_at_three(make_world, "node", *tasks)
        world.go("2m")
        starts.append([seconds_late(world, task.name, began) for task in tasks])

    assert starts[0] == starts[1]
    assert 5 == len({each[0] for each in starts[0]})


def test_what_comes_due_after_the_start_is_on_time_and_stands_for_what_was_missed_before_it(make_world):
    """openclaw/openclaw#43053: while it was made up for what had been missed, nothing else came due."""
    every_five_seconds = Task("tick", nothing, triggers=[PeriodicTrigger("5s")])
    minutely = Task("minutely", nothing, triggers=[PeriodicTrigger(cron="* * * * *")])
    world, began = off_at_three(make_world, "node-7", every_five_seconds, minutely)
    world.go("30s")

    assert [5, 10, 15, 20, 25, 30] == seconds_late(world, "tick", began)
    world.go("1m")
    assert "2026-01-05T03:31" in world.runs("minutely")


@pytest.mark.parametrize(
    ("trigger", "window"),
    [
        (PeriodicTrigger(cron="0 3 * * *"), "30m20s"),
        (PeriodicTrigger(cron="*/25 * * * *"), "5m20s"),
        (PeriodicTrigger("25m"), "15m20s"),
        (OneTimeTrigger(at="2026-01-05T03:00+00:00"), "30m20s"),
    ],
)
def test_nothing_is_put_off_until_its_window_is_over(make_world, trigger, window):
    """The latest that was missed is 20 seconds from being too late."""
    late = []
    for number in range(30):
        task = Task("job", nothing, triggers=[trigger], catch_up_window=window)
        world, began = off_at_three(make_world, f"node-{number}", task)
        world.go("1m")
        late += seconds_late(world, "job", began)[:1]
        assert {reason for _, reason in world.skipped} <= {"missed"}

    assert 30 == len(late)
    assert all(each <= 20 for each in late)
    assert sum(each == 20 for each in late) > 5
    assert sum(1 < each < 20 for each in late) > 5


def test_a_one_time_task_that_was_missed_waits_for_its_turn_too(make_world):
    once = Task("once", nothing, triggers=[OneTimeTrigger(at="2026-01-05T03:00+00:00")])
    late = set()
    for number in range(20):
        world, began = off_at_three(make_world, f"node-{number}", once)
        world.go("2m")
        late.update(seconds_late(world, "once", began))

    assert 20 == len(late)


def test_a_moment_that_had_passed_before_its_task_was_first_seen_runs_at_once(make_world):
    world = make_world("2026-01-05T03:30", catch_up_spread=60_000_000)
    world.add(Task("once", nothing, triggers=[OneTimeTrigger(at="2026-01-05T03:00+00:00")]))

    assert ["2026-01-05T03:30"] == world.runs("once")


def test_what_waits_for_its_turn_is_not_lost_in_another_crash(make_world):
    world, _ = off_at_three(make_world, "node-1", nightly())
    world.crash()
    world.add(nightly())
    world.go("2m")

    assert ["2026-01-05T03:00"] == world.labels("job")
    assert ["catch_up"] == world.causes("job")


@pytest.mark.parametrize("trigger", [PeriodicTrigger("1h", at_start=True), PeriodicTrigger(cron="@reboot")])
def test_a_start_that_is_wanted_at_the_start_comes_at_the_start(make_world, trigger):
    world = make_world(catch_up_spread=60_000_000)
    task = Task("job", nothing, triggers=[trigger])
    world.add(task)
    world.crash(reboot=True)
    began = world.now.boot
    world.add(task)

    assert [0.0] == seconds_late(world, "job", began)[-1:]


def test_a_fire_that_is_late_in_a_running_process_is_not_put_off(make_world):
    for number in range(20):
        world = make_world("2026-01-05T02:59:59", seed=f"node-{number}", catch_up_spread=60_000_000)
        world.add(nightly())
        world.sleep("2s")
        world.turn()
        assert ["2026-01-05T03:00:01"] == world.runs("job")
