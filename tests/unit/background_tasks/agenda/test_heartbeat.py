"""An attempt that gives no sign of life for its `heartbeat_timeout` is told to end."""

import pytest

from dms.background_tasks.agenda.decision import Cancelled
from dms.background_tasks.tasks.retry import RetryPolicy
from dms.background_tasks.tasks.task import Program, Status, Task
from dms.instant import SECOND


def work(run):
    pass


@pytest.fixture
def begun(world):
    """A run of `work` that is under way; `begun(**fields)` gives its attempt."""

    def begin(function=work, **fields):
        world.busy.add("work")
        world.add(Task("work", function, **({"heartbeat_timeout": "1m"} | fields)))
        world.run("work")
        return next(iter(world.running.values()))

    return begin


def test_one_that_never_gives_a_sign_is_told_to_end_after_that_time(world, begun):
    attempt = begun()
    world.go("59s")
    assert [] == world.told
    world.go("1s")
    assert [("cancel", attempt.id)] == world.told
    world.finish("work", Cancelled())
    reason = "it gave no sign of life for its heartbeat_timeout of 1m"
    assert (Status.TIMED_OUT, reason) == (world.ended[-1].status, world.ended[-1].error)


def test_each_sign_gives_it_the_whole_time_again(world, begun):
    attempt = begun()
    for _ in range(10):
        world.go("59s")
        world.agenda.attempts.beat(attempt.id, world.now)
    world.go("59900ms")
    assert [] == world.told
    world.go("100ms")
    assert [("cancel", attempt.id)] == world.told


def test_signs_cost_no_wake_up_each(world, begun):
    attempt = begun()
    for _ in range(1000):
        world.go("1ms")
        world.agenda.attempts.beat(attempt.id, world.now)
    assert 59 * SECOND == world.agenda.next_wakeup().boot - world.now.boot


def test_one_that_ended_in_time_is_told_nothing(world, begun):
    begun()
    world.go("59s")
    world.finish("work")
    world.go("10m")
    assert ([], Status.SUCCESS) == (world.told, world.ended[-1].status)


def test_a_sign_after_the_end_is_not_heard(world, begun):
    attempt = begun()
    world.finish("work")
    world.go("1s")
    world.agenda.attempts.beat(attempt.id, world.now)
    assert attempt.beat == attempt.began


def test_a_program_that_is_silent_is_killed_like_one_that_ran_too_long(world, begun):
    attempt = begun(Program(("sleep", "1000")), kill_after="10s")
    world.go("70s")
    assert [("cancel", attempt.id), ("kill", attempt.id)] == world.told


def test_the_wait_for_a_slot_needs_no_sign(world):
    world.resize(1)
    world.busy.add("hog")
    world.add(Task("hog", work), Task("work", work, heartbeat_timeout="1m"))
    world.run("hog")
    world.run("work")
    world.go("5m")
    world.finish("hog")
    assert (Status.SUCCESS, []) == (world.ended[-1].status, world.told)


def test_silence_is_a_timeout_to_the_retry_policy(world, begun):
    begun(retry_policy=RetryPolicy(1, "1m", retry_on=["TimeoutError"]))
    world.go("1m")
    world.finish("work", Cancelled())
    world.go("1m")
    assert [1, 2] == [each.attempt for each in world.begun]


def test_setting_the_clock_makes_nobody_silent(world, begun):
    begun()
    world.set_wall("2036-01-01T00:00")
    world.go("59s")
    assert [] == world.told
