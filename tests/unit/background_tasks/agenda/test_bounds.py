"""How often a trigger may fire, and the calendars that leave fires out."""

from zoneinfo import ZoneInfo

import pytest

from cost import calls_of
from dms.background_tasks.agenda.decision import Failed
from dms.background_tasks.tasks.retry import RetryPolicy
from dms.background_tasks.tasks.task import Task
from dms.background_tasks.triggers.event_trigger import EventTrigger
from dms.background_tasks.triggers.exclusion import Calendar
from dms.background_tasks.triggers.trigger import PeriodicTrigger

MANY = 50_000
"""Calls of functions that no walk over years would be content with."""

NIGHTS = Calendar(windows=["22:00-06:00"])
WEEKENDS = Calendar(weekdays=["sat", "sun"])
NEVER = Calendar(windows=["00:00-24:00"])


def nothing():
    pass


def every(interval="10m", **fields):
    names = ("max_runs", "exclude", "mode", "at_start", "start", "jitter")
    trigger = {key: fields.pop(key) for key in names if key in fields}
    return Task("tick", nothing, triggers=[PeriodicTrigger(interval, **trigger)], **fields)


def cron(expression, **fields):
    names = ("max_runs", "exclude", "timezone")
    trigger = {"timezone": "UTC"} | {key: fields.pop(key) for key in names if key in fields}
    return Task("job", nothing, triggers=[PeriodicTrigger(cron=expression, **trigger)], **fields)


# ── max_runs ──


@pytest.mark.parametrize("task", [every(max_runs=2), cron("*/10 * * * *", max_runs=2)])
def test_a_trigger_fires_so_often_and_no_more(world, task):
    world.add(task)
    world.go("1h")

    assert ["2026-01-05T00:10", "2026-01-05T00:20"] == world.runs(task.name)
    assert world.next_fire(task.name) is None


def test_a_trigger_that_is_used_up_says_so_and_its_task_stays(world):
    world.add(every(max_runs=2))
    world.go("1h")
    entry = next(iter(world.agenda.entries.values()))

    assert "it has had its 2 runs (max_runs)" == world.agenda.planning.used_up(entry)
    assert [] == world.removed


def test_a_task_that_something_else_can_fire_is_not_used_up(world):
    world.add(Task("tick", nothing, triggers=[PeriodicTrigger("10m", max_runs=1), EventTrigger("door.opened")]))
    world.go("1h")

    assert "" == world.agenda.planning.used_up(next(iter(world.agenda.entries.values())))


def test_the_count_survives_crashes_and_reboots(world):
    """ow2-proactive/scheduling#2518: a restart gave all of them back."""
    task = every(max_runs=3)
    world.add(task)
    for reboot in (False, True, False):
        world.go("12m")
        world.crash(reboot=reboot)
        world.add(task)
    world.go("1h")

    assert 3 == len(world.runs("tick"))


def test_the_count_survives_a_crash_without_durability_too(world):
    task = every(max_runs=3, durability="none")
    world.add(task)
    for _ in range(3):
        world.go("12m")
        world.crash()
        world.add(task)
    world.go("1h")

    assert 3 == len(world.runs("tick"))


def test_what_is_skipped_does_not_count(world):
    world.busy.add("tick")
    world.add(every(max_runs=2))
    world.go("35m")
    world.finish("tick")
    world.pause("tick")
    world.go("10m")
    world.resume("tick")
    world.go("10m")

    assert ["2026-01-05T00:10", "2026-01-05T00:50"] == world.runs("tick")
    assert {("tick", "overlap"): 2, ("tick", "paused"): 1} == world.skipped


def test_a_run_counts_whatever_becomes_of_it_and_as_soon_as_it_is_taken_on(world):
    """ohdearquant/lionagi#2310: what timed out, or still ran, did not count, and there were more runs than allowed."""
    world.busy.add("tick")
    world.add(every(max_runs=4, overlap="allow", max_instances=2, timeout="25m", kill_after=0))
    world.go("10m")
    world.finish("tick", Failed("no"))
    world.go("2h")

    assert 4 == len(world.runs("tick"))
    assert ["failed", "abandoned", "abandoned", "abandoned"] == world.ends("tick")


def test_neither_retries_nor_what_an_operator_asks_for_count(world):
    world.busy.add("tick")
    world.add(every(max_runs=2, retry_policy=RetryPolicy(1, "1m")))
    world.run("tick")
    world.finish("tick")
    world.go("10m")
    world.finish("tick", Failed("no"))
    world.go("1m")
    world.finish("tick")
    world.go("1h")

    assert ["operator", "schedule", "retry", "schedule"] == world.causes("tick")


