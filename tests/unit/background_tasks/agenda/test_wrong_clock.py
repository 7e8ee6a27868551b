"""A clock that is not trusted yet: a device without one of its own wakes in 1970, or in whatever its battery says."""

from collections import Counter
from datetime import UTC, datetime

import hypothesis.strategies as st
import pytest
from hypothesis import given

from dms.background_tasks.tasks.task import Task
from dms.background_tasks.triggers.trigger import OneTimeTrigger, PeriodicTrigger
from dms.instant import from_datetime, to_datetime

WRONG = ["1970-01-01T00:00:20", "2098-02-03T04:05:06"]


def nothing():
    pass


def told(wall):
    return to_datetime(wall).strftime("%Y-%m-%dT%H:%M")


def every(interval, **fields):
    trigger = {key: fields.pop(key) for key in ("mode", "start", "end") if key in fields}
    return Task("tick", nothing, triggers=[PeriodicTrigger(interval, **trigger)], **fields)


def cron(expression, **fields):
    return Task("job", nothing, triggers=[PeriodicTrigger(cron=expression, timezone="UTC")], **fields)


def once(delay):
    return Task("once", nothing, triggers=[OneTimeTrigger(delay)])


# ── a first boot ──


@pytest.mark.parametrize("woke", WRONG)
def test_an_interval_goes_on_by_boot_time_from_a_first_boot_in_a_wrong_year(make_world, woke):
    world = make_world(woke, trusted=False)
    world.add(every("10m"))
    world.go("25m")
    world.set_wall("2026-05-05T12:00", trusted=True)
    world.go("20m")

    assert ["2026-05-05T12:05", "2026-05-05T12:15"] == world.runs("tick")[2:]
    assert 0 == world.skipped.total()


@pytest.mark.parametrize("woke", WRONG)
def test_an_interval_that_was_anchored_in_a_wrong_year_keeps_its_phase_over_a_reboot_once_the_clock_is_right(
    make_world, woke
):
    world = make_world(woke, trusted=False)
    task = every("1h")
    world.add(task)
    world.go("10m")
    world.set_wall("2026-05-05T12:10", trusted=True)
    world.crash(down="90m", reboot=True)
    world.add(task)
    world.go("1h")

    assert ["2026-05-05T13:00", "2026-05-05T14:00"] == world.labels("tick")


@pytest.mark.parametrize("woke", WRONG)
def test_an_interval_with_a_start_takes_its_phase_once_the_clock_is_right_and_has_missed_nothing(make_world, woke):
    world = make_world(woke, trusted=False)
    world.add(every("1h", start=datetime(2026, 1, 1, 0, 20, tzinfo=UTC)))
    world.go("10m")
    before = len(world.begun)
    world.set_wall("2026-05-05T12:00", trusted=True)
    world.go("2h")

    assert ["2026-05-05T12:20", "2026-05-05T13:20"] == world.runs("tick")[before:]
    assert 0 == world.skipped.total()


@pytest.mark.parametrize("woke", WRONG)
def test_a_calendar_has_missed_nothing_in_the_years_that_never_were(make_world, woke):
    """systemd/systemd#13513, systemd/systemd#16347: booted in 2098, a timer waited for 2098 with the clock right."""
    world = make_world(woke, trusted=False)
    world.add(cron("0 3 * * *"))
    world.go("10m")
    world.set_wall("2026-05-05T12:00", trusted=True)
    world.go("24h")

    assert ["2026-05-06T03:00"] == world.runs("job")
    assert 0 == world.skipped.total()


def test_a_calendar_has_missed_nothing_though_the_clock_is_trusted_a_moment_after_it_was_set(make_world):
    world = make_world("1970-01-01T00:00:20", trusted=False)
    world.add(cron("0 3 * * *"))
    world.set_wall("2026-05-05T12:00")
    world.trust()
    world.go("24h")

    assert ["2026-05-06T03:00"] == world.runs("job")
    assert 0 == world.skipped.total()


def test_a_calendar_that_fired_in_1970_counts_from_the_moment_at_which_the_clock_is_right(make_world):
    world = make_world("1970-01-01T00:00:20", trusted=False)
    world.add(cron("*/10 * * * *"))
    world.go("25m")
    world.set_wall("2026-05-05T12:01", trusted=True)
    world.go("10m")

    assert ["1970-01-01T00:10", "1970-01-01T00:20", "2026-05-05T12:10"] == world.runs("job")
    assert 0 == world.skipped.total()


