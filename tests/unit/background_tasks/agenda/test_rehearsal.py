"""What is to come: the same agenda, played on a simulated clock."""

from datetime import datetime

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from dms.background_tasks.agenda.decision import Failed, Succeeded
from dms.background_tasks.asking import rehearsal as module
from dms.background_tasks.asking.preview import leave_out, preview_of
from dms.background_tasks.asking.rehearsal import Full, Rehearsal
from dms.background_tasks.tasks.retry import RetryPolicy
from dms.background_tasks.tasks.task import Concurrency, Lane, Program, Task
from dms.background_tasks.triggers.event_trigger import EventTrigger
from dms.background_tasks.triggers.trigger import OneTimeTrigger, PeriodicTrigger
from dms.instant import SECOND, Instant, from_datetime, microseconds, to_datetime


def moment(text):
    return from_datetime(datetime.fromisoformat(text + "+00:00"))


def told(wall):
    return to_datetime(wall).replace(tzinfo=None).isoformat(timespec="minutes")


def nothing():
    pass


def job(name="job", interval="1h", **fields):
    return Task(name, nothing, triggers=[PeriodicTrigger(interval)], **fields)


def at(name, clock, **fields):
    minute, hour = clock.split(":")[::-1]
    return Task(name, nothing, triggers=[PeriodicTrigger(cron=f"{minute} {hour} * * *", timezone="UTC")], **fields)


def rehearse(world, length, lengths=None, slots=4):
    made = Rehearsal(world.agenda, slots, 60 * SECOND, world.now, world.now.wall + microseconds(length))
    made.reached = made.play({name: microseconds(took) for name, took in (lengths or {}).items()})
    return made


def starts(rehearsal, name="job"):
    return [told(run.start) for run in rehearsal.runs if run.task == name]


def test_an_interval_comes_in_its_phase(world):
    world.add(job())
    world.go("90m")
    assert [f"2026-01-05T{hour:02}:00" for hour in (2, 3, 4)] == starts(rehearse(world, "3h"))


def test_nothing_of_it_happens(world):
    world.add(job(), Task("chained", nothing, triggers=[EventTrigger("task.job.success")]))
    world.go("1h")
    before = world.next_fire("job"), world.agenda.next_wakeup(), len(world.begun)
    rehearse(world, "7d")
    world.turn()
    assert before == (world.next_fire("job"), world.agenda.next_wakeup(), len(world.begun))


def test_a_chain_goes_on_when_the_run_before_it_is_expected_to_end(world):
    world.add(at("job", "03:00"), Task("chained", nothing, triggers=[EventTrigger("task.job.success")]))
    assert ["2026-01-05T03:20"] == starts(rehearse(world, "1d", {"job": "20m"}), "chained")


def test_a_delay_counts_from_the_expected_end(world):
    world.add(Task("job", nothing, triggers=[PeriodicTrigger("1h", mode="fixed_delay")]))
    assert ["2026-01-05T01:00", "2026-01-05T02:30"] == starts(rehearse(world, "3h", {"job": "30m"}))


def test_who_finds_all_slots_taken_waits_and_that_is_told(world):
    world.add(*(at(name, "03:00") for name in ("a", "b", "c")), at("d", "04:00"))
    played = rehearse(world, "1d", dict.fromkeys("abc", "10m"), slots=2)
    assert ["2026-01-05T03:10"] == starts(played, "c")
    assert [Full(moment("2026-01-05T03:00"), moment("2026-01-05T03:10"), 1)] == played.full
    assert [0, 0, microseconds("10m"), 0] == [run.waits for run in played.runs]


def test_slots_that_are_taken_to_the_end_are_so_until_then(world):
    world.add(at("a", "23:50"))
    played = rehearse(world, "1d", {"a": "1h"}, slots=1)
    assert [Full(moment("2026-01-05T23:50"), moment("2026-01-06T00:00"))] == played.full


def test_what_runs_goes_on_for_as_long_as_it_is_expected_to(world):
    world.busy.add("job")
    world.add(job(overlap="queue"))
    world.go("90m")
    played = rehearse(world, "1h", {"job": "50m"}, slots=1)
    assert ["2026-01-05T02:00"] == starts(played)
    assert moment("2026-01-05T01:50") == played.full[0].until