def test_more_is_not_caught_up_with_than_is_left(world):
    world.add(every(max_runs=2, catch_up="all", catch_up_limit=5))
    world.sleep("1h")
    world.turn()
    world.go("1h")

    assert ["2026-01-05T00:50", "2026-01-05T01:00"] == world.labels("tick")
    assert 4 == world.skipped["tick", "missed"]


def test_what_has_run_already_is_no_longer_left_to_be_caught_up_with(world):
    world.add(every(max_runs=3, catch_up="all", catch_up_limit=5))
    world.go("20m")
    world.sleep("1h")
    world.turn()

    assert ["2026-01-05T00:10", "2026-01-05T00:20", "2026-01-05T01:20"] == world.labels("tick")


def test_a_fixed_delay_is_used_up_too(world):
    world.add(every(max_runs=2, mode="fixed_delay"))
    world.go("2h")

    assert ["2026-01-05T00:10", "2026-01-05T00:20"] == world.runs("tick")


def test_the_fire_that_at_start_adds_counts(world):
    world.add(every(max_runs=2, at_start=True))
    world.go("1h")

    assert ["2026-01-05T00:00", "2026-01-05T00:10"] == world.runs("tick")


def test_a_clock_that_is_set_does_not_bring_back_a_trigger_that_is_used_up(world):
    world.add(cron("0 * * * *", max_runs=1))
    world.go("2h")
    world.set_wall("2025-12-01T00:30")
    world.go("5h")

    assert 1 == len(world.runs("job"))


def test_a_task_that_is_disabled_and_enabled_again_goes_on_counting_and_a_changed_trigger_begins_anew(world):
    world.add(every(max_runs=2))
    world.go("10m")
    world.replace(every(max_runs=2, enabled=False))
    world.replace(every(max_runs=2))
    world.go("1h")
    assert 2 == len(world.runs("tick"))

    world.replace(every(max_runs=3))
    world.go("1h")
    assert 5 == len(world.runs("tick"))


def test_another_time_zone_of_the_scheduler_does_not_begin_the_count_anew(world):
    world.add(cron("*/10 * * * *", max_runs=2, timezone=None))
    world.go("10m")
    world.agenda.go_by(ZoneInfo("Asia/Tokyo"), world.now)
    world.go("1h")

    assert 2 == len(world.runs("job"))


# ── exclude ──


def test_what_a_calendar_leaves_out_does_not_run_and_is_counted_with_the_reason(world):
    world.keep_to(nights=NIGHTS)
    world.add(cron("0 */2 * * *", exclude=["nights"]))
    world.go("24h")

    assert [f"2026-01-05T{hour:02}:00" for hour in range(6, 22, 2)] == world.runs("job")
    assert {("job", "excluded"): 4} == world.skipped
    assert "the calendar nights leaves it out" == world.agenda.entries[1].skips.latest[-1].why


def test_an_interval_keeps_its_phase_over_what_is_left_out(world):
    world.keep_to(nights=NIGHTS)
    world.add(every("50m", exclude=["nights"]))
    world.go("8h")

    assert ["2026-01-05T06:40", "2026-01-05T07:30"] == world.runs("tick")
    assert 7 == world.skipped["tick", "excluded"]


def test_a_fixed_delay_goes_on_after_what_is_left_out(world):
    world.keep_to(nights=NIGHTS)
    world.add(every("50m", exclude=["nights"], mode="fixed_delay"))
    world.go("8h")

    assert ["2026-01-05T06:40", "2026-01-05T07:30"] == world.runs("tick")


def test_several_calendars_each_leave_out_their_own(world):
    world.keep_to(nights=NIGHTS, weekends=WEEKENDS)
    world.add(cron("0 3,12 * * *", exclude=["nights", "weekends"]))
    world.go("168h")

    assert [f"2026-01-{day:02}T12:00" for day in range(5, 10)] == world.runs("job")
    assert 9 == world.skipped["job", "excluded"]


def test_a_changed_calendar_counts_at_once_for_a_task_that_sleeps(world):
    world.keep_to(nights=NIGHTS)
    world.add(cron("0 3 * * *", exclude=["nights"]))
    world.go("1h")
    world.keep_to(nights=Calendar(windows=["23:00-02:00"]))
    world.go("3h")

    assert ["2026-01-05T03:00"] == world.runs("job")


