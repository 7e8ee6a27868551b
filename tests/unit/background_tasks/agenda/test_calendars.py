"""Calendars: their times in their zones, their marks, and clocks that are set."""

from zoneinfo import ZoneInfo

from cost import calls_of
from timed_tasks import at, cron, every


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

    assert calls_of(world.turn) < 50_000
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
