"""A task that keeps failing is held back."""

from dms.background_tasks.agenda.decision import Cancelled, Failed
from dms.background_tasks.tasks.breaker import Breaker
from dms.background_tasks.tasks.retry import RetryPolicy
from dms.background_tasks.tasks.task import Task
from dms.background_tasks.triggers.event_trigger import EventTrigger
from dms.background_tasks.triggers.trigger import PeriodicTrigger

NO = Failed("no")


def nothing():
    pass


def minutely(breaker, **fields):
    return Task("job", nothing, triggers=[PeriodicTrigger("1m")], breaker=breaker, **fields)


def fail(world, minutes, outcome=NO):
    """In so many minutes whatever runs fails."""
    for _ in range(minutes):
        world.go("1m")
        if world.running:
            world.finish("job", outcome)


def tripped(world, breaker, failures, **fields):
    """A world in which a minutely task has failed so many times from midnight on."""
    world.busy.add("job")
    world.add(minutely(breaker, **fields))
    fail(world, failures)
    return world


def test_after_so_many_failures_in_a_row_a_task_is_paused_for_good(world):
    tripped(world, Breaker(3), 3)
    world.go("1h")

    assert ["2026-01-05T00:01", "2026-01-05T00:02", "2026-01-05T00:03"] == world.runs("job")
    assert 60 == world.skipped["job", "paused"]
    why = "job failed 3 times in a row and is paused; `dms task resume job` lets it go on"
    assert {("breaker", "job"): why} == world.findings()
    assert [("job", "tripped")] == world.notices


def test_one_failure_fewer_pauses_nothing(world):
    tripped(world, Breaker(3), 2)
    assert ({}, []) == (world.findings(), world.notices)
    world.go("1m")
    assert 3 == len(world.runs("job"))


def test_a_success_in_between_begins_the_count_anew(world):
    tripped(world, Breaker(3), 2)
    world.go("1m")
    world.finish("job")
    fail(world, 2)
    assert {} == world.findings()
    fail(world, 1)
    assert [("breaker", "job")] == list(world.findings())


def test_what_was_cancelled_counts_neither_as_failure_nor_as_success(world):
    tripped(world, Breaker(3), 2)
    fail(world, 3, Cancelled())
    assert {} == world.findings()
    fail(world, 1)
    assert [("breaker", "job")] == list(world.findings())


def test_what_a_crash_cut_off_does_not_count(world):
    tripped(world, Breaker(3), 2)
    world.go("1m")
    world.crash()
    world.add(minutely(Breaker(3)))
    world.go("1m")
    assert {} == world.findings()


def test_each_failed_attempt_counts_not_only_the_last_of_a_run(world):
    world.busy.add("job")
    world.add(minutely(Breaker(2), retry_policy=RetryPolicy(5, "1s")))
    world.go("1m")
    world.finish("job", NO)
    world.go("1s")
    world.finish("job", NO)
    assert [("breaker", "job")] == list(world.findings())
    world.go("1h")
    assert 2 == len(world.runs("job"))
    world.resume("job")
    assert [1, 2, 3] == [begun.attempt for begun in world.begun]


def test_a_timeout_is_a_failure(world):
    world.busy.add("job")
    world.add(minutely(Breaker(1), timeout="10s", kill_after="1s"))
    world.go("2m")
    assert ("breaker", "job") in world.findings()


def test_with_a_probe_the_first_fire_after_it_is_tried_and_a_failure_holds_it_back_again(world):
    tripped(world, Breaker(2, probe="10m"), 2)
    world.go("10m")
    assert ["2026-01-05T00:12"] == world.runs("job")[2:]
    world.finish("job", NO)
    world.go("10m")
    assert ["2026-01-05T00:12", "2026-01-05T00:22"] == world.runs("job")[2:]
    assert {("breaker", "job"): "job failed 3 times in a row; it is tried again each 10m only"} == world.findings()
    assert [("job", "tripped")] == world.notices


def test_a_probe_that_succeeds_closes_it(world):
    tripped(world, Breaker(2, probe="10m"), 2)
    world.go("10m")
    world.finish("job")
    fail(world, 1)
    world.go("1m")

    assert ["2026-01-05T00:12", "2026-01-05T00:13", "2026-01-05T00:14"] == world.runs("job")[2:]
    assert {} == world.findings()
    assert [("job", "tripped"), ("job", "closed")] == world.notices


def test_a_clock_that_is_set_back_puts_no_probe_off(world):
    tripped(world, Breaker(2, probe="10m"), 2)
    world.set_wall("2026-01-03T00:00")
    world.go("11m")
    assert 3 == len(world.runs("job"))


def test_whoever_resumes_it_closes_it_and_the_count_begins_anew(world):
    tripped(world, Breaker(3), 3)
    world.resume("job")
    assert {} == world.findings()
    fail(world, 2)
    assert {} == world.findings()
    world.go("1m")
    assert 6 == len(world.runs("job"))


def test_a_run_by_hand_that_succeeds_closes_it(world):
    tripped(world, Breaker(3), 3)
    world.run("job")
    world.finish("job")
    world.go("1m")
    assert {} == world.findings()
    assert 5 == len(world.runs("job"))


def test_a_run_by_hand_that_fails_leaves_it_open(world):
    tripped(world, Breaker(3, probe="10m"), 3)
    world.run("job")
    world.finish("job", NO)
    world.go("9m")
    assert 4 == len(world.runs("job"))
    world.go("1m")
    assert 5 == len(world.runs("job"))


