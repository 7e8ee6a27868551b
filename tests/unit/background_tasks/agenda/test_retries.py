"""Timeouts and retries: attempts are numbered, waiting holds no slot, and one run ends once."""

import pytest

from dms.background_tasks.agenda.decision import Cancelled, Failed, Succeeded
from dms.background_tasks.tasks.retry import RetryPolicy
from dms.background_tasks.tasks.task import Event, Program, Task
from dms.background_tasks.triggers.trigger import OneTimeTrigger, PeriodicTrigger

NO = Failed("no")


def nothing():
    pass


@pytest.fixture
def retrying(world):
    """A world in which `job` fails until it is told otherwise, and may be tried again after 1, 2 and 4 minutes."""
    world.busy.add("job")
    world.add(Task("job", nothing, retry_policy=RetryPolicy(3, "1m", "exponential")))
    return world


def test_a_run_that_fails_is_tried_again_after_its_delays_and_then_given_up(retrying):
    retrying.run("job")
    for wait in ("1m", "2m", "4m"):
        retrying.finish("job", NO)
        retrying.go(wait)
    retrying.finish("job", NO)
    retrying.go("1d")

    assert [f"2026-01-05T00:0{minute}" for minute in (0, 1, 3, 7)] == retrying.runs("job")
    assert [1, 2, 3, 4] == [begun.attempt for begun in retrying.begun]
    assert ["failed"] * 4 == retrying.ends("job")
    assert 1 == len({begun.run_id for begun in retrying.begun})
    assert 4 == len({begun.id for begun in retrying.begun})


def test_an_attempt_that_succeeds_is_the_last(retrying):
    retrying.run("job")
    retrying.finish("job", NO)
    retrying.go("1m")
    retrying.finish("job")
    retrying.go("1d")

    assert ["failed", "success"] == retrying.ends("job")


def test_each_end_says_when_the_next_attempt_comes(retrying):
    retrying.run("job")
    retrying.finish("job", NO)

    assert retrying.now.wall + 60_000_000 == retrying.ended[0].retry_at


def test_waiting_for_a_retry_holds_no_slot(make_world):
    world = make_world(slots=1)
    world.busy.add("job")
    world.add(Task("job", nothing, retry_policy=RetryPolicy(1, "1h")), Task("other", nothing))
    world.run("job")
    world.finish("job", NO)
    world.run("other")

    assert ["job", "other"] == world.order()
    assert 0 == world.agenda.attempts.running_count()


def test_the_next_fire_supersedes_a_waiting_retry_and_that_is_recorded(world):
    world.busy.add("job")
    world.add(Task("job", nothing, triggers=[PeriodicTrigger("1m")], retry_policy=RetryPolicy(3, "1h")))
    world.go("1m")
    world.finish("job", NO)
    world.go("1m")
    world.finish("job")
    world.go("58m30s")

    assert ["failed", "cancelled", "success"] == world.ends("job")
    assert "superseded by the next fire" == world.ended[1].error
    assert [1, 1] == [begun.attempt for begun in world.begun[:2]]


def test_a_retry_keeps_its_event(world):
    world.busy.add("job")
    world.add(Task("job", nothing, retry_policy=RetryPolicy(1, "1m")))
    world.run("job", event=Event("operator", {"n": 1}))
    world.finish("job", NO)
    world.go("1m")

    assert [{"n": 1}, {"n": 1}] == [begun.event.payload for begun in world.begun]


def test_a_retry_waits_in_boot_time(retrying):
    retrying.run("job")
    retrying.finish("job", NO)
    retrying.set_wall("2020-01-01T00:00")
    retrying.go("1m")

    assert [1, 2] == [begun.attempt for begun in retrying.begun]


def test_a_retry_that_comes_due_in_a_pause_waits_for_its_end(retrying):
    retrying.run("job")
    retrying.finish("job", NO)
    retrying.pause("job")
    retrying.go("10m")
    assert 1 == len(retrying.begun)

    retrying.resume("job")
    assert 2 == len(retrying.begun)


def test_a_retry_that_comes_due_in_a_pause_is_not_forgotten_when_the_clock_was_set_back(retrying):
    retrying.run("job")
    retrying.finish("job", NO)
    retrying.pause("job")
    retrying.go("10m")
    retrying.set_wall("2020-01-01T00:00")
    retrying.resume("job")

    assert 2 == len(retrying.begun)


def test_a_retry_is_started_once_though_the_clock_was_set_ahead_in_a_pause(retrying):
    retrying.run("job")
    retrying.finish("job", NO)
    retrying.pause("job")
    retrying.set_wall("2027-01-01T00:00")
    retrying.resume("job")
    retrying.go("10m")

    assert [1, 2] == [begun.attempt for begun in retrying.begun]


