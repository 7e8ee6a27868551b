"""When a task comes due: intervals, calendars, moments, and clocks that are set."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from time import perf_counter
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dms.background_tasks.decision import Alert, Failed
from dms.background_tasks.retry import RetryPolicy
from dms.background_tasks.task import Task
from dms.background_tasks.trigger import OneTimeTrigger, PeriodicTrigger


def nothing():
    pass


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def every(interval, name="tick", **fields):
    trigger = {key: fields.pop(key) for key in ("jitter", "at_start", "mode", "start", "end") if key in fields}
    return Task(name, nothing, triggers=[PeriodicTrigger(interval, **trigger)], **fields)


def cron(expression, name="job", timezone="UTC", **fields):
    trigger = {key: fields.pop(key) for key in ("jitter", "start", "end") if key in fields}
    return Task(name, nothing, triggers=[PeriodicTrigger(cron=expression, timezone=timezone, **trigger)], **fields)


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


def test_an_interval_with_a_start_keeps_its_phase_though_its_mark_lies_in_a_wrong_future(world):
    task = every("1h", start=at("2026-01-01T00:30"))
    world.add(task)
    world.set_wall("2026-03-01T00:00")
    world.go("10h")
    world.crash(reboot=True)
    world.add(task)
    world.go("10h")
    before = len(world.begun)
    world.set_wall("2026-01-05T04:00")
    world.crash(reboot=True)
    world.add(task)
    world.go("2h")

    assert ["2026-01-05T04:30", "2026-01-05T05:30"] == world.runs("tick")[before:]


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


# ── jitter ──


def test_jitter_delays_each_fire_by_the_same_share_in_every_process(world):
    task = every("1h", jitter="30m", start=at("2026-01-05T00:00"))
    world.add(task)
    world.go("10h")
    other = type(world)()
    other.add(task)
    other.go("10h")

    assert world.runs("tick") == other.runs("tick")
    assert 1 < len({run[14:] for run in world.runs("tick")})


@given(st.integers(1, 7200), st.sampled_from(["*/10 * * * *", None]))
def test_jitter_is_never_negative_and_never_reaches_the_next_fire(make_world, jitter, expression):
    world = make_world(stored=False, seed="quiet-heron")
    task = cron(expression, jitter=jitter) if expression else every("10m", name="job", jitter=jitter)
    world.add(task)
    world.go("3h")

    delays = [begun.at.wall - begun.due for begun in world.begun]
    room = min(jitter, 600) * 1_000_000
    if expression:
        assert all(0 <= delay < room for delay in delays)
        assert all(begun.due % 600_000_000 == 0 for begun in world.begun)
    gaps = [later.at.boot - earlier.at.boot for earlier, later in zip(world.begun, world.begun[1:], strict=False)]
    assert 17 <= len(world.begun) <= 18
    assert all(gap > 0 for gap in gaps)
    assert 0 == world.skipped.total()


def test_without_jitter_nothing_is_late(world):
    world.add(cron("*/10 * * * *"), every("10m"))
    world.go("1h")

    assert {0} == {begun.at.wall - begun.due for begun in world.begun}
    assert 0 == PeriodicTrigger("10m").jitter


def test_jitter_never_reaches_the_next_fire_where_clocks_change(make_world):
    """The room of a fire is what really lies before the next, also where a gap or an overlap makes it shorter."""
    world = make_world("2026-10-24T22:30", zone=ZoneInfo("Europe/Helsinki"), seed="quiet-heron")
    world.add(cron("30 2,3,4 * * *", timezone=None, jitter="3h"))
    world.go("48h")

    gaps = [later.due - earlier.at.wall for earlier, later in pairwise(world.begun)]
    assert 6 == len(world.begun)
    assert all(gap > 0 for gap in gaps)


def test_two_tasks_of_a_node_do_not_share_their_jitter(make_world):
    world = make_world(seed="quiet-heron")
    world.add(cron("0 * * * *", "one", jitter="50m"), cron("0 * * * *", "two", jitter="50m"))
    world.go("5h")

    assert world.runs("one") != world.runs("two")


def test_two_nodes_do_not_share_their_jitter(make_world):
    here, there = make_world(seed="quiet-heron"), make_world(seed="loud-owl")
    for world in (here, there):
        world.add(cron("0 * * * *", jitter="50m"))
        world.go("5h")

    assert here.runs("job") != there.runs("job")


def test_a_fire_whose_jitter_is_not_over_is_not_run_before_its_time_by_a_late_wakeup(make_world):
    world = make_world(seed="quiet-heron")
    world.add(cron("*/10 * * * *", jitter="10m"))
    world.go("1h")
    times = world.runs("job")
    late = make_world(seed="quiet-heron")
    late.add(cron("*/10 * * * *", jitter="10m"))
    for _ in range(360):
        late.sleep("10s")
        late.turn()

    assert [time[:15] for time in times] == [time[:15] for time in late.runs("job")]


# ── calendars ──


def test_a_calendar_fires_at_its_times_and_no_others(world):
    world.add(cron("15,45 * * * *"))
    world.go("2h")

    expected = [f"2026-01-05T{time}" for time in ("00:15", "00:45", "01:15", "01:45")]
    assert expected == world.runs("job")


def test_a_calendar_does_not_fire_for_the_very_moment_at_which_it_is_added(world):
    world.add(cron("0 0 * * *"))
    world.go("24h")

    assert ["2026-01-06T00:00"] == world.runs("job")


def test_a_calendar_keeps_between_its_start_and_its_end(world):
    world.add(cron("0 * * * *", start=at("2026-01-05T03:00"), end=at("2026-01-05T05:00")))
    world.go("12h")

    assert [f"2026-01-05T0{hour}:00" for hour in (3, 4, 5)] == world.runs("job")


def test_a_fixed_time_in_the_spring_gap_runs_once_right_after_it(make_world):
    world = make_world("2026-03-28T12:00", zone=ZoneInfo("Europe/Helsinki"))
    world.add(cron("30 3 * * *", timezone=None))
    world.go("48h")

    assert ["2026-03-29T01:00", "2026-03-30T00:30"] == world.runs("job")


def test_a_fixed_time_in_the_repeated_autumn_hour_runs_once(make_world):
    world = make_world("2026-10-24T12:00", zone=ZoneInfo("Europe/Helsinki"))
    world.add(cron("30 3 * * *", timezone=None))
    world.go("48h")

    assert ["2026-10-25T00:30", "2026-10-26T01:30"] == world.runs("job")


def test_a_calendar_every_half_hour_runs_in_both_passes_of_the_repeated_hour(make_world):
    world = make_world("2026-10-25T00:00", zone=ZoneInfo("Europe/Helsinki"))
    world.add(cron("*/30 * * * *", timezone=None))
    world.go("2h")

    assert [f"2026-10-25T{time}" for time in ("00:30", "01:00", "01:30", "02:00")] == world.runs("job")


def test_a_restart_in_the_repeated_hour_does_not_run_the_fixed_time_again(make_world):
    world = make_world("2026-10-24T12:00", zone=ZoneInfo("Europe/Helsinki"))
    task = cron("30 3 * * *", timezone=None)
    world.add(task)
    world.go_until("2026-10-25T01:10")
    world.crash(down="10m")
    world.add(task)
    world.go("2h")

    assert ["2026-10-25T00:30"] == world.runs("job")


def test_a_recorded_occurrence_is_not_fired_again_when_the_clock_is_set_back(world):
    world.add(cron("0 1 * * *"))
    world.go("90m")
    world.set_wall("2026-01-05T00:30")
    world.go("2h")
    world.go("24h")

    assert ["2026-01-05T01:00", "2026-01-06T01:00"] == world.runs("job")


def test_a_line_that_came_once_is_not_fired_again_however_far_the_clock_is_set_back_within_a_day(world):
    world.add(cron("0 1 * * *"))
    world.go("13h")
    world.set_wall("2026-01-05T00:30")
    world.go("2h")

    assert ["2026-01-05T01:00"] == world.runs("job")


def test_a_line_that_comes_often_fires_nothing_again_when_the_clock_is_set_back_a_little(world):
    world.add(cron("*/10 * * * *"))
    for _ in range(6):
        world.go("10m")
    world.set_wall("2026-01-05T00:25")
    for _ in range(5):
        world.go("10m")

    assert [f"2026-01-05T0{h}:{m}0" for h, m in ((0, 1), (0, 2), (0, 3), (0, 4), (0, 5), (1, 0), (1, 1))] == world.runs(
        "job"
    )


def test_a_line_that_comes_often_goes_on_at_once_when_the_clock_is_set_back_by_half_a_day(world):
    """dbader/schedule#323: after the clock was set back by twelve hours, nothing ran for twelve hours."""
    world.add(cron("0 * * * *"))
    for _ in range(13):
        world.go("1h")
    world.set_wall("2026-01-05T01:00:10")
    world.go("1h")

    assert ["2026-01-05T13:00", "2026-01-05T02:00"] == world.runs("job")[-2:]


