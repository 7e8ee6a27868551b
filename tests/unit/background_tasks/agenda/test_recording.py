"""What an agenda is told and decides is recorded; told the same, another decides the same."""

import json
import os

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import given, settings

from dms.background_tasks.agenda.decision import Failed
from dms.background_tasks.asking.recorded import CALLS, FORMAT
from dms.background_tasks.asking.recording import Recording
from dms.background_tasks.asking.replaying import replay, replay_lines
from dms.background_tasks.tasks.retry import RetryPolicy
from dms.background_tasks.tasks.task import Concurrency, Event, Program, Task
from dms.background_tasks.triggers.event_trigger import EventTrigger
from dms.background_tasks.triggers.exclusion import Calendar
from dms.background_tasks.triggers.trigger import OneTimeTrigger, PeriodicTrigger
from dms.errors import InvalidInput


def nothing():
    pass


class Doorbell:
    """A third party's trigger, without times of its own."""

    def is_ready(self, now):
        return False

    def reset(self, now):
        pass


class Moons(Doorbell):
    """One that says its own times."""

    def next_after(self, now):
        return None


@pytest.fixture
def path(tmp_path):
    return tmp_path / "decisions.jsonl"


@pytest.fixture
def world(make_world, path):
    """A world whose agenda is recorded."""
    return make_world(record=lambda: Recording(path))


def lines(path):
    return path.read_bytes().splitlines()


def test_a_day_of_many_kinds_is_decided_once_more(world, path):
    """Whatever can be told an agenda is told it."""
    world.agenda.keep_to({"sundays": Calendar(weekdays=["sun"])}, world.now)
    world.busy.add("hold")
    world.add(
        Task("tick", nothing, triggers=[PeriodicTrigger("7m", jitter="2m", exclude=["sundays"])]),
        Task("flaky", nothing, triggers=[PeriodicTrigger("1h")], retry_policy=RetryPolicy(2, "3m", jitter="1m")),
        Task("hold", nothing, triggers=[EventTrigger("bell")], timeout="20m", heartbeat_timeout="15m"),
        Task(
            "keyed",
            Program(["true", "x"]),
            triggers=[EventTrigger("bell", debounce="1m")],
            concurrency=Concurrency("k"),
        ),
        Task("gated", nothing, triggers=[OneTimeTrigger("2h")], hold_until=["network"]),
        Task("asked", nothing, triggers=[Doorbell()]),
        Task("free", lambda: 1, durability="none"),
    )
    world.emit("bell", {"who": "cat"})
    world.go("10m")
    world.agenda.attempts.beat(next(iter(world.running)), world.now)
    world.agenda.save_state(next(iter(world.running)), b"{}", object(), world.now)
    world.agenda.poll_fired(world.id_of("asked"), world.now)
    world.run("free", ticket=object())
    world.busy.add("flaky")
    world.go("1h")
    world.finish("flaky", Failed("no", kinds=("OSError",)))
    world.pause("tick", "2026-01-05T02:00")
    world.skip_next("flaky")
    world.resize(1)
    world.go("2h")
    world.backfill("tick", "2026-01-04T00:00", ticket=object())
    world.disk = "slow"
    world.run("hold", ticket=object())
    world.refuse()
    world.disk = "quick"
    world.go("10s")
    world.replace(Task("tick", nothing, triggers=[PeriodicTrigger("9m")]))
    world.pause()
    world.go("30m")
    world.resume()
    world.remove("keyed")
    world.agenda.stop(world.now)
    world.agenda.attempts.cancel_running("the end", world.now)
    world.turn()
    world.agenda.attempts.abandon(world.now)
    world.turn()

    told = replay(path)
    assert (None, False) == (told.difference, told.full)
    assert (told.calls, True) == (len(lines(path)) - 1, told.decisions > 50)
    called = {json.loads(line)[0] for line in lines(path)[1:]}
    assert {"go_by", "age_by", "drop_undeclared", "observe"} == CALLS.keys() - called


def test_a_start_after_a_crash_is_replayed_with_what_the_store_knew(make_world, tmp_path):
    paths = (tmp_path / f"{number}.jsonl" for number in range(2))
    world = make_world(record=lambda: Recording(next(paths)))
    task = Task("job", nothing, triggers=[PeriodicTrigger("1h")], durability="at_least_once")
    world.busy.add("job")
    world.add(task)
    world.go("1h")
    world.crash(down="5h")
    world.add(task)
    world.go("1h")
    for path in tmp_path.iterdir():
        assert replay(path).difference is None
    assert b"interrupted" in (tmp_path / "1.jsonl").read_bytes()


def test_who_decides_otherwise_is_told_where_first(world, path):
    world.add(Task("job", nothing, triggers=[PeriodicTrigger("1h")]))
    world.go("3h")
    kept = lines(path)
    start = next(number for number, line in enumerate(kept) if b'["start"' in line)
    other = kept[start].replace(b'"start","1-1"', b'"start","1-9"')
    difference = replay_lines([*kept[:start], other, *kept[start + 1 :]]).difference
    assert (start + 1, "1-9", "1-1") == (difference.line, difference.recorded[1], difference.decided[1])