def test_a_calendar_that_is_gone_leaves_nothing_out_and_that_is_told_until_it_is_back(world):
    world.keep_to(nights=NIGHTS)
    world.add(cron("0 3 * * *", exclude=["nights"]))
    world.keep_to(weekends=WEEKENDS)
    world.go("4h")
    world.keep_to(nights=NIGHTS)

    assert ["2026-01-05T03:00"] == world.runs("job")
    assert [("calendar", "job"), ("calendar", "job")] == [(alert.code, alert.subject) for alert in world.alerts]
    assert "no calendar is called 'nights'; there are weekends." in world.alerts[0].message
    assert "" == world.alerts[1].message


def test_the_next_fire_is_the_one_that_will_run(world):
    world.keep_to(weekends=WEEKENDS)
    world.add(cron("0 12 * * *", exclude=["weekends"]), every("7h", exclude=["weekends"]))
    world.go_until("2026-01-09T13:00")

    assert ("2026-01-12T12:00", "2026-01-09T16:00") == (world.next_fire("job"), world.next_fire("tick"))
    world.go_until("2026-01-10T00:30")
    assert "2026-01-12T00:00" == world.next_fire("tick")


@pytest.mark.parametrize(
    "task",
    [
        cron("* * * * *", exclude=["never"]),
        every("1s", exclude=["never"]),
        every("7d", exclude=["mondays"]),
        cron("0 0 * * mon", exclude=["mondays"]),
        cron("0 0 29 2 *", exclude=["never"]),
    ],
)
def test_an_exclusion_that_leaves_nothing_hangs_nowhere(world, task):
    """quartz-scheduler/quartz#549, quartznet/quartznet#668: the search for a time that is left never ended."""
    world.keep_to(never=NEVER, mondays=Calendar(weekdays=["mon"]))
    world.add(task)
    assert calls_of(lambda: world.next_fire(task.name)) < MANY
    assert world.next_fire(task.name) is None
    world.go("10m")

    assert [] == world.runs(task.name)


def test_what_was_missed_is_made_up_for_by_the_latest_that_no_calendar_leaves_out(world):
    world.keep_to(nights=NIGHTS)
    world.add(cron("0 * * * *", exclude=["nights"]))
    world.go_until("2026-01-05T20:30")
    runs = len(world.begun)
    world.sleep("8h")
    world.turn()

    assert ["2026-01-05T21:00"] == world.labels("job")[runs:]
    assert {("job", "excluded"): 5 + 7} == world.skipped


def test_of_what_was_missed_that_which_lies_before_the_latest_run_was_missed(world):
    world.keep_to(nights=NIGHTS)
    world.add(every("1h", exclude=["nights"], catch_up="all", catch_up_limit=2))
    world.go_until("2026-01-05T05:30")
    world.sleep("25h")
    world.turn()

    assert ["2026-01-05T21:00", "2026-01-06T06:00"] == world.labels("tick")
    assert 25 + 5 == len(world.labels("tick")) + world.skipped.total()


def test_ten_years_of_what_was_missed_and_left_out_are_not_walked_over(world):
    """quartznet/quartznet#2270: nights, weekends and holidays together took 13 seconds to get out of."""
    world.keep_to(nights=NIGHTS, weekends=WEEKENDS)
    world.add(cron("* * * * *", exclude=["nights", "weekends"]))
    world.sleep("3650d")

    assert calls_of(world.turn) < MANY
    assert 1 == len(world.begun)


def test_skip_next_waits_for_a_fire_that_no_calendar_leaves_out(world):
    world.keep_to(nights=NIGHTS)
    world.add(cron("0 5,6,7 * * *", exclude=["nights"]))
    world.agenda.skip_next(1, True, world.now)
    world.go("8h")

    assert ["2026-01-05T07:00"] == world.runs("job")
    assert {("job", "excluded"): 1, ("job", "skipped"): 1} == world.skipped


def test_what_is_left_out_uses_up_no_run(world):
    world.keep_to(nights=NIGHTS)
    world.add(cron("0 * * * *", exclude=["nights"], max_runs=2))
    world.go("24h")

    assert ["2026-01-05T06:00", "2026-01-05T07:00"] == world.runs("job")


def test_a_calendar_without_a_zone_follows_that_of_the_scheduler(make_world):
    world = make_world("2026-01-05T00:00")
    world.keep_to(nights=NIGHTS)
    world.add(cron("0 14 * * *", exclude=["nights"]))
    world.agenda.go_by(ZoneInfo("Asia/Tokyo"), world.now)
    world.go("24h")

    assert {("job", "excluded"): 1} == world.skipped
