"""Intervals: their phase, their start and end, what a clock that is set does to them; fixed delays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dms.background_tasks.agenda.decision import Failed
from dms.background_tasks.tasks.retry import RetryPolicy
from timed_tasks import at, every

# ── intervals ──


def test_an_interval_fires_one_interval_after_it_was_added_and_then_at_each_multiple(world):
    world.add(every("10m"))
    world.go("35m")

    assert ["2026-01-05T00:10", "2026-01-05T00:20", "2026-01-05T00:30"] == world.runs("tick")


def test_an_interval_keeps_its_phase_when_the_loop_is_late(world):
    world.add(every("10m"))
    world.sleep("10m7s")
    world.turn()
    world.go("10m")

    assert ["2026-01-05T00:10:07", "2026-01-05T00:20"] == world.runs("tick")
    assert ["2026-01-05T00:10", "2026-01-05T00:20"] == world.labels("tick")


@given(st.lists(st.integers(1, 400), min_size=1, max_size=30), st.integers(1, 300))
def test_an_interval_never_drifts(make_world, naps, interval):
    world = make_world(stored=False)
    added = world.now.wall
    world.add(every(interval))
    for nap in naps:
        world.sleep(f"{nap}s")
        world.turn()

    expected_fires = sum(naps) // interval
    fires = len(world.begun) + world.skipped["tick", "missed"]
    assert expected_fires == fires
    assert {0} == {(begun.due - added) % (interval * 1_000_000) for begun in world.begun} | {0}


def test_an_interval_counts_the_time_that_the_machine_sleeps(world):
    """A laptop that sleeps half the day still has its daily run once a day."""
    world.add(every("24h"))
    world.sleep("23h")
    world.turn()
    world.go("2h")

    assert ["2026-01-06T00:00"] == world.runs("tick")


def test_an_interval_with_a_start_in_the_future_fires_first_at_its_start(world):
    world.add(every("1h", start=at("2026-01-05T00:30")))
    world.go("2h")

    assert ["2026-01-05T00:30", "2026-01-05T01:30"] == world.runs("tick")


def test_an_interval_with_a_start_in_the_past_keeps_the_phase_of_its_start_and_misses_nothing(world):
    world.add(every("1h", start=at("2025-12-24T18:15")))
    world.go("2h")

    assert ["2026-01-05T00:15", "2026-01-05T01:15"] == world.runs("tick")
    assert 0 == world.skipped.total()


@pytest.mark.parametrize("mode", ["fixed_rate", "fixed_delay"])
def test_a_start_that_is_to_come_follows_a_clock_that_is_set(world, mode):
    world.add(every("1h", start=at("2026-01-06T00:00"), mode=mode))
    world.set_wall("2026-01-05T23:00")
    world.set_wall("2026-01-05T22:00")
    world.go("3h")

    assert ["2026-01-06T00:00", "2026-01-06T01:00"] == world.runs("tick")


def test_an_interval_with_a_start_goes_on_after_a_reboot_in_1970_that_was_taken_for_right(world):
    task = every("1h", start=at("2026-01-01T00:30"))
    world.add(task)
    world.go("2h")
    world.set_wall("1970-01-01T00:00:20")
    world.crash(reboot=True)
    world.add(task)
    world.set_wall("2026-01-05T04:00")
    world.go("1h")

    assert [f"2026-01-05T0{hour}:30" for hour in (0, 1, 3, 4)] == world.labels("tick")


@pytest.mark.parametrize("woke_in", ["2026-01-05T04:00", "1970-01-01T00:00:20"])
def test_an_interval_with_a_start_keeps_its_phase_though_its_mark_lies_in_a_wrong_future(world, woke_in):
    task = every("1h", start=at("2026-01-01T00:30"))
    world.add(task)
    world.set_wall("2026-03-01T00:00")
    world.go("10h")
    world.crash(reboot=True)
    world.add(task)
    world.go("10h")
    before = len(world.begun)
    world.set_wall(woke_in)
    world.crash(reboot=True)
    world.add(task)
    world.set_wall("2026-01-05T04:00")
    world.go("2h")

    assert ["2026-01-05T04:30", "2026-01-05T05:30"] == world.runs("tick")[before:]


@pytest.mark.parametrize("mode", ["fixed_rate", "fixed_delay"])
def test_an_end_that_lies_behind_a_wrong_clock_is_to_come_once_that_is_right(make_world, mode):
    for trusted in (False, True):
        world = make_world("2098-02-03T04:05", trusted=trusted)
        world.add(every("1h", end=at("2026-01-05T03:00"), mode=mode))
        world.go("3h")
        world.set_wall("2026-01-05T00:30", trusted=True)
        world.go("3h")

        assert "2026-01-05T02:" in world.runs("tick")[-1]
        assert world.next_fire("tick") is None


def test_an_end_follows_a_clock_that_is_set(world):
    world.add(every("1h", end=at("2026-01-05T03:00")))
    world.go("30m")
    world.set_wall("2031-01-01T00:00")
    world.go("1h")
    world.set_wall("2026-01-05T01:45")
    world.go("3h")

    assert ["2026-01-05T01:15", "2026-01-05T02:15"] == world.labels("tick")


def test_an_interval_stops_at_its_end_which_still_counts(world):
    world.add(every("1h", end=at("2026-01-05T02:00")))
    world.go("5h")

    assert ["2026-01-05T01:00", "2026-01-05T02:00"] == world.runs("tick")
    assert world.next_fire("tick") is None


def test_what_came_before_an_interval_ended_is_still_caught_up_with_after_a_long_sleep(world):
    world.add(every("1h", end=at("2026-01-05T02:00"), catch_up="all", catch_up_limit=5))
    world.sleep("9h")
    world.turn()

    assert ["2026-01-05T01:00", "2026-01-05T02:00"] == world.labels("tick")


def test_at_start_adds_one_run_at_once_and_does_not_move_the_phase(world):
    world.add(every("1h", at_start=True))
    world.go("2h")

    assert ["2026-01-05T00:00", "2026-01-05T01:00", "2026-01-05T02:00"] == world.runs("tick")


def test_at_start_fires_once_at_each_start_of_the_process(world):
    task = every("1h", at_start=True)
    world.add(task)
    world.go("30m")
    world.crash()
    world.add(task)
    world.go("1h")

    assert ["2026-01-05T00:00", "2026-01-05T00:30", "2026-01-05T01:00"] == world.runs("tick")


def test_at_start_fires_after_a_downtime_even_where_nothing_is_caught_up_with(world):
    task = every("1h", at_start=True, catch_up="none")
    world.add(task)
    world.crash(down="3h30m")
    world.add(task)

    assert ["2026-01-05T00:00", "2026-01-05T03:30"] == world.runs("tick")
    assert 3 == world.skipped["tick", "missed"]


def test_at_start_fires_where_the_clock_has_lost_some_time_over_a_reboot(world):
    task = every("1h", at_start=True)
    world.add(task)
    world.go("1h")
    world.set_wall("2026-01-05T00:59")
    world.crash(reboot=True)
    world.add(task)

    assert ["2026-01-05T00:00", "2026-01-05T01:00", "2026-01-05T00:59"] == world.runs("tick")


def test_a_week_long_interval_comes_due_though_the_service_restarts_every_day(make_world):
    """riverqueue/river#791: a job with an interval longer than the uptime never ran."""
    world = make_world("2025-03-01T00:00")
    task = every("7d")
    world.add(task)
    world.go("5m")
    for _ in range(20):
        world.go("24h")
        world.crash()
        world.add(task)

    assert ["2025-03-08T00:00", "2025-03-15T00:00"] == world.runs("tick")


