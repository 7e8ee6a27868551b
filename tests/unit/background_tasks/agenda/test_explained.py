"""What is remembered of fires that did not run, and what an explanation makes of it, whatever has happened."""

from datetime import UTC, datetime

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from dms.background_tasks.agenda.decision import Failed
from dms.background_tasks.agenda.skips import LATEST
from dms.background_tasks.asking.evidence import evidence_of
from dms.background_tasks.asking.explanation import explain
from dms.background_tasks.asking.phrases import MINUTE
from dms.background_tasks.asking.view import view_of
from dms.background_tasks.store import Life, Query
from dms.background_tasks.tasks.retry import RetryPolicy
from dms.background_tasks.tasks.task import Task
from dms.background_tasks.triggers.event_trigger import EventTrigger
from dms.background_tasks.triggers.exclusion import Calendar
from dms.background_tasks.triggers.trigger import PeriodicTrigger
from dms.instant import from_datetime, microseconds

BEGAN = from_datetime(datetime(2026, 1, 5, tzinfo=UTC))


def nothing():
    pass


def every(interval, **fields):
    return Task("job", nothing, triggers=[PeriodicTrigger(interval)], **fields)


def skips(world):
    """What is remembered as (reason, first, last, count, why), moments as minutes since the world began."""
    began, kept = BEGAN, world.agenda.entries[1].skips
    return [
        (each.reason, (each.first - began) / MINUTE, (each.last - began) / MINUTE, each.count, each.why)
        for each in (kept.latest if kept else ())
    ]


def test_fires_that_are_left_out_one_after_another_are_one(world):
    world.add(every("10m"))
    world.agenda.pause(1, None, "new disk", world.now)
    world.go("1h")

    assert [("paused", 10, 60, 6, "new disk")] == skips(world)


def test_those_after_a_run_are_another(world):
    world.busy.add("job")
    world.add(every("10m"))
    world.go("20m")
    world.finish("job")
    world.go("30m")

    why = "job is running already; its overlap is skip"
    assert [("overlap", 20, 20, 1, why), ("overlap", 40, 50, 2, why)] == skips(world)


def test_those_for_another_reason_are_another(world):
    world.add(every("10m"))
    world.skip_next("job")
    world.go("10m")
    world.pause("job")
    world.go("10m")

    assert [("skipped", 10, 10, 1, ""), ("paused", 20, 20, 1, "")] == skips(world)


@pytest.mark.parametrize(
    ("fields", "left_out", "why"),
    [
        ({}, 5, "its catch_up runs only the latest of them"),
        ({"catch_up": "all", "catch_up_limit": 2}, 4, "its catch_up_limit is 2"),
        ({"catch_up": "none"}, 6, "its catch_up is none"),
        ({"catch_up_window": "2m"}, 6, "its catch_up_window is 2m"),
    ],
)
def test_what_was_missed_is_remembered_with_why(world, fields, left_out, why):
    world.add(every("10m", **fields))
    world.sleep("65m")
    world.turn()

    ((reason, first, last, count, said),) = skips(world)
    assert ("missed", 10, left_out, why) == (reason, first, count, said)
    assert left_out * 10 <= last < (left_out + 1) * 10


def test_one_whose_turn_came_too_late_is_missed_by_its_window(world):
    world.busy.add("job")
    world.add(every("1h", overlap="queue", catch_up_window="30m"))
    world.go("2h50m")
    world.finish("job")

    assert ("missed", 120, 120, 1, "its catch_up_window is 30m") == skips(world)[-1]


@pytest.mark.parametrize("durability", ["none", "at_most_once"])
def test_it_is_still_remembered_after_a_crash(world, durability):
    task = every("10m", durability=durability)
    world.add(task)
    world.pause("job")
    world.go("1h")
    before = skips(world)
    world.crash()
    world.add(task)

    assert before == skips(world)


def test_no_more_is_remembered_than_the_bound_says(world):
    world.add(Task("job", nothing, triggers=[EventTrigger("bell")]))
    for _ in range(LATEST + 5):
        world.skip_next("job")
        world.emit("bell")
        world.emit("bell")
        world.go("1m")

    assert LATEST == len(skips(world))
    assert LATEST + 4 == skips(world)[-1][1]
    assert {"skipped": LATEST + 5} == world.agenda.entries[1].skipped


def test_lives_are_remembered_from_their_first_change_until_their_last_or_their_stop(world):
    began = world.now.wall
    world.add(every("10m"))
    world.go("25m")
    world.crash(down="1h")
    second = world.now.wall
    world.add(every("10m"))
    world.go("1m")
    world.agenda.stop(world.now)
    world.turn()
    stopped = world.now.wall
    world.crash(down="1h")

    assert (Life(1, began, began + 20 * MINUTE), Life(2, second, stopped, True)) == world.agenda.lives