def test_a_decision_too_many_or_too_few_is_a_difference(world, path):
    world.add(Task("job", nothing, triggers=[PeriodicTrigger("1h")]))
    kept = lines(path)
    name, now, arguments, decisions = json.loads(kept[2])
    more = msgspec.json.encode([name, now, arguments, [*decisions, ["kill", "1-1"]]])
    fewer = msgspec.json.encode([name, now, arguments, []])
    assert (["kill", "1-1"], None) == astuple(replay_lines([*kept[:2], more]).difference)
    assert (None, decisions[0]) == astuple(replay_lines([*kept[:2], fewer]).difference)


def astuple(difference):
    return difference.recorded, difference.decided


def test_a_last_line_that_a_crash_has_cut_off_ends_it(world, path):
    world.add(Task("job", nothing, triggers=[PeriodicTrigger("1h")]))
    world.go("3h")
    kept = lines(path)
    told = replay_lines([*kept[:-1], kept[-1][:-5]])
    assert (len(kept) - 2, None) == (told.calls, told.difference)


def test_a_full_recording_says_so_and_is_replayed_as_far_as_it_goes(make_world, path):
    world = make_world(record=lambda: Recording(path, 5_000))
    world.add(Task("job", nothing, triggers=[PeriodicTrigger("1m")]))
    world.go("1d")
    told = replay(path)
    assert (True, None, True) == (told.full, told.difference, path.stat().st_size <= 5_010)
    assert 1440 == len(world.runs("job"))


def test_a_file_that_can_t_be_written_ends_the_recording_and_is_told(make_world, tmp_path):
    world = make_world(record=lambda: Recording(tmp_path / "none" / "decisions.jsonl"))
    world.add(Task("job", nothing, triggers=[PeriodicTrigger("1h")]))
    world.go("1h")
    assert ["recording"] == [alert.code for alert in world.alerts]
    assert 1 == len(world.runs("job"))


def test_a_disk_that_is_full_ends_the_recording_and_is_told(make_world, path):
    recording = Recording(path)
    world = make_world(record=lambda: recording)
    recording._file = os.open("/dev/full", os.O_WRONLY)
    world.add(Task("job", nothing, triggers=[PeriodicTrigger("1h")]))
    assert ["No space left on device"] == [alert.message.rpartition("] ")[2] for alert in world.alerts]
    world.go("1h")
    assert 1 == len(world.runs("job"))


def test_what_is_no_file_is_left_alone_and_not_written(make_world, path):
    path.symlink_to("/dev/null")
    world = make_world(record=lambda: Recording(path))
    assert (["recording"], True) == ([alert.code for alert in world.alerts], path.is_symlink())


def test_the_recording_before_it_is_kept_beside_it_once(path):
    for text in ("one", "two"):
        path.write_text(text)
        recording = Recording(path)
        recording._file = recording._open()
        recording.close()
    before = path.with_name("decisions.jsonl.1").read_text()
    assert ("two", "", 0o600) == (before, path.read_text(), path.stat().st_mode & 0o777)


def test_no_argument_no_payload_and_no_result_is_in_it(world, path):
    secret = "hunter2"
    program = Program(["send", secret], env={"PASSWORD": secret})
    world.busy.add("listen")
    world.add(
        Task("call", nothing, (secret,), {"password": secret}),
        Task("run", program),
        Task("listen", nothing, triggers=[EventTrigger("bell")]),
    )
    world.emit("bell", secret)
    world.finish("listen")
    assert (False, True) == (secret.encode() in path.read_bytes(), b"send" in path.read_bytes())
    assert replay(path).difference is None


def test_a_task_that_says_its_own_times_can_not_be_replayed(world, path):
    world.add(Task("moons", nothing, triggers=[Moons()]))
    with pytest.raises(InvalidInput, match="moons: a third party's trigger says its own times"):
        replay(path)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"", "no recording"),
        (b"[]", "no recording"),
        (b'{"format": 0}', f"it has the form 0; this DMS reads {FORMAT}"),
    ],
)
def test_what_is_no_recording_is_refused(path, text, problem):
    path.write_bytes(text)
    with pytest.raises(InvalidInput, match=problem):
        replay(path)


def test_a_file_that_is_not_there_is_named(path):
    with pytest.raises(InvalidInput, match=r"decisions\.jsonl: No such file"):
        replay(path)


def test_a_call_that_is_not_known_is_named_with_its_line(world, path):
    with pytest.raises(InvalidInput, match="line 2: dance is nothing"):
        replay_lines([*lines(path)[:1], b'["dance",[0,0],[]]'])


@pytest.mark.parametrize("size", [0, -1, 1.5, True])
def test_a_bound_that_is_none_is_refused(path, size):
    with pytest.raises(InvalidInput, match="max_size"):
        Recording(path, size)


@settings(max_examples=25)
@given(st.lists(st.sampled_from(["7m", "1h", "13s"]), min_size=1, max_size=3), st.integers(1, 200))
def test_events_and_topics_are_told_as_they_were(make_world, tmp_path_factory, intervals, minutes):
    path = tmp_path_factory.mktemp("recording") / "decisions.jsonl"
    world = make_world(record=lambda: Recording(path))
    world.add(Task("job", nothing, triggers=[EventTrigger("bell"), *map(PeriodicTrigger, intervals)]))
    world.agenda.emit(Event("bell", None, world.now.wall), world.now)
    world.go(f"{minutes}m")
    assert replay(path).difference is None