def test_what_waits_for_a_slot_gets_the_next_one(make_world):
    world = make_world(slots=1)
    world.busy.add("long")
    world.add(Task("long", nothing), job(interval="10m"))
    world.run("long")
    world.go("15m")
    played = rehearse(world, "1h", {"long": "18m"}, slots=1)
    assert "2026-01-05T00:18" == starts(played)[0]
    assert moment("2026-01-05T00:10") == played.runs[0].due


def test_what_has_run_for_longer_than_it_ever_did_is_taken_to_end_now(world):
    world.busy.add("job")
    world.add(job())
    world.go("90m")
    assert ["2026-01-05T02:00"] == starts(rehearse(world, "1h", {"job": "1m"}))


def test_a_retry_that_waits_comes_at_its_time(world):
    world.busy.add("job")
    world.add(job(interval="1d", retry_policy=RetryPolicy(1, "20m")))
    world.go("1d")
    world.finish("job", Failed("no"))
    assert ["2026-01-06T00:20"] == starts(rehearse(world, "1h"))


@pytest.mark.parametrize("fields", [{"catch_up_window": "10m"}, {"heartbeat_timeout": "20m"}, {"timeout": "40m"}])
def test_what_has_begun_is_cut_off_by_none_of_its_limits(world, fields):
    """It is not too late, and gives signs of life."""
    world.busy.add("job")
    world.add(Task("job", Program(["true"]), triggers=[PeriodicTrigger("1h")], **fields))
    world.go("75m")
    played = rehearse(world, "40m", {"job": "35m"}, slots=1)
    assert moment("2026-01-05T01:35") == played.full[0].until


def test_fires_that_will_find_their_task_busy_are_counted(world):
    world.add(job())
    played = rehearse(world, "5h", {"job": "90m"})
    assert ({("job", "overlap"): 2}, 2) == (played.skipped, len(played.runs))


def test_a_pause_holds_until_its_end_and_the_next_fire_is_left_out_where_that_is_wanted(world):
    world.add(job("one"), job("two"))
    world.pause("one", "2026-01-05T02:30")
    world.skip_next("two")
    played = rehearse(world, "4h")
    assert (["2026-01-05T03:00"], 2) == (starts(played, "one"), len(starts(played, "two")))
    assert {("one", "paused"): 2, ("two", "skipped"): 1} == played.skipped


def test_a_pause_of_everything_holds_everything(world):
    world.add(job())
    world.pause()
    assert [] == rehearse(world, "1d").runs


def test_a_disabled_task_does_not_come(world):
    world.add(job(enabled=False))
    assert [] == rehearse(world, "1d").runs


def test_the_nodes_own_tasks_are_not_looked_at(world):
    world.add(job(lane=Lane.NODE))
    assert [] == rehearse(world, "1d").runs


def test_tasks_of_one_key_come_one_after_another(world):
    world.add(*(at(name, "03:00", concurrency=Concurrency("disk")) for name in "ab"))
    assert ["2026-01-05T03:05"] == starts(rehearse(world, "1d", {"a": "5m", "b": "5m"}), "b")


def test_gates_are_taken_to_be_open(world):
    world.add(at("job", "03:00", hold_until=["network"]))
    assert ["2026-01-05T03:00"] == starts(rehearse(world, "1d"))


def test_who_is_cancelled_for_the_next_run_makes_room_for_it_at_once(world):
    world.add(job(overlap="cancel_running"))
    played = rehearse(world, "150m", {"job": "90m"}, slots=1)
    assert (["2026-01-05T01:00", "2026-01-05T02:00"], 1) == (starts(played), len(played.full))


def test_runs_that_are_used_up_in_a_rehearsal_are_left_to_the_task(world):
    world.add(Task("job", nothing, triggers=[PeriodicTrigger("1h", max_runs=3)]))
    world.go("1h")
    assert 2 == len(starts(rehearse(world, "1d")))
    world.go("1d")
    assert 3 == len(world.runs("job"))