def test_a_clock_that_nobody_trusts_and_that_is_set_ahead_by_hours_has_missed_what_lies_between(make_world):
    world = make_world("2026-05-05T00:00", trusted=False)
    world.add(cron("0 * * * *"))
    world.set_wall("2026-05-05T03:30")

    assert ["2026-05-05T03:00"] == world.labels("job")
    assert 2 == world.skipped["job", "missed"]


def test_a_clock_that_is_set_by_seconds_when_it_is_trusted_loses_no_fire(make_world):
    world = make_world("2026-05-05T12:00", trusted=False)
    world.add(cron("0 * * * *"))
    world.go("59m58s")
    world.set_wall("2026-05-05T13:00:03", trusted=True)

    assert ["2026-05-05T13:00"] == world.labels("job")


# ── a boot after others ──


def test_a_week_long_interval_comes_though_the_device_wakes_in_1970_every_day(world):
    task = every("7d")
    world.add(task)
    for day in range(6, 20):
        world.go("23h50m")
        world.crash(wakes_in="1970-01-01T00:00:20")
        world.add(task)
        world.go("1m")
        world.set_wall(f"2026-01-{day:02}T00:00", trusted=True)

    assert ["2026-01-12T00:00", "2026-01-19T00:00"] == world.labels("tick")
    assert 0 == world.skipped.total()


def test_a_device_that_wakes_in_1970_makes_up_for_the_night_once_it_knows_the_time(world):
    """node-schedule/node-schedule#431: each of the times in between ran as soon as the time was known."""
    task = cron("0 3 * * *")
    world.add(task)
    world.go("4h")
    world.crash(wakes_in="1970-01-01T00:00:20")
    world.add(task)
    world.go("1h")
    world.set_wall("2026-01-08T09:00", trusted=True)

    assert ["2026-01-05T03:00", "2026-01-08T03:00"] == world.labels("job")
    assert 2 == world.skipped["job", "missed"]


def test_what_was_recorded_is_not_fired_again_after_a_boot_in_1970(world):
    task = cron("0 3 * * *")
    world.add(task)
    world.go("4h")
    world.crash(wakes_in="1970-01-01T00:00:20")
    world.add(task)
    world.set_wall("2026-01-05T04:10", trusted=True)
    world.go("2h")

    assert ["2026-01-05T03:00"] == world.labels("job")


def test_what_a_trusted_clock_had_counted_outlives_a_crash_while_it_is_1970(world):
    task = cron("0 3 * * *")
    world.add(task, every("4h"))
    world.go("3h30m")
    world.crash(wakes_in="1970-01-01T00:00:20")
    world.add(task, every("4h"))
    world.pause("job")
    world.resume("job")
    world.crash()
    world.add(task, every("4h"))
    world.set_wall("2026-01-06T02:00", trusted=True)
    world.go("3h")

    assert ["2026-01-05T03:00", "2026-01-06T03:00"] == world.labels("job")
    assert ["2026-01-06T00:00", "2026-01-06T04:00"] == world.labels("tick")


def test_what_fired_in_1970_stands_for_what_was_missed_until_then(world):
    world.add(every("1h"))
    world.crash(wakes_in="1970-01-01T00:00:20")
    world.add(every("1h"))
    world.go("70m")
    world.set_wall("2026-01-07T05:30", trusted=True)
    world.go("1h")

    assert ["1970-01-01T01:00:20", "2026-01-07T06:00"] == world.runs("tick")
    assert 0 == world.skipped.total()


def test_a_machine_whose_clock_was_right_all_along_changes_nothing_when_it_is_trusted(world):
    """Most machines have a clock of their own: it takes some seconds until a time service says that it is right."""
    world.add(cron("0 * * * *"), every("1h"))
    world.go("30m")
    now = world.now
    world.crash(wakes_in="2026-01-05T02:10")
    world.add(cron("0 * * * *"), every("1h"))
    world.go("20s")
    world.set_wall("2026-01-05T02:10:21", trusted=True)
    world.go("1h")

    assert ["2026-01-05T02:00", "2026-01-05T03:00"] == world.labels("job")
    assert ["2026-01-05T02:00", "2026-01-05T03:00"] == [label[:16] for label in world.labels("tick")]
    assert {("job", "missed"): 1, ("tick", "missed"): 1} == world.skipped
    assert now.boot > world.now.boot


