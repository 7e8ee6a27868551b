"""What comes once, several triggers of one task, and what a third party's trigger may do."""

from datetime import UTC, datetime, timedelta

import pytest

from dms.background_tasks.agenda.decision import Alert
from dms.background_tasks.tasks.task import Task
from dms.background_tasks.triggers.trigger import OneTimeTrigger, PeriodicTrigger
from timed_tasks import at, every, nothing

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