def test_what_was_missed_before_the_start_comes_at_its_share_of_the_spread(make_world):
    world = make_world(catch_up_spread=microseconds("1h"), seed="node-7")
    task = at("job", "03:00")
    world.add(task)
    world.crash(down="4h")
    world.add(task)
    foreseen = [run.start for run in rehearse(world, "2h").runs]
    world.go("2h")
    assert (foreseen, True) == ([run.at.wall for run in world.begun], foreseen[0] > moment("2026-01-05T04:00"))


def test_a_one_time_task_comes_once(world):
    world.add(Task("job", nothing, triggers=[OneTimeTrigger("2h")]))
    world.go("1h")
    assert ["2026-01-05T02:00"] == starts(rehearse(world, "7d"))


def test_a_third_partys_fault_in_a_rehearsal_is_not_told_of_the_task(world):
    class Once:
        def __init__(self):
            self.asked = 0

        def next_after(self, moment):
            self.asked += 1
            if self.asked > 1:
                raise ValueError("no more")
            return moment.replace(hour=3)

        def is_ready(self, now):
            return False

        def reset(self, now):
            pass

    world.add(Task("job", nothing, triggers=[Once()]))
    assert ["2026-01-05T03:00"] == starts(rehearse(world, "1d"))
    assert "" == world.agenda.entries[1].timetables[0].fault


def test_a_circle_of_tasks_that_need_no_time_ends_the_rehearsal(world, monkeypatch):
    monkeypatch.setattr(module, "MOST_RUNS", 100)
    world.add(
        Task("a", nothing, triggers=[PeriodicTrigger("1h"), EventTrigger("task.b.success")]),
        Task("b", nothing, triggers=[EventTrigger("task.a.success")]),
    )
    played = rehearse(world, "1d")
    assert (True, moment("2026-01-05T01:00")) == (100 <= len(played.runs) <= 110, played.reached)


def test_tasks_that_come_most_often_are_left_out_as_long_as_there_would_be_too_many_runs(world):
    world.add(job("tick", "1s"), job("tock", "10s"), job("hourly"))
    made = Rehearsal(world.agenda, 4, 60 * SECOND, world.now, world.now.wall + microseconds("7d"))
    left_out = leave_out(made)
    assert [("tick", 604_800), ("tock", 60_480)] == [(each.task, each.fires) for each in left_out]
    preview = preview_of(made, {}, left_out, ())
    assert {"hourly"} == {run.task for run in preview.runs}
    assert preview.complete


def test_only_some_tasks_are_told_of_though_all_are_played(world):
    world.add(*(job(name) for name in "abc"), at("d", "03:00"), job("tick", "1s"))
    made = Rehearsal(world.agenda, 2, 60 * SECOND, world.now, world.now.wall + microseconds("7d"))
    lengths = dict.fromkeys("abcd", microseconds("90m"))
    preview = preview_of(made, lengths, leave_out(made), {"a", "d"})

    assert {"a", "d"} == {run.task for run in preview.runs} == preview.lengths.keys()
    assert {"a"} == {task for task, _ in preview.skipped}
    assert [] == preview.left_out
    assert preview.full
    assert all({"a", "d"} & set(each.tasks) for each in preview.collisions)
    assert ("b", "c", "d") in [each.tasks for each in preview.collisions]


def test_tasks_beyond_the_most_are_counted(world, monkeypatch):
    monkeypatch.setattr(module, "MOST_TASKS", 2)
    world.add(*(job(name) for name in ("a", "b", "c")), job("later", "9d"))
    played = rehearse(world, "1h30m")
    assert (["a", "b"], 1) == ([run.task for run in played.runs], played.unseen)


def test_a_first_look_costs_little_however_much_there_is(world):
    """A task a second for a hundred days: it is counted, not enumerated."""
    world.add(job("tick", "1s"), Task("each", nothing, triggers=[PeriodicTrigger(cron="* * * * * *", timezone="UTC")]))
    made = Rehearsal(world.agenda, 4, 60 * SECOND, world.now, world.now.wall + microseconds("100d"))
    assert {"tick", "each"} == {each.task for each in leave_out(made)}
    assert [] == preview_of(made, {}, (), ()).runs


