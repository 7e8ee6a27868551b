"""What an attempt may use: where it can be bounded it is, and one that met a limit says so."""

import sys
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

import dms
import in_processes
from dms.background_tasks.scheduler import Scheduler
from dms.background_tasks.tasks.limits import Limits

PATIENCE = 30


@pytest.fixture
def scheduler() -> Iterator[Scheduler]:
    with Scheduler() as scheduler:
        yield scheduler


def ended(scheduler: Scheduler, limits: Limits, function: Any, *args: Any, **policies: Any) -> dms.Execution:
    if not isinstance(function, dms.Program):
        policies["executor"] = "process"
    scheduler.add_task(dms.Task("job", function, args, limits=limits, **policies))
    return scheduler.run_task("job").wait(PATIENCE)


def python(script: str) -> dms.Program:
    return dms.Program((sys.executable, "-c", script))


def shell(script: str) -> dms.Program:
    return dms.Program(("sh", "-c", script))


# ── what they are ──


def test_they_are_kept_as_numbers() -> None:
    limits = Limits(memory="256MB", cpu_time="1m", output="10kB")
    assert (256_000_000, timedelta(minutes=1), 10_000) == (limits.memory, limits.cpu_time, limits.output)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"memory": "much"}, "limits.memory: 'much' is not a size"),
        ({"memory": "10kB"}, "limits.memory: with less than 1MB nothing can start"),
        ({"output": 0}, "limits.output: 0 is not a size"),
        ({"cpu_time": "500ms"}, "limits.cpu_time: the system counts whole seconds"),
        ({"cpu_time": 0}, "limits.cpu_time: the system counts whole seconds"),
        ({"cpu_time": "long"}, "limits.cpu_time: 'long' is not a length of time"),
    ],
)
def test_what_can_not_be_a_limit_is_refused_with_its_name(given: Any, reason: str) -> None:
    with pytest.raises(dms.InvalidInput, match=reason):
        Limits(**given)


def test_what_is_no_limits_is_refused() -> None:
    with pytest.raises(dms.InvalidTask, match="limits: '64MB' is not a Limits"):
        dms.Task("job", print, limits="64MB")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("function", "limits", "reason"),
    [
        (in_processes.add, Limits(memory="64MB"), "limits.memory: a thread or coroutine shares"),
        (in_processes.wait_and_add, Limits(memory="64MB"), "limits.memory: a thread or coroutine shares"),
        (in_processes.add, Limits(cpu_time=1), "limits.cpu_time: no thread or coroutine can be"),
        (
            in_processes.wait_and_add,
            Limits(cpu_time=1),
            "limits.cpu_time: no thread or coroutine can be",
        ),
        (
            in_processes.add,
            Limits(output=1),
            "limits.output: what a thread or coroutine prints",
        ),
        ("in_processes:add", Limits(output=1), "limits.output: .*; give the task executor: process"),
    ],
)
def test_a_limit_that_nobody_can_keep_is_refused(function: Any, limits: Limits, reason: str) -> None:
    with pytest.raises(dms.InvalidTask, match=reason):
        dms.Task("job", function, limits=limits)


def test_no_limits_at_all_fit_everything(scheduler: Scheduler) -> None:
    scheduler.add_task(dms.Task("job", in_processes.add, [1], limits=Limits()))
    assert 1 == scheduler.run_task("job").wait(PATIENCE).results


# ── memory ──


@pytest.mark.parametrize(
    ("function", "args"), [(in_processes.use_memory, (200,)), (python("len(bytearray(200_000_000))"), ())]
)
def test_one_that_wants_more_memory_fails_and_says_so(scheduler: Scheduler, function: Any, args: Any) -> None:
    end = ended(scheduler, Limits(memory="100MB"), function, *args)
    assert "failed" == end.status
    assert "it met its memory limit of 100MB; " in str(end.error)
    assert "MemoryError" in str(end.error)