def test_a_calendar_that_has_not_fired_yet_follows_a_clock_that_is_set_back_by_half_a_day(world):
    world.add(cron("* * * * *"))
    world.set_wall("2026-01-04T12:00:10")
    world.go("50s")

    assert ["2026-01-04T12:01"] == world.runs("job")


def test_a_daily_line_that_has_not_fired_yet_follows_a_clock_that_is_set_back_by_half_a_day(world):
    world.add(cron("0 18 * * *"))
    world.set_wall("2026-01-04T12:00")
    world.go("8h")

    assert ["2026-01-04T18:00"] == world.runs("job")


def test_of_several_that_have_come_at_the_very_moment_of_the_last_only_that_runs(world):
    world.add(cron("* * * * *"))
    world.sleep("2m")
    world.turn()

    assert ["2026-01-05T00:02"] == world.labels("job")
    assert 1 == world.skipped["job", "missed"]


def test_a_mark_in_a_future_that_turned_out_wrong_does_not_block_a_calendar(make_world):
    world = make_world("2036-07-01T00:00")
    world.add(cron("0 * * * *"))
    world.go("2h")
    world.set_wall("2026-01-05T00:30")
    world.go("1h")

    assert ["2036-07-01T01:00", "2036-07-01T02:00", "2026-01-05T01:00"] == world.runs("job")