@pytest.mark.parametrize("after", ["30s", "10m"])
def test_a_waiting_retry_survives_a_crash(retrying, after):
    retrying.run("job")
    retrying.finish("job", NO)
    retrying.crash(down=after)
    retrying.add(Task("job", nothing, retry_policy=RetryPolicy(3, "1m", "exponential")))
    retrying.go("30s")

    assert [1, 2] == [begun.attempt for begun in retrying.begun]
    assert 1 == len({begun.run_id for begun in retrying.begun})
    retrying.finish("job", NO)
    retrying.go("2m")
    assert [1, 2, 3] == [begun.attempt for begun in retrying.begun]


def test_a_retry_that_survives_a_crash_waits_no_longer_than_its_delay_though_the_clock_went_back(retrying):
    retrying.run("job")
    retrying.finish("job", NO)
    retrying.set_wall("2020-01-01T00:00")
    retrying.crash()
    retrying.add(Task("job", nothing, retry_policy=RetryPolicy(3, "1m", "exponential")))
    retrying.go("1m")

    assert [1, 2] == [begun.attempt for begun in retrying.begun]


def test_a_retry_that_meets_a_busy_task_waits_for_it(world):
    world.busy.add("job")
    world.add(Task("job", nothing, overlap="queue", retry_policy=RetryPolicy(1, "1m")))
    world.run("job")
    world.run("job")
    world.finish("job", NO)
    world.go("2m")
    assert [1, 1] == [begun.attempt for begun in world.begun]

    world.finish("job")
    assert [1, 1, 2] == [begun.attempt for begun in world.begun]


def test_a_one_time_task_is_gone_only_when_its_last_attempt_has_ended(world):
    world.busy.add("once")
    world.add(Task("once", nothing, triggers=[OneTimeTrigger(0)], retry_policy=RetryPolicy(1, "1m")))
    world.finish("once", NO)
    assert [] == world.removed

    world.go("1m")
    world.finish("once", NO)
    assert ["once"] == world.removed


def test_a_timeout_counts_from_the_start_and_not_from_the_wait_for_a_slot(make_world):
    world = make_world(slots=1)
    world.busy.update(["hog", "job"])
    world.add(Task("hog", nothing), Task("job", nothing, timeout="5m"))
    world.run("hog")
    world.run("job")
    world.go("1h")
    world.finish("hog")
    world.go("4m59s")
    assert [] == world.told

    world.go("1s")
    assert [("cancel", world.begun[1].id)] == world.told


def test_a_timed_out_attempt_that_ends_when_told_to_is_tried_again(world):
    world.busy.add("job")
    world.add(Task("job", nothing, timeout="1m", retry_policy=RetryPolicy(1, "1m")))
    world.run("job")
    world.go("1m")
    world.finish("job", Cancelled())
    world.go("1m")

    assert ["timed_out"] == world.ends("job")
    assert "it ran longer than its timeout of 1m" == world.ended[0].error
    assert [1, 2] == [begun.attempt for begun in world.begun]


def test_an_attempt_that_succeeds_though_it_was_told_to_end_has_still_timed_out(world):
    world.busy.add("job")
    world.add(Task("job", nothing, timeout="1m"))
    world.run("job")
    world.go("1m")
    world.finish("job", Succeeded("late"))

    assert ["timed_out"] == world.ends("job")
    assert "late" == world.ended[0].results


def test_a_program_that_does_not_end_is_killed_and_then_given_up(world):
    world.busy.add("job")
    world.add(Task("job", Program(("sleep", "1000")), timeout="1m", kill_after="10s"))
    world.run("job")
    attempt = world.begun[0].id
    world.go("1m")
    assert [("cancel", attempt)] == world.told

    world.go("10s")
    assert [("cancel", attempt), ("kill", attempt)] == world.told

    world.go("5s")
    assert ["abandoned"] == world.ends("job")
    assert 0 == world.agenda.attempts.running_count()


def test_what_was_given_up_is_not_heard_any_more(world):
    world.busy.add("job")
    world.add(Task("job", nothing, timeout="1m", kill_after=0))
    world.run("job")
    world.go("1m")
    world.finish("job")

    assert ["abandoned"] == world.ends("job")


def test_an_attempt_that_ends_by_cancelling_itself_is_cancelled_and_not_tried_again(retrying):
    retrying.run("job")
    retrying.finish("job", Cancelled())
    retrying.go("1h")

    assert ["cancelled"] == retrying.ends("job")