def test_an_interval_keeps_its_phase_over_a_reboot_of_the_machine(world):
    task = every("1h")
    world.add(task)
    world.go("90m")
    world.crash(down="10m", reboot=True)
    world.add(task)
    world.go("1h")

    assert ["2026-01-05T01:00", "2026-01-05T02:00"] == world.runs("tick")


@pytest.mark.parametrize("wall", ["2026-01-04T12:10", "2026-03-01T00:00"])
def test_within_a_boot_boot_time_counts_over_a_restart_of_the_process_though_the_clock_was_set(world, wall):
    task = every("1h")
    world.add(task)
    world.go("70m")
    world.set_wall(wall)
    world.crash(down="10m")
    world.add(task)
    world.go("40m")

    assert 2 == len(world.runs("tick"))
    assert 120 * 60_000_000 == world.begun[1].at.boot - 3_600_000_000
    assert 0 == world.skipped.total()


def test_an_interval_goes_on_when_the_clock_is_set_back_by_half_a_day(make_world):
    """dbader/schedule#323: no interval job ran for the next twelve hours."""
    world = make_world("2020-05-04T15:00", stored=False)
    world.add(every("60s"))
    world.go("10s")
    world.set_wall("2020-05-04T03:00:10")
    world.go("170s")

    assert ["2020-05-04T03:01", "2020-05-04T03:02", "2020-05-04T03:03"] == world.runs("tick")


