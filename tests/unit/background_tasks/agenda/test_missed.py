"""What becomes of fires that came while the node was off, asleep or held back."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dms.background_tasks.tasks.task import Task
from dms.background_tasks.triggers.trigger import OneTimeTrigger, PeriodicTrigger

THE_LAST_TEN = "08:57 08:58 08:59 09:00 09:01 09:02 09:03 09:04 09:05 09:06".split()


def nothing():
    pass


def minutely(**fields):
    return Task("job", nothing, triggers=[PeriodicTrigger(cron="* * * * *", timezone="UTC")], **fields)


def every(interval, **fields):
    return Task("job", nothing, triggers=[PeriodicTrigger(interval)], **fields)


@pytest.mark.parametrize(
    ("policy", "labels", "missed"),
    [
        ({"catch_up": "none"}, [], 112),
        ({"catch_up": "one"}, ["2025-06-02T09:06"], 111),
        ({"catch_up": "all", "catch_up_limit": 10}, [f"2025-06-02T{time}" for time in THE_LAST_TEN], 102),
    ],
)  # fmt: skip
def test_a_minutely_task_goes_on_after_a_downtime_of_112_fires(make_world, policy, labels, missed):
    """kubernetes/kubernetes#81557: after more than a hundred missed ticks a job was refused for ever."""
    world = make_world("2025-06-02T07:13:30")
    task = minutely(**policy)
    world.add(task)
    world.go("1m")
    world.begun.clear()
    world.crash(down="112m")
    world.add(task)

    assert labels == world.labels("job")
    assert missed == world.skipped["job", "missed"]
    assert ["catch_up"] * len(labels) == world.causes("job")

    world.go("30s")
    assert "2025-06-02T09:07" == world.runs("job")[-1]


@given(st.integers(1, 5_000), st.sampled_from(["none", "one", "all"]), st.integers(1, 40), st.booleans())
def test_every_missed_fire_is_run_or_counted(make_world, fires, policy, limit, calendar):
    world = make_world(stored=False)
    fields = {"catch_up": policy, "catch_up_limit": limit if policy == "all" else 1}
    trigger = PeriodicTrigger(cron="*/10 * * * *", timezone="UTC") if calendar else PeriodicTrigger("10m")
    world.add(Task("job", nothing, triggers=[trigger], **fields))
    world.sleep(f"{10 * fires + 5}m")
    world.turn()

    wanted = {"none": 0, "one": 1, "all": limit}[policy]
    assert min(fires, wanted) == len(world.begun)
    assert fires == len(world.begun) + world.skipped["job", "missed"]


def test_a_fire_within_a_minute_of_its_time_is_on_time(world):
    world.add(every("1h", catch_up="none"))
    world.sleep("1h59s")
    world.turn()

    assert ["schedule"] == world.causes("job")


def test_a_fire_more_than_a_minute_late_is_missed(world):
    world.add(every("1h", catch_up="none"))
    world.sleep("1h61s")
    world.turn()

    assert [] == world.begun
    assert 1 == world.skipped["job", "missed"]


def test_a_fire_of_the_time_before_the_start_is_missed_however_short_ago_it_was(world):
    task = every("1h", catch_up="none")
    world.add(task)
    world.go("59m55s")
    world.crash(down="10s")
    world.add(task)

    assert [] == world.begun
    assert 1 == world.skipped["job", "missed"]


def test_what_is_older_than_the_window_is_not_caught_up_with(world):
    task = every("1h", catch_up="all", catch_up_limit=10, catch_up_window="2h30m")
    world.add(task)
    world.crash(down="6h10m")
    world.add(task)

    assert [f"2026-01-05T0{hour}:00" for hour in (4, 5, 6)] == world.labels("job")
    assert 3 == world.skipped["job", "missed"]


def test_several_runs_that_are_caught_up_with_run_one_after_the_other(world):
    world.busy.add("job")
    task = every("1h", catch_up="all", catch_up_limit=3)
    world.add(task)
    world.crash(down="5h30m")
    world.add(task)
    started = [len(world.running)]
    for _ in range(3):
        world.finish("job")
        started.append(len(world.running))

    assert [1, 1, 1, 0] == started
    assert ["2026-01-05T03:00", "2026-01-05T04:00", "2026-01-05T05:00"] == world.labels("job")


def test_times_before_an_edit_are_not_missed(make_world):
    """systemd/systemd#16732: changing the time of a daily job made it run at once."""
    world = make_world("2020-08-13T00:00")
    world.add(Task("job", nothing, triggers=[PeriodicTrigger(cron="0 12 * * *", timezone="UTC")]))
    world.go_until("2020-08-14T10:00")
    world.replace(Task("job", nothing, triggers=[PeriodicTrigger(cron="0 8 * * *", timezone="UTC")]))
    assert ["2020-08-13T12:00"] == world.runs("job")

    world.go_until("2020-08-15T12:00")
    assert ["2020-08-13T12:00", "2020-08-15T08:00"] == world.runs("job")