def test_one_that_asks_to_be_tried_later_is_and_uses_up_no_retry(world):
    world.busy.add("job")
    world.add(Task("job", nothing))
    world.run("job")
    for _ in range(3):
        world.finish("job", Failed("busy", retry_after=300_000_000))
        world.go("5m")
    world.finish("job", NO)
    world.go("1d")

    assert [f"2026-01-05T00:{minute:02}" for minute in (0, 5, 10, 15)] == world.runs("job")
    assert [1, 2, 3, 4] == [begun.attempt for begun in world.begun]
    assert ["failed"] * 4 == world.ends("job")


def test_one_that_gives_up_is_not_tried_again(retrying):
    retrying.run("job")
    retrying.finish("job", Failed("hopeless", gives_up=True))
    retrying.go("1d")

    assert ["failed"] == retrying.ends("job")


def test_a_timeout_is_a_timeout_error_to_the_policy(world):
    world.busy |= {"again", "no"}
    policy = {"again": RetryPolicy(1, "1m", retry_on=[TimeoutError]), "no": RetryPolicy(1, "1m", give_up_on=[OSError])}
    world.add(*(Task(name, nothing, timeout="1m", retry_policy=policy[name]) for name in policy))
    for name in policy:
        world.run(name)
    world.go("1m")
    for name in policy:
        world.finish(name, Cancelled())
    world.go("1h")

    assert (2, 1) == (len(world.runs("again")), len(world.runs("no")))


def test_a_wait_that_the_function_asked_for_survives_a_crash_too(world):
    world.busy.add("job")
    job = Task("job", nothing, retry_policy=RetryPolicy(3, "1m"))
    world.add(job)
    world.run("job")
    world.finish("job", Failed("busy", retry_after=600_000_000))
    world.crash(down="4m")
    world.add(job)
    world.go("5m59s")
    assert 1 == len(world.runs("job"))
    world.go("1s")
    assert 2 == len(world.runs("job"))


@pytest.mark.parametrize("reboot", [False, True])
def test_a_wait_that_the_function_asked_for_is_no_longer_though_the_clock_went_back_over_a_restart(world, reboot):
    world.busy.add("job")
    job = Task("job", nothing)
    world.add(job)
    world.run("job")
    world.finish("job", Failed("busy", retry_after=600_000_000))
    world.now = type(world.now)(world.now.wall - 10 * 365 * 86_400_000_000, world.now.boot)
    world.crash(reboot=reboot)
    world.add(job)
    world.go("10m")

    assert ["operator", "retry_later"] == world.causes("job")


def test_so_does_one_of_a_failure_that_the_policy_names(world):
    world.busy.add("job")
    job = Task("job", Program(("df",)), retry_policy=RetryPolicy(1, "10m", retry_on=["exit 75"]))
    world.add(job)
    world.run("job")
    world.finish("job", Failed("no", kinds=("exit 75",)))
    world.crash(down="4m")
    world.add(job)
    world.go("5m59s")
    assert 1 == len(world.runs("job"))
    world.go("1s")
    assert 2 == len(world.runs("job"))


def test_a_retry_that_is_not_to_be_superseded_comes_beside_the_next_fire(world):
    world.busy.add("job")
    policy = RetryPolicy(1, "90s", supersede=False)
    world.add(Task("job", nothing, triggers=[PeriodicTrigger("1m")], retry_policy=policy))
    world.go("1m")
    world.finish("job", NO)
    world.go("1m")
    world.finish("job")
    world.go("30s")

    assert ["failed", "success"] == world.ends("job")
    assert [1, 1, 2] == [begun.attempt for begun in world.begun]
    assert world.begun[0].run_id == world.begun[2].run_id


def test_one_that_meets_a_busy_task_waits_until_it_is_free(world):
    world.busy.add("job")
    policy = RetryPolicy(1, "90s", supersede=False)
    world.add(Task("job", nothing, triggers=[PeriodicTrigger("1m")], retry_policy=policy))
    world.go("1m")
    world.finish("job", NO)
    world.go("100s")
    assert [1, 1] == [begun.attempt for begun in world.begun]
    world.finish("job")

    assert [1, 1, 2] == [begun.attempt for begun in world.begun]


def test_several_that_wait_survive_a_crash(world):
    world.busy.add("job")
    job = Task("job", nothing, triggers=[PeriodicTrigger("1m")], retry_policy=RetryPolicy(1, "10m", supersede=False))
    world.add(job)
    for _ in range(3):
        world.go("1m")
        world.finish("job", NO)
    world.crash(down="30s")
    world.add(job)
    world.busy.clear()
    world.go("20m")

    assert 3 == sum(begun.attempt == 2 for begun in world.begun)