@pytest.mark.parametrize(
    ("function", "args"), [(in_processes.use_memory, (40,)), (python("len(bytearray(40_000_000))"), ())]
)
def test_one_that_has_enough_is_as_it_was(scheduler: Scheduler, function: Any, args: Any) -> None:
    assert "success" == ended(scheduler, Limits(memory="200MB"), function, *args).status


def test_a_limit_of_memory_holds_for_what_a_program_starts_too(scheduler: Scheduler) -> None:
    end = ended(scheduler, Limits(memory="100MB"), shell(f"{sys.executable} -c 'bytearray(200_000_000)' && true"))
    assert "it met its memory limit of 100MB; exit status 1: MemoryError" == end.error


@pytest.mark.parametrize("memory", ["1MB", "3MB"])
def test_with_too_little_memory_to_start_it_says_so(scheduler: Scheduler, memory: str) -> None:
    end = ended(scheduler, Limits(memory=memory), in_processes.add, 1)
    assert f"it met its memory limit of {memory}; " in str(end.error)


def test_with_too_little_memory_for_a_second_thread_it_is_interrupted_at_once(scheduler: Scheduler) -> None:
    end = ended(scheduler, Limits(memory="64MB"), in_processes.hold_memory, timeout="2s", kill_after="1m")
    assert ("timed_out", True) == (end.status, (end.took or 0) < 20_000_000)


def test_a_failure_that_has_nothing_to_do_with_memory_does_not_name_it(scheduler: Scheduler) -> None:
    end = ended(scheduler, Limits("100MB", "9s", "1MB"), shell("echo the door is shut; exit 3"))
    assert "exit status 3: the door is shut" == end.error


# ── processor time ──


@pytest.mark.parametrize(
    ("function", "args", "error"),
    [
        (in_processes.spin, (30,), "ended by SIGXCPU"),
        (shell("while :; do :; done"), (), "ended by SIGXCPU"),
        (shell(f"{sys.executable} -c 'while True: pass'; exit $?"), (), "exit status 152"),
    ],
)
def test_one_that_has_used_up_its_processor_time_is_ended_and_says_so(
    scheduler: Scheduler, function: Any, args: Any, error: str
) -> None:
    end = ended(scheduler, Limits(cpu_time="1s"), function, *args)
    assert str(end.error).startswith(f"it used up its cpu_time of 1s; {error}")
    assert end.usage is not None
    assert 500_000 < (end.usage.cpu or 0) < 3_000_000


def test_one_that_waits_uses_up_nothing(scheduler: Scheduler) -> None:
    assert "success" == ended(scheduler, Limits(cpu_time="1s"), shell("sleep 1.2")).status


# ── output ──

FLOOD = "while :; do echo more and more; done"


@pytest.mark.parametrize("where", ["", " >&2"])
def test_one_that_prints_without_end_is_killed_and_says_so(scheduler: Scheduler, where: str) -> None:
    end = ended(scheduler, Limits(output="10kB"), shell(f"trap '' TERM; {FLOOD}{where}"))
    assert ("failed", "it printed more than its output limit of 10kB; ended by SIGKILL: more and more") == (
        end.status,
        end.error,
    )


def test_a_function_that_prints_without_end_is_killed_too(scheduler: Scheduler) -> None:
    end = ended(scheduler, Limits(output="10kB"), in_processes.print_for_ever)
    assert "it printed more than its output limit of 10kB; ended by SIGKILL" in str(end.error)


def test_as_much_as_is_allowed_may_be_printed(scheduler: Scheduler) -> None:
    end = ended(scheduler, Limits(output=10), shell("printf 12345; printf 67890 >&2"))
    assert "success" == end.status


# ── tried again ──


@pytest.mark.parametrize(("name", "attempts"), [("limit output", 2), ("limit memory", 1), ("signal 9", 2)])
def test_a_limit_that_was_met_has_a_name_for_the_retry(scheduler: Scheduler, name: str, attempts: int) -> None:
    policy = dms.RetryPolicy(1, "1ms", retry_on=[name])
    assert attempts == ended(scheduler, Limits(output=10), shell(FLOOD), retry_policy=policy).attempt