@pytest.mark.parametrize("woke", WRONG)
def test_a_trigger_that_was_changed_while_the_clock_was_wrong_is_set_right_too(make_world, woke):
    world = make_world(woke, trusted=False)
    world.add(cron("0 3 * * *"))
    world.replace(cron("0 4 * * *"))
    world.set_wall("2026-05-05T12:00", trusted=True)
    world.go("24h")

    assert ["2026-05-06T04:00"] == world.runs("job")
    assert 0 == world.skipped.total()


def test_what_a_trusted_clock_had_counted_outlives_several_boots_in_1970(world):
    tasks = [cron("0 3 * * *"), every("4h")]
    world.add(*tasks)
    world.go("3h30m")
    for _ in range(3):
        world.crash(wakes_in="1970-01-01T00:00:20")
        world.add(*tasks)
        for name in ("job", "tick"):  # so that their marks are kept as they are now
            world.pause(name)
            world.resume(name)
    before = len(world.begun)
    world.set_wall("2026-01-06T02:00", trusted=True)
    world.go("3h")

    assert [("tick", "2026-01-06T00:00"), ("job", "2026-01-06T03:00"), ("tick", "2026-01-06T04:00")] == [
        (begun.task, told(begun.due)) for begun in world.begun[before:]
    ]


@pytest.mark.parametrize("mode", ["fixed_rate", "fixed_delay"])
def test_a_process_that_comes_back_when_the_clock_is_right_sets_right_what_was_counted_in_1970(make_world, mode):
    world = make_world("1970-01-01T00:00:20", trusted=False)
    tasks = [every("1h", mode=mode), cron("0 * * * *"), once("2h")]
    world.add(*tasks)
    world.go("10m")
    world.set_wall("1970-01-01T00:10:20")
    world.store.close()
    world.now = type(world.now)(from_datetime(datetime(2026, 5, 5, 12, 10, tzinfo=UTC)), world.now.boot)
    world._begin()
    world.add(*tasks)
    world.go("2h")

    assert ["2026-05-05T13:00", "2026-05-05T14:00"] == world.runs("tick") == world.runs("job")
    assert ["2026-05-05T14:00"] == world.runs("once")
    assert 0 == world.skipped.total()


@pytest.mark.parametrize(
    ("mode", "expected"), [("fixed_rate", "2026-01-07T05:30"), ("fixed_delay", "2026-01-07T06:10")]
)
def test_what_fired_in_1970_stands_for_what_was_missed_over_a_boot_in_which_the_clock_is_right(world, mode, expected):
    tasks = [every("1h", mode=mode, start=None), cron("30 * * * *")]
    world.go("30m")
    world.add(*tasks)
    world.crash(wakes_in="1970-01-01T00:00:20")
    world.add(*tasks)
    world.go("70m")
    before = len(world.begun)
    world.now = type(world.now)(from_datetime(datetime(2026, 1, 7, 5, 10, tzinfo=UTC)), world.now.boot)
    world.crash(reboot=True)
    world.add(*tasks)
    world.go("1h")

    lately = {(begun.task, told(begun.due)) for begun in world.begun[before:]}
    assert {("tick", expected), ("job", "2026-01-07T05:30")} == lately
    assert 0 == world.skipped.total()


def test_a_clock_that_was_right_all_along_and_is_trusted_a_boot_later_has_kept_the_phase(make_world):
    world = make_world("2026-01-05T00:00", trusted=False)
    tasks = [every("1h"), cron("0 * * * *"), once("90m")]
    world.add(*tasks)
    world.go("30m")
    world.now = type(world.now)(world.now.wall, world.now.boot)
    world.crash(down="10m", reboot=True)
    world.add(*tasks)
    world.go("1h")

    assert ["2026-01-05T01:00"] == world.runs("tick") == world.runs("job")
    assert ["2026-01-05T01:30"] == world.runs("once")


@pytest.mark.parametrize("woke", WRONG)
def test_what_was_counted_in_a_wrong_year_only_begins_anew_over_a_boot_in_which_the_clock_is_right(make_world, woke):
    world = make_world(woke, trusted=False)
    tasks = [every("1h"), cron("0 * * * *"), once("2h")]
    world.add(*tasks)
    world.go("20m")
    world.now = type(world.now)(from_datetime(datetime(2026, 1, 5, 0, 10, tzinfo=UTC)), world.now.boot)
    world.crash(reboot=True)
    world.add(*tasks)
    world.go("2h")

    assert ["2026-01-05T01:10", "2026-01-05T02:10"] == world.runs("tick")[-2:]
    assert ["2026-01-05T01:00", "2026-01-05T02:00"] == world.runs("job")[-2:]
    assert ["2026-01-05T02:10"] == world.runs("once")
    assert 0 == world.skipped.total()