def test_a_mark_in_a_future_that_turned_out_wrong_does_not_block_a_calendar_after_a_restart(make_world):
    world = make_world("2036-07-01T00:00")
    task = cron("0 * * * *")
    world.add(task)
    world.go("2h")
    world.now = type(world.now)(world.now.wall - 10 * 365 * 86_400_000_000, world.now.boot)
    world.crash(reboot=True)
    world.add(task)
    world.go("1h")

    assert 3 == len(world.begun)


def test_a_calendar_that_has_ended_in_a_wrong_future_goes_on_in_the_present(world):
    world.add(cron("0 * * * *", end=at("2026-03-01T00:00")))
    world.set_wall("2031-01-01T00:00")
    world.set_wall("2026-01-05T00:30")
    world.go("1h")

    assert "2026-01-05T01:00" in world.runs("job")


def test_setting_the_clock_ahead_by_ten_years_costs_one_wakeup_and_one_run(world):
    world.add(cron("* * * * *"))
    world.set_wall("2036-01-05T00:00")

    minutes = 3652 * 24 * 60
    assert ["2036-01-05T00:00"] == world.labels("job")
    assert minutes - 1 == world.skipped["job", "missed"]
    world.go("1m")
    assert ["2036-01-05T00:00", "2036-01-05T00:01"] == world.labels("job")