names = st.sampled_from(["a", "b", "c"])
triggers = st.sampled_from(
    [
        PeriodicTrigger("7m"),
        PeriodicTrigger("5m", jitter="2m"),
        PeriodicTrigger(cron="*/10 * * * *", timezone="UTC"),
        PeriodicTrigger("11m", mode="fixed_delay"),
        PeriodicTrigger("20m", at_start=True),
        OneTimeTrigger("33m"),
        PeriodicTrigger("6m", max_runs=5),
    ]
)
chained = st.one_of(triggers, st.just(EventTrigger("task.a.success")))


def fields(triggers):
    return st.fixed_dictionaries(
        {
            "triggers": st.lists(triggers, min_size=1, max_size=2),
            "priority": st.integers(-2, 2),
            "catch_up": st.sampled_from(["one", "none"]),
        }
    )


actions = st.lists(
    st.one_of(
        st.tuples(st.just("go"), st.integers(1, 40)),
        st.tuples(st.just("sleep"), st.integers(1, 20)),
        st.tuples(st.sampled_from(["pause", "resume", "skip_next"]), names),
    ),
    max_size=6,
)


@settings(max_examples=60)
@given(st.fixed_dictionaries({"a": fields(triggers), "b": fields(chained)}, optional={"c": fields(chained)}), actions)
def test_what_is_foreseen_is_what_then_comes(make_world, given_tasks, happenings):
    """As long as nobody does anything, and runs take as long as was expected: here, no time."""
    world = make_world(slots=2)
    world.add(*(Task(name, nothing, **fields) for name, fields in given_tasks.items()))
    for what, value in happenings:
        if what in ("go", "sleep"):
            getattr(world, what)(f"{value}m")
        elif value in given_tasks and world.id_of(value) in world.agenda.entries:
            getattr(world, what)(value)
    world.turn()

    foreseen = [(run.task, run.due, run.start, run.cause) for run in rehearse(world, "2h", slots=2).runs]
    before = len(world.begun)
    end = world.now.boot + microseconds("2h")
    world.go_to_boot(end - 1)
    assert foreseen == [(run.task, run.due, run.at.wall, run.cause) for run in world.begun[before:]]


def go_with_lengths(world, length, lengths):
    """Time goes by, and each run takes as long as is said of its task; what runs ends before anything else happens."""
    ends, end = {}, world.now.boot + microseconds(length)
    while True:
        for attempt in world.running.values():
            ends.setdefault(attempt.id, world.now.boot + lengths[attempt.task.name])
        wakeup = world.agenda.next_wakeup()
        due = min([*ends.values(), *([] if wakeup is None else [wakeup.boot])], default=end)
        if due >= end:
            return
        world.now = world.now.ahead(max(0, due - world.now.boot))
        for number in [number for number, at in sorted(ends.items(), key=lambda each: each[1]) if at <= due]:
            del ends[number]
            if number in world.running:
                world._finish(world.running[number], Succeeded())
        world.turn()


@settings(max_examples=60)
@given(
    st.fixed_dictionaries({"a": fields(triggers), "b": fields(chained), "c": fields(chained)}),
    st.fixed_dictionaries({name: st.integers(1, 25) for name in "abc"}),
    st.sampled_from(["skip", "queue"]),
    st.integers(1, 3),
)
def test_it_is_so_too_where_runs_take_their_time_and_wait_for_each_other(
    make_world, given_tasks, minutes, overlap, slots
):
    world = make_world(slots=slots, stored=False)
    world.busy |= given_tasks.keys()
    world.add(*(Task(name, nothing, overlap=overlap, **each) for name, each in given_tasks.items()))
    lengths = {name: length * 60 * SECOND for name, length in minutes.items()}
    made = Rehearsal(world.agenda, slots, 60 * SECOND, world.now, world.now.wall + microseconds("3h"))
    made.play(lengths)
    begun = len(world.begun)
    skipped = world.skipped.copy()
    go_with_lengths(world, "3h", lengths)
    foreseen = [(run.task, run.due, run.start, run.cause) for run in made.runs]
    assert foreseen == [(run.task, run.due, run.at.wall, run.cause) for run in world.begun[begun:]]
    assert made.skipped == world.skipped - skipped


def test_it_starts_from_the_clock_as_it_is(world):
    world.add(job())
    world.now = Instant(world.now.wall + microseconds("3h30m"), world.now.boot, trusted=False)
    world.turn()
    assert ["2026-01-05T04:30"] == starts(rehearse(world, "1h10m"))