def test_a_one_time_task_that_had_its_delay_in_1970_does_not_have_it_again(make_world):
    world = make_world("1970-01-01T00:00:20", trusted=False)
    task = Task("job", nothing, triggers=[OneTimeTrigger("10m"), PeriodicTrigger("1h")])
    world.add(task)
    world.go("20m")
    world.now = type(world.now)(from_datetime(datetime(2026, 1, 5, tzinfo=UTC)), world.now.boot)
    world.crash(reboot=True)
    world.add(task)
    world.go("30m")

    assert 1 == len(world.begun)


def test_a_clock_that_is_set_to_another_wrong_year_is_still_not_trusted(make_world):
    world = make_world("1970-01-01T00:00:20", trusted=False)
    task = every("1h")
    world.add(task)
    world.go("10m")
    world.set_wall("2030-01-01T00:00")
    world.set_wall("2026-05-05T12:10", trusted=True)
    world.crash(down="30m", reboot=True)
    world.add(task)
    world.go("1h")

    assert ["2026-05-05T13:00"] == world.runs("tick")


# ── delays ──


@pytest.mark.parametrize("woke", WRONG)
def test_a_delay_counts_by_boot_time_while_the_clock_is_wrong(make_world, woke):
    world = make_world(woke, trusted=False)
    world.add(once("10m"))
    world.go("4m")
    world.set_wall("2026-05-05T12:00", trusted=True)
    world.go("7m")

    assert ["2026-05-05T12:06"] == world.runs("once")


def test_a_delay_that_began_in_1970_is_not_over_because_the_clock_is_right_after_a_reboot(make_world):
    world = make_world("1970-01-01T00:00:20", trusted=False)
    world.add(once("10m"))
    world.go("4m")
    world.now = type(world.now)(world.now.wall + 56 * 365 * 86_400_000_000, world.now.boot)
    world.crash(reboot=True)
    world.add(once("10m"))

    assert [] == world.runs("once")
    world.go("10m")
    assert 1 == len(world.runs("once"))


def test_a_delay_goes_on_from_before_a_boot_in_1970(world):
    """raspberrypi/userland#654: what was due an hour after it was asked for came late by the time that it was off."""
    world.add(once("1d"))
    world.go("20h")
    world.crash(wakes_in="1970-01-01T00:00:20")
    world.add(once("1d"))
    world.set_wall("2026-01-05T21:00", trusted=True)
    world.go("3h")

    assert ["2026-01-06T00:00"] == world.runs("once")


def test_a_fixed_delay_counts_from_the_last_run_before_a_boot_in_1970(world):
    task = every("2h", mode="fixed_delay")
    world.add(task)
    world.go("2h30m")
    world.crash(wakes_in="1970-01-01T00:00:20")
    world.add(task)
    world.set_wall("2026-01-05T03:00", trusted=True)
    world.go("2h")

    assert ["2026-01-05T02:00", "2026-01-05T04:00"] == world.runs("tick")


def test_a_fixed_delay_whose_run_is_under_way_when_the_clock_is_right_waits_for_its_end(make_world):
    world = make_world("1970-01-01T00:00:20", trusted=False)
    world.busy.add("tick")
    world.add(every("10m", mode="fixed_delay"))
    world.go("12m")
    world.set_wall("2026-05-05T12:00", trusted=True)
    world.go("1h")
    world.finish("tick")
    world.go("10m")

    assert ["1970-01-01T00:10:20", "2026-05-05T13:10"] == world.runs("tick")


def test_tasks_that_are_added_one_after_another_share_their_doubt(make_world):
    """A million tasks of a machine without a time service take no more memory for that."""
    world = make_world(trusted=False)
    world.add(every("1h"), cron("0 * * * *"))
    world.sleep("300ms")
    world.add(once("1h"))
    one, other, third = (entry.timetables[0].doubt for entry in world.agenda.entries.values())

    assert one is other is third is not None


# ── what came in a wrong future ──