def test_a_jump_of_ten_years_costs_no_more_for_what_comes_each_second(make_world):
    """What was missed is counted by arithmetic: a walk over it would take minutes."""
    world = make_world(zone=ZoneInfo("Europe/Helsinki"))
    for number in range(20):
        world.add(cron("* * * * * *", f"job{number}", timezone=None), every("1s", f"tick{number}"))
    world.sleep("3650d")
    began = perf_counter()
    world.turn()

    assert perf_counter() - began < 1
    assert {3650 * 86_400 - 1} == set(world.skipped.values())


def test_a_wakeup_is_never_in_the_past_of_what_has_been_done(world):
    world.add(cron("* * * * *"), every("7s"))
    world.go("5m")

    assert world.agenda.next_wakeup().boot > world.now.boot


def test_reboot_fires_once_for_each_boot_of_the_machine(world):
    task = cron("@reboot", timezone=None)
    world.add(task)
    world.crash()
    world.add(task)
    assert 1 == len(world.begun)

    world.crash(reboot=True)
    world.add(task)
    assert 2 == len(world.begun)


def test_reboot_does_not_fire_because_its_task_is_edited_or_enabled_again(world):
    world.add(cron("@reboot", timezone=None))
    world.replace(cron("@reboot", timezone=None, enabled=False))
    world.replace(cron("@reboot", timezone=None))

    assert 1 == len(world.begun)


# ── once ──


def test_a_one_time_task_runs_once_after_its_delay_and_is_gone(world):
    world.add(Task("once", nothing, triggers=[OneTimeTrigger("10m")]))
    world.go("1h")

    assert ["2026-01-05T00:10"] == world.runs("once")
    assert ["once"] == world.removed
    assert {} == world.agenda.entries


def test_a_delay_does_not_notice_that_the_clock_is_set(world):
    world.add(Task("once", nothing, triggers=[OneTimeTrigger("10m")]))
    world.set_wall("2020-01-01T00:00")
    world.go("10m")

    assert ["2020-01-01T00:10"] == world.runs("once")


def test_a_delay_goes_on_over_a_restart(world):
    task = Task("once", nothing, triggers=[OneTimeTrigger("10m")])
    world.add(task)
    world.go("4m")
    world.crash(down="3m", reboot=True)
    world.add(task)
    world.go("3m")

    assert ["2026-01-05T00:10"] == world.runs("once")


def test_a_delay_is_never_longer_than_it_says_though_the_clock_went_back_over_a_reboot(world):
    task = Task("once", nothing, triggers=[OneTimeTrigger("10m")])
    world.add(task)
    world.set_wall("2020-01-01T00:00")
    world.crash(reboot=True)
    world.add(task)
    world.go("10m")

    assert ["2020-01-01T00:10"] == world.runs("once")


def test_a_moment_that_has_passed_is_never_too_late(world):
    world.add(Task("once", nothing, triggers=[OneTimeTrigger(at=at("2025-12-24T18:00"))]))

    assert ["2025-12-24T18:00"] == world.labels("once")


def test_a_moment_that_has_passed_is_too_late_where_the_task_says_so(world):
    late = Task("once", nothing, triggers=[OneTimeTrigger(at=at("2025-12-24T18:00"))], catch_up_window="1h")
    world.add(late)

    assert [] == world.begun
    assert 1 == world.skipped["once", "missed"]
    assert ["once"] == world.removed


def test_run_now_means_now_whatever_the_zones_are(make_world):
    """agronholm/apscheduler#133: a run-now job was filed five hours in the past."""
    world = make_world("2016-04-28T09:15:20-05:00", zone=UTC)
    later = OneTimeTrigger(at="2016-04-28T09:40:00", timezone="America/Chicago")
    world.add(Task("now", nothing), Task("later", nothing, triggers=[later]))
    world.run("now")
    world.go("30m")

    assert ["2016-04-28T14:15:20"] == world.labels("now")
    assert ["2016-04-28T14:40"] == world.runs("later")


def both(interval, expression):
    return Task("job", nothing, triggers=[PeriodicTrigger(interval), PeriodicTrigger(cron=expression, timezone="UTC")])