def test_times_before_an_edit_that_came_with_a_restart_are_not_missed(make_world):
    world = make_world("2020-08-13T00:00")
    world.add(Task("job", nothing, triggers=[PeriodicTrigger(cron="0 12 * * *", timezone="UTC")]))
    world.go_until("2020-08-14T10:00")
    world.crash()
    world.add(Task("job", nothing, triggers=[PeriodicTrigger(cron="0 8 * * *", timezone="UTC")]))
    world.go_until("2020-08-15T12:00")

    assert ["2020-08-13T12:00", "2020-08-15T08:00"] == world.runs("job")


@pytest.mark.parametrize("restart", [False, True])
def test_times_while_a_task_was_disabled_are_not_missed(world, restart):
    world.add(every("1h"))
    world.replace(every("1h", enabled=False))
    world.go("5h30m")
    if restart:
        world.crash()
        world.add(every("1h"))
    else:
        world.replace(every("1h"))
    world.go("1h")

    assert ["2026-01-05T06:30"] == world.runs("job")
    assert 0 == world.skipped.total()


def test_fires_in_a_pause_are_counted_as_paused_and_stay_skipped(world):
    world.add(every("1h"))
    world.pause("job")
    world.go("3h30m")
    world.resume("job")
    world.go("1h")

    assert ["2026-01-05T04:00"] == world.runs("job")
    assert {("job", "paused"): 3} == world.skipped


@pytest.mark.parametrize("restart", [False, True])
def test_a_run_by_hand_takes_the_place_of_no_fire(world, restart):
    """NousResearch/hermes-agent#105690: it was filed under the next occurrence, which did not run then."""
    task = Task("job", nothing, triggers=[PeriodicTrigger(cron="0 3 * * *", timezone="UTC")])
    world.add(task)
    world.run("job")
    if restart:
        world.crash(down="1h")
        world.add(task)
    world.go("1d")

    assert ["2026-01-05T00:00", "2026-01-05T03:00"] == world.runs("job")


def test_a_pause_ends_by_itself_at_its_time(world):
    world.add(every("1h"))
    world.pause("job", until="2026-01-05T02:30")
    world.go("4h")

    assert ["2026-01-05T03:00", "2026-01-05T04:00"] == world.runs("job")
    assert {("job", "paused"): 2} == world.skipped


def test_a_later_pause_without_an_end_outlasts_the_end_of_the_first(world):
    world.add(every("1h"))
    world.pause("job", until="2026-01-05T02:30")
    world.pause("job")
    world.go("5h")

    assert [] == world.begun


def test_a_fire_after_the_end_of_a_pause_is_missed_and_not_paused_though_nobody_was_awake(world):
    world.add(every("1h"))
    world.pause("job", until="2026-01-05T02:30")
    world.sleep("5h30m")
    world.turn()

    assert ["2026-01-05T05:00"] == world.labels("job")


def test_a_fire_in_a_pause_is_not_caught_up_with_though_nobody_was_awake(world):
    world.add(every("2h"))
    world.pause("job", until="2026-01-05T03:00")
    world.sleep("3h30m")
    world.turn()

    assert [] == world.begun
    assert {("job", "paused"): 1} == world.skipped


def test_a_pause_of_everything_holds_no_task_of_the_nodes_own(world):
    own = Task("own", nothing, triggers=[PeriodicTrigger("1h")], lane="node")
    world.add(every("1h"), own)
    world.pause()
    world.go("2h")

    assert ["own", "own"] == world.order()


def test_a_pause_of_a_task_that_is_gone_holds_nothing(world):
    world.add(every("1h"))
    world.agenda.pause(99, None, "", world.now)
    world.agenda.resume(99, world.now)
    world.go("1h")

    assert ["job"] == world.order()


@pytest.mark.parametrize("which", ["job", None])
def test_a_pause_survives_a_crash(world, which):
    world.add(every("1h"))
    world.pause(which)
    world.crash()
    world.add(every("1h"))
    world.go("2h")

    assert [] == world.begun


@pytest.mark.parametrize("which", ["job", None])
def test_the_end_of_a_pause_survives_a_crash(world, which):
    world.add(every("1h"))
    world.pause(which, until="2026-01-05T01:30")
    world.crash()
    world.add(every("1h"))
    world.go("2h")

    assert ["2026-01-05T02:00"] == world.runs("job")


def test_a_one_time_task_of_a_node_that_was_off_at_its_moment_runs_at_the_next_start(world):
    task = Task("once", nothing, triggers=[OneTimeTrigger(at=datetime.fromisoformat("2026-01-05T02:00+00:00"))])
    world.add(task)
    world.crash(down="30d")
    world.add(task)

    assert ["2026-01-05T02:00"] == world.labels("once")