def test_what_still_waits_of_a_wrong_future_is_still_to_come(make_world):
    """A moment, and a calendar, that came in 2098 while nothing could run; an interval goes on."""
    world = make_world("2098-02-03T04:05", trusted=False, slots=1)
    world.busy.add("hog")
    world.add(Task("hog", nothing))
    world.run("hog")
    moment = OneTimeTrigger(at=datetime(2026, 5, 7, tzinfo=UTC))
    world.add(Task("once", nothing, triggers=[moment]), cron("0 5 * * *"), every("50m"))
    world.go("1h")
    world.set_wall("2026-05-05T12:00", trusted=True)
    assert ["cancelled", "cancelled"] == world.ends("once") + world.ends("job")
    world.finish("hog")
    world.go("40h")

    assert ["2026-05-07T00:00"] == world.runs("once")
    assert ["2026-05-06T05:00"] == world.runs("job")
    assert 48 <= len(world.runs("tick"))
    assert ["once"] == world.removed


def test_a_moment_that_came_in_a_wrong_future_comes_again_at_its_time_over_a_boot_too(world):
    task = Task("job", nothing, triggers=[OneTimeTrigger(at=datetime(2026, 5, 7, tzinfo=UTC)), PeriodicTrigger("10h")])
    world.add(task)
    world.crash(wakes_in="2098-02-03T04:05")
    world.add(task)
    world.go("1m")
    world.now = type(world.now)(from_datetime(datetime(2026, 5, 6, 23, 30, tzinfo=UTC)), world.now.boot)
    world.crash(reboot=True)
    world.add(task)
    world.go("1h")
    assert 1 == len(world.begun)  # a day is too little to say which of both was wrong

    world.now = type(world.now)(from_datetime(datetime(2026, 5, 5, tzinfo=UTC)), world.now.boot)
    world.crash(reboot=True)
    world.add(task)
    before = len(world.begun)
    world.go_until("2026-05-07T00:30")
    assert "2026-05-07T00:00" in world.labels("job")[before:]


# ── whatever the clocks do ──

YEARS = st.sampled_from(
    ["1970-01-01T00:00:20", "2025-12-31T23:50", "2026-01-05T03:00", "2026-06-01T00:00", "2098-02-03T04:05"]
)
happenings = st.lists(
    st.one_of(
        st.tuples(st.just("go"), st.sampled_from(["1m", "9m59s", "47m", "5h", "2d"])),
        st.tuples(st.just("sleep"), st.sampled_from(["30m", "7d", "3650d"])),
        st.tuples(st.just("set"), YEARS),
        st.tuples(st.just("set_right"), YEARS),
        st.tuples(st.just("wake_in"), YEARS),
        st.sampled_from([("trust", ""), ("crash", ""), ("reboot", "")]),
    ),
    min_size=1,
    max_size=12,
)


@given(happenings, st.booleans())
def test_nothing_falls_silent_whatever_the_clocks_do(make_world, happenings, trusted):
    world = make_world("2026-01-05T00:00", trusted=trusted)
    tasks = [
        every("1h"),
        Task("delay", nothing, triggers=[PeriodicTrigger("1h", mode="fixed_delay")]),
        Task("late", nothing, triggers=[PeriodicTrigger("1h", start=datetime(2025, 1, 1, tzinfo=UTC), jitter="10m")]),
        cron("*/10 * * * *"),
        Task("few", nothing, triggers=[PeriodicTrigger("7m", max_runs=5)]),
        once("30m"),
    ]
    world.add(*tasks)

    def begin_again(**how):
        world.crash(**how)
        world.add(*tasks)

    actions = {
        "go": world.go,
        "sleep": world.sleep,
        "set": world.set_wall,
        "set_right": lambda moment: world.set_wall(moment, trusted=True),
        "wake_in": lambda moment: begin_again(wakes_in=moment),
        "trust": lambda _: world.trust(),
        "crash": lambda _: begin_again(),
        "reboot": lambda _: begin_again(reboot=True),
    }
    for action, how in happenings:
        actions[action](how)
    world.set_wall("2026-01-09T00:05", trusted=True)
    began = len(world.begun)
    world.go("2h30m")

    lately = Counter(begun.task for begun in world.begun[began:])
    assert all(2 <= lately[name] <= 4 for name in ("tick", "delay", "late"))
    assert 15 <= lately["job"] <= 16
    assert len(world.runs("once")) == 1
    assert len(world.runs("few")) <= 5
    assert all(count >= 0 for count in world.skipped.values())