def test_an_open_breaker_and_a_count_survive_a_restart(world):
    tripped(world, Breaker(3), 2)
    world.crash(down="30s")
    world.add(minutely(Breaker(3)))
    fail(world, 1)
    assert [("breaker", "job")] == list(world.findings())
    world.alerts.clear()
    world.crash(down="1h")
    world.add(minutely(Breaker(3)))
    assert [("breaker", "job")] == list(world.findings())
    world.go("1h")
    assert 3 == len(world.runs("job"))
    assert [("job", "tripped")] == world.notices
    world.resume("job")
    world.go("1m")
    assert 4 == len(world.runs("job"))


def test_a_probe_comes_at_its_time_after_a_restart_though_the_clock_was_set_back(world):
    tripped(world, Breaker(2, probe="10m"), 2)
    world.set_wall("2026-01-03T00:00")
    world.crash()
    world.add(minutely(Breaker(2, probe="10m")))
    world.go("11m")
    assert 3 == len(world.runs("job"))


def test_a_task_that_loses_its_breaker_goes_on(world):
    tripped(world, Breaker(2), 2)
    world.replace(minutely(None))
    assert {} == world.findings()
    world.go("1m")
    assert 3 == len(world.runs("job"))


def test_an_operators_pause_is_not_cut_short_by_a_breaker(world):
    world.busy.add("job")
    world.add(minutely(Breaker(1, probe="1m")))
    world.go("1m")
    world.pause("job")
    world.finish("job", NO)
    world.go("1h")
    assert 1 == len(world.runs("job"))


def test_an_open_breaker_is_an_event_for_others(world):
    world.add(Task("mend", nothing, triggers=[EventTrigger("task.job.tripped")]))
    tripped(world, Breaker(2), 2)
    assert ["event"] == world.causes("mend")
    assert {"failures": 2} == world.begun[-1].event.payload


def test_a_task_that_is_removed_takes_its_finding_with_it(world):
    tripped(world, Breaker(2), 2)
    world.remove("job")
    assert {} == world.findings()


def test_a_stop_that_gives_a_run_up_is_no_failure_of_it(world):
    world.busy.add("job")
    world.add(minutely(Breaker(1)))
    world.go("1m")
    world.agenda.stop(world.now)
    world.agenda.attempts.cancel_running("the scheduler stopped", world.now)
    world.agenda.attempts.abandon(world.now)
    world.turn()
    assert {} == world.findings()


def test_what_is_told_of_a_breaker_says_what_it_did(world):
    tripped(world, Breaker(2, probe="10m"), 2)
    world.go("10m")
    world.finish("job")
    opened = "job failed 2 times in a row; it is tried again each 10m only"
    assert [opened, "it succeeded: its breaker is closed"] == world.said


def test_a_breaker_that_is_open_since_before_a_restart_is_not_told_as_new_when_its_probe_fails(world):
    tripped(world, Breaker(2, probe="10m"), 2)
    world.alerts.clear()
    world.crash(down="1m")
    world.add(minutely(Breaker(2, probe="10m")))
    assert {("breaker", "job"): "job failed 2 times in a row; it is tried again each 10m only"} == world.findings()
    fail(world, 12)
    assert [("job", "tripped")] == world.notices


def test_the_end_of_a_probes_time_does_not_end_another_pause(world):
    tripped(world, Breaker(2, probe="10m"), 2)
    world.resume("job")
    world.pause("job")
    world.go("1h")
    assert 2 == len(world.runs("job"))


def test_a_retry_that_waited_is_the_probe_though_the_clock_was_set_back(world):
    world.busy.add("job")
    world.add(Task("job", nothing, breaker=Breaker(1, probe="10m"), retry_policy=RetryPolicy(3, "1s")))
    world.run("job")
    world.finish("job", NO)
    world.set_wall("2026-01-03T00:00")
    world.go("9m59s")
    assert [1] == [begun.attempt for begun in world.begun]
    world.go("1s")
    assert [1, 2] == [begun.attempt for begun in world.begun]


def test_a_retry_that_waited_goes_on_when_its_task_loses_its_breaker(world):
    world.busy.add("job")
    world.add(Task("job", nothing, breaker=Breaker(1), retry_policy=RetryPolicy(3, "1s")))
    world.run("job")
    world.finish("job", NO)
    world.go("1m")
    world.replace(Task("job", nothing, retry_policy=RetryPolicy(3, "1s")))
    assert [1, 2] == [begun.attempt for begun in world.begun]


def test_a_retry_that_waited_goes_on_when_a_run_by_hand_succeeds(world):
    world.busy.add("job")
    policy = RetryPolicy(3, "1s", supersede=False)
    world.add(Task("job", nothing, breaker=Breaker(1), retry_policy=policy))
    world.run("job")
    world.finish("job", NO)
    world.go("1m")
    world.run("job")
    world.finish("job")
    assert [1, 1, 2] == [begun.attempt for begun in world.begun]


def test_a_probe_has_its_whole_time_again_after_each_failure(world):
    tripped(world, Breaker(1, probe="10m"), 1)
    fail(world, 21)
    assert ["2026-01-05T00:11", "2026-01-05T00:21"] == world.runs("job")[1:]


def test_a_breaker_that_has_closed_is_told_of_when_it_opens_again(world):
    tripped(world, Breaker(2, probe="10m"), 2)
    world.go("10m")
    world.finish("job")
    fail(world, 2)
    assert ["tripped", "closed", "tripped"] == [kind for _, kind in world.notices]


def test_a_probe_does_not_come_before_its_time_after_a_restart(world):
    tripped(world, Breaker(2, probe="10m"), 2)
    world.crash(down="1m")
    world.add(minutely(Breaker(2, probe="10m")))
    world.go("8m59s")
    assert 2 == len(world.runs("job"))
    world.go("1m")
    assert 3 == len(world.runs("job"))