@pytest.mark.parametrize("over_a_restart", [False, True])
def test_of_several_triggers_those_that_stay_the_same_keep_their_phase_beside_one_that_changes(world, over_a_restart):
    world.add(both("1h", "0 9 * * *"))
    world.go("90m")
    if over_a_restart:
        world.crash()
        world.add(both("1h", "45 0,1,2 * * *"))
    else:
        world.replace(both("1h", "45 0,1,2 * * *"))
    world.go("1h")

    assert [f"2026-01-05T0{time}" for time in ("1:00", "1:45", "2:00")] == world.runs("job")
    assert 0 == world.skipped.total()


def test_a_moment_that_has_come_does_not_come_again_because_another_trigger_changes(world):
    once = OneTimeTrigger(at=at("2026-01-05T00:10"))
    world.add(Task("job", nothing, triggers=[once, PeriodicTrigger("1h")]))
    world.go("30m")
    world.replace(Task("job", nothing, triggers=[once, PeriodicTrigger("2h")]))
    world.crash()
    world.add(Task("job", nothing, triggers=[once, PeriodicTrigger("3h")]))
    world.go("1h")

    assert ["2026-01-05T00:10"] == world.runs("job")


def test_several_triggers_of_a_task_each_fire_at_their_times(world):
    both = [PeriodicTrigger("20m"), PeriodicTrigger(cron="30 * * * *", timezone="UTC")]
    world.add(Task("job", nothing, triggers=both))
    world.go("45m")

    assert [f"2026-01-05T00:{minute}" for minute in (20, 30, 40)] == world.runs("job")


# ── a third party's ──


class Foreign:
    """The two methods that every trigger has; `next_after` is for the subclass."""

    def is_ready(self, now):
        return False

    def reset(self, now):
        pass


class Hourly(Foreign):
    def next_after(self, now):
        return now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)


class SevenSecondsFromNow(Foreign):
    def next_after(self, now):
        return now + timedelta(seconds=7)


class Broken(Foreign):
    def next_after(self, now):
        raise OSError("no such calendar")


class Naive(Foreign):
    def next_after(self, now):
        return datetime(2027, 1, 1)


class Fickle(Foreign):
    """Each answer contradicts the one before."""

    def __init__(self):
        self.asked = 0

    def next_after(self, now):
        self.asked += 1
        return now + timedelta(seconds=60) if self.asked % 2 else None


def test_a_third_partys_times_are_asked_for(world):
    world.add(Task("job", nothing, triggers=[Hourly()]))
    world.go("2h30m")

    assert ["2026-01-05T01:00", "2026-01-05T02:00"] == world.runs("job")


@pytest.mark.parametrize("trigger", [Hourly, SevenSecondsFromNow])
def test_ten_years_of_a_third_partys_times_cost_a_bounded_number_of_questions(world, trigger):
    asked = []

    class Counted(trigger):
        def next_after(self, now):
            asked.append(now)
            return super().next_after(now)

    world.add(Task("job", nothing, triggers=[Counted()]))
    world.set_wall("2036-01-05T00:00")

    assert 1 == len(world.begun)
    assert len(asked) < 5_000
    assert world.next_fire("job") > "2036"


@pytest.mark.parametrize("trigger", [Broken, Naive])
def test_a_third_party_whose_answer_is_a_fault_is_told_of_and_stops_nobody_else(world, trigger):
    world.add(Task("job", nothing, triggers=[trigger()]), every("10m"))
    world.go("10m")

    assert ["job"] == [alert.subject for alert in world.alerts if isinstance(alert, Alert)]
    assert "next_after" in world.alerts[0].message
    assert 1 == len(world.runs("tick"))


def test_a_third_party_that_contradicts_itself_stops_nobody(world):
    world.add(Task("job", nothing, triggers=[Fickle()]), every("10m"))
    world.sleep("1h")
    world.turn()
    world.go("1h")

    assert 7 == len(world.runs("tick"))
