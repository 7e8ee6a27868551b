"""Events: bursts that are one fire, what their run is told of them, and what becomes of them meanwhile."""

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dms.background_tasks.agenda.gathering import Gathering
from dms.background_tasks.tasks.task import Event, Task
from dms.background_tasks.triggers.event_trigger import EventTrigger
from dms.background_tasks.triggers.trigger import PeriodicTrigger
from dms.instant import SECOND


def nothing():
    pass


def on(topic="bell", name="job", **waits):
    return Task(name, nothing, triggers=[EventTrigger(topic, **waits)])


def rung(world, *gaps):
    """Ring the bell with so many seconds before each; the payload counts them."""
    for number, gap in enumerate(gaps, 1):
        world.go(f"{gap}s")
        world.emit("bell", number)


def test_a_burst_is_one_fire_once_it_has_been_quiet_for_long_enough(world):
    world.add(on(debounce="10s"))
    start = world.now.wall
    rung(world, 0, 3, 9, 4)
    assert [] == world.begun
    world.go("9s")
    assert [] == world.begun
    world.go("1s")
    (run,) = world.begun
    first = Event("bell", 1, start)
    assert Event("bell", 4, start + 16 * SECOND, count=4, first=first) == run.event
    assert (start + 26 * SECOND, "event") == (run.at.wall, run.cause)
    world.go("1h")
    assert 1 == len(world.begun)


def test_without_a_debounce_each_event_fires_whoever_waits_for_its_topic_and_nobody_else(world):
    world.add(on(), on(name="too"), on("gong", "other"))
    world.emit("bell", 1)
    world.emit("nobody.waits")
    world.emit("bell", 2)
    fired = [(run.task, run.event.payload) for run in world.begun]
    assert [("job", 1), ("too", 1), ("job", 2), ("too", 2)] == fired


def test_who_waits_for_another_topic_or_is_gone_is_fired_no_more(world):
    world.add(on(), on(name="too"))
    world.replace(on("gong"))
    world.emit("bell")
    assert ["too"] == [run.task for run in world.begun]
    world.remove("too")
    world.emit("bell")
    world.emit("gong")
    assert ["too", "job"] == [run.task for run in world.begun]
    assert {"gong"} == set(world.agenda._listeners.topics)


def test_one_event_alone_is_told_as_it_is(world):
    world.add(on(debounce="10s"))
    start = world.now.wall
    world.emit("bell", "alone")
    world.go("1m")
    assert [Event("bell", "alone", start)] == [run.event for run in world.begun]


def test_events_without_end_fire_after_max_wait_and_are_gathered_anew(world):
    """modernice/goes#42: with events that never ceased nothing was ever done."""
    world.add(on(debounce="10s", max_wait="30s"))
    start = world.now.wall
    rung(world, 0, *[5] * 20)
    assert [(30, 6), (60, 6)] == [((run.at.wall - start) // SECOND, run.event.count) for run in world.begun[:2]]


@given(gaps=st.lists(st.integers(0, 30), min_size=1, max_size=30), longest=st.none() | st.integers(10, 60))
def test_every_event_is_in_exactly_one_fire_and_none_waits_too_long(gaps, longest):
    gathering = Gathering(EventTrigger("bell", debounce=10, max_wait=longest))
    boot, fired = 0, []
    for number, gap in enumerate([*gaps, 10_000], 1):
        boot += gap
        while gathering.due is not None and gathering.due <= boot * SECOND:
            at = gathering.due
            fired.append((at // SECOND, gathering.take()))
        if gap < 10_000:
            gathering.add(Event("bell", number, boot), boot * SECOND)
    assert len(gaps) == sum(event.count for _, event in fired)
    for at, event in fired:
        first, last = (event.first or event).at, event.at
        assert at == (last + 10 if longest is None else min(last + 10, first + longest))
        assert (event.first is None) == (event.count == 1)


def test_an_event_while_the_task_is_paused_is_left_out_and_what_was_gathered_before_too(world):
    world.add(on(debounce="10s"))
    world.emit("bell", 1)
    world.pause("job")
    world.emit("bell", 2)
    world.go("1m")
    assert [] == world.begun
    assert 2 == world.skipped["job", "paused"]
    world.resume("job")
    world.go("1h")
    assert [] == world.begun


def test_an_event_while_the_task_is_disabled_does_not_count_once_it_is_enabled(world):
    bell = [EventTrigger("bell", debounce="10s")]
    world.add(Task("job", nothing, triggers=bell, enabled=False))
    world.emit("bell")
    world.replace(Task("job", nothing, triggers=bell))
    world.go("1m")
    assert [] == world.begun


def test_many_events_are_one_alarm(world):
    world.add(on(debounce="10s"))
    before = world.agenda._alarms._size
    for _ in range(100):
        world.emit("bell")
    assert 1 == world.agenda._alarms._size - before


def test_a_clock_that_is_set_changes_nothing(world):
    world.add(on(debounce="10s"))
    world.emit("bell")
    world.set_wall("2036-01-01T00:00")
    assert [] == world.begun
    world.set_wall("2020-01-01T00:00")
    world.go("10s")
    assert 1 == len(world.begun)


@pytest.mark.parametrize(
    ("another", "fires"),
    [
        (on(debounce="10s"), 1),
        (on(debounce="20s"), 0),
        (on("gong", debounce="10s"), 0),
        (Task("job", nothing, triggers=[EventTrigger("bell", debounce="10s")], enabled=False), 0),
        (Task("job", nothing, triggers=[EventTrigger("bell", debounce="10s")], priority=3), 1),
    ],
)
def test_what_is_gathered_outlives_a_change_that_leaves_its_trigger_alone(world, another, fires):
    world.add(on(debounce="10s"))
    world.emit("bell")
    world.replace(another)
    world.go("1m")
    assert fires == len(world.begun)


def test_what_is_gathered_outlives_another_time_zone_of_the_scheduler(world):
    world.add(Task("job", nothing, triggers=[PeriodicTrigger(cron="0 3 * * *"), EventTrigger("bell", debounce="10s")]))
    world.emit("bell")
    world.agenda.go_by(ZoneInfo("Asia/Tokyo"), world.now)
    world.go("1m")
    assert 1 == len(world.begun)


def test_a_task_that_is_removed_meanwhile_does_not_run(world):
    world.add(on(debounce="10s"))
    world.emit("bell")
    world.remove("job")
    world.go("1m")
    assert [] == world.begun


def test_what_was_gathered_is_gone_with_the_process(world):
    world.add(on(debounce="10s"))
    world.emit("bell")
    world.crash()
    world.add(on(debounce="10s"))
    world.go("1h")
    assert [] == world.begun


def test_the_end_of_a_task_can_be_gathered_as_any_other_event(world):
    world.add(Task("tick", nothing, triggers=[PeriodicTrigger("1s", end="2026-01-05T00:00:05+00:00")]))
    world.add(on("task.tick.success", debounce="3s"))
    world.go("1m")
    (run,) = [run for run in world.begun if run.task == "job"]
    assert (5, "task.tick.success") == (run.event.count, run.event.topic)