def test_an_interval_whose_missed_fires_are_not_wanted_goes_on_when_the_clock_is_set_back(world):
    world.add(every("60s", catch_up="none"))
    world.go("10s")
    world.set_wall("2026-01-04T12:00:10")
    world.go("50s")

    assert ["2026-01-04T12:01"] == world.runs("tick")
    assert ["schedule"] == world.causes("tick")


def test_an_interval_does_not_notice_that_the_clock_is_set_ahead(world):
    world.add(every("1h"))
    world.go("30m")
    world.set_wall("2026-03-01T00:00")
    world.go("1h")

    assert ["2026-03-01T00:30"] == world.runs("tick")
    assert 0 == world.skipped.total()


def test_a_mark_from_a_future_that_turned_out_wrong_does_not_stop_an_interval(make_world):
    world = make_world("2034-01-01T00:00")
    task = every("1h")
    world.add(task)
    world.go("1h")
    world.set_wall("2026-01-05T00:00")
    world.crash(reboot=True)
    world.add(task)
    world.go("1h")

    assert ["2034-01-01T01:00", "2026-01-05T01:00"] == world.runs("tick")


def test_ten_years_of_missed_intervals_cost_one_wakeup(world):
    world.add(every("1ms"))
    world.sleep("3650d")
    world.turn()

    assert 1 == len(world.begun)
    assert 3650 * 86_400_000 - 1 == world.skipped["tick", "missed"]


# ── fixed delay ──


def test_a_fixed_delay_counts_from_the_end_of_the_run(world):
    world.busy.add("tick")
    world.add(every("10m", mode="fixed_delay"))
    world.go("25m")
    world.finish("tick")
    world.go("10m")

    assert ["2026-01-05T00:10", "2026-01-05T00:35"] == world.runs("tick")
    assert 0 == world.skipped.total()


def test_a_fixed_delay_counts_from_the_last_attempt_of_a_run_that_failed(world):
    world.busy.add("tick")
    world.add(every("10m", mode="fixed_delay", retry_policy=RetryPolicy(1, "1h")))
    world.go("10m")
    world.finish("tick", Failed("no"))
    world.go("1h")
    world.finish("tick", Failed("no"))
    world.go("10m")

    assert ["2026-01-05T00:10", "2026-01-05T01:10", "2026-01-05T01:20"] == world.runs("tick")


def test_a_fixed_delay_goes_on_after_fires_that_a_pause_swallowed(world):
    world.add(every("10m", mode="fixed_delay"))
    world.pause("tick")
    world.go("35m")
    world.resume("tick")
    world.go("10m")

    assert ["2026-01-05T00:40"] == world.runs("tick")
    assert 3 == world.skipped["tick", "paused"]


def test_a_fixed_delay_whose_run_was_cut_off_by_a_crash_comes_again(world):
    world.busy.add("tick")
    task = every("10m", mode="fixed_delay")
    world.add(task)
    world.go("12m")
    world.crash()
    world.add(task)
    world.go("10m")

    assert ["2026-01-05T00:10", "2026-01-05T00:20"] == world.runs("tick")