def asked(world, at):
    entry = world.agenda.entries[1]
    executions = world.store.executions(Query("job", 10_000)).result()
    view = view_of(entry, world.agenda, {})
    return explain(evidence_of(entry, world.agenda, view, executions, True, UTC, world.now, at), at), executions


def test_a_fire_that_a_calendar_leaves_out_is_explained_before_and_after_it(world):
    world.keep_to(nights=Calendar(windows=["22:00-06:00"]))
    world.add(Task("job", nothing, triggers=[PeriodicTrigger(cron="0 * * * *", timezone="UTC", exclude=["nights"])]))
    at = from_datetime(datetime(2026, 1, 5, 3, tzinfo=UTC))
    before, _ = asked(world, at)
    world.go("4h")
    after, _ = asked(world, at)

    why = "falls on a time that the calendar nights leaves out"
    assert ("will_not_run", f"job will not run at 03:00 today: it {why}.") == (before.verdict, before.sentence)
    assert ("did_not_run", "job did not run at 03:00 today: the calendar nights leaves it out.") == (
        after.verdict,
        after.sentence,
    )


def test_the_next_fire_that_is_told_is_one_that_no_calendar_leaves_out(world):
    world.keep_to(nights=Calendar(windows=["22:00-06:00"]))
    world.add(Task("job", nothing, triggers=[PeriodicTrigger(cron="0 * * * *", timezone="UTC", exclude=["nights"])]))

    told, _ = asked(world, from_datetime(datetime(2026, 1, 5, 2, 30, tzinfo=UTC)))

    assert ("not_due", ["The next fire after that: 06:00 today."]) == (told.verdict, told.facts)


actions = st.one_of(
    st.tuples(st.just("go"), st.integers(1, 40)),
    st.tuples(st.just("sleep"), st.integers(1, 40)),
    st.tuples(st.just("crash"), st.integers(0, 40)),
    st.tuples(st.just("stop"), st.integers(0, 40)),
    st.sampled_from([("pause", 0), ("resume", 0), ("skip", 0), ("run", 0), ("finish", 0), ("fail", 0), ("busy", 0)]),
)
policies = st.fixed_dictionaries(
    {
        "overlap": st.sampled_from(["skip", "queue", "cancel_running"]),
        "catch_up": st.sampled_from(["one", "none", "all"]),
        "catch_up_window": st.sampled_from([None, "15m"]),
        "durability": st.sampled_from(["at_most_once", "at_least_once"]),
    }
)
triggers = st.sampled_from([PeriodicTrigger("7m"), PeriodicTrigger(cron="*/5 * * * *", timezone="UTC")])


@settings(max_examples=100)
@given(st.lists(actions, max_size=14), policies, triggers, st.integers(0, 1))
def test_what_is_said_never_contradicts_the_history_and_no_fire_is_forgotten(
    make_world, happenings, policy, trigger, retries
):
    """Of a task that is there all the time, with all of its history kept."""
    world = make_world(slots=1)
    began = world.now.wall
    task = Task("job", nothing, triggers=[trigger], retry_policy=RetryPolicy(retries, "3m"), **policy)
    world.add(task)
    for what, length in happenings:
        _happens(world, task, what, length)
    world.turn()

    for at in range(began + MINUTE, world.now.wall - MINUTE, MINUTE):
        told, executions = asked(world, at)
        window = range(at, at + MINUTE)
        started = [each for each in executions if each.started in window]
        due = [each for each in executions if (each.occurrence or each.due) in window]
        if started:
            assert "ran" == told.verdict
        if told.verdict == "ran":
            assert started or any(each.started is not None for each in due)
        if told.verdict in ("did_not_run", "waiting", "not_due"):
            assert not started
        assert told.verdict not in ("will_run", "will_not_run", "unknown"), told


def _happens(world, task, what, length):
    if what == "go":
        return world.go(f"{length}m")
    if what == "sleep":
        return world.sleep(f"{length}m")
    if what == "stop":
        world.agenda.stop(world.now)
        world.turn()
    if what in ("stop", "crash"):
        world.crash(down=f"{length}m")
        return world.add(task)
    return _is_asked_for(world, what)


def _is_asked_for(world, what):
    match what:
        case "pause":
            world.pause("job")
        case "resume":
            world.resume("job")
        case "skip":
            world.skip_next("job")
        case "run":
            world.run("job", ticket=object())
        case "busy":
            world.busy.symmetric_difference_update({"job"})
        case _ if world.running:
            world.finish("job", Failed("no") if what == "fail" else None)


def test_a_stop_that_is_asked_for_twice_is_one_life(world):
    world.add(every("1h"))
    for _ in range(2):
        world.agenda.stop(world.now)
        world.turn()
    world.sleep("1h")
    world.crash(down=f"{microseconds('1h') // MINUTE}m")

    assert [True] == [life.stopped for life in world.agenda.lives]
