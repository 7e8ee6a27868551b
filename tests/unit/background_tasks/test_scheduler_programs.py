"""Programs as tasks: their results, their events, their timeouts, and nothing of them left behind."""

from collections.abc import Callable
from pathlib import Path
from threading import Event

import pytest

import dms
from dms.background_tasks.host import Host
from dms.background_tasks.scheduler import Scheduler


def shell(script: str) -> dms.Program:
    return dms.Program(("sh", "-c", script))


def test_a_programs_output_is_its_result() -> None:
    with Scheduler() as scheduler:
        scheduler.add_task(dms.Task("a", shell("echo 81 % full")))
        end = scheduler.run_task("a").wait("10s")
        assert ("success", {"exit_status": 0, "output": "81 % full\n"}) == (end.status, end.results)


def test_a_programs_failure_is_tried_again() -> None:
    with Scheduler() as scheduler:
        scheduler.add_task(
            dms.Task("a", shell("echo try $DMS_ATTEMPT; test $DMS_ATTEMPT = 2"), retry_policy=dms.RetryPolicy(3, "1ms"))
        )
        assert "try 2\n" == scheduler.run_task("a").wait("10s").results["output"]
        history = scheduler.get_task("a").execution_history
        assert ["success", "failed"] == [each.status for each in history]
        assert "exit status 1: try 1" == history[1].error


def test_a_program_is_told_its_task_its_execution_and_its_event() -> None:
    with Scheduler() as scheduler:
        scheduler.add_task(dms.Task("a", shell('echo "$DMS_TASK $DMS_EXECUTION $DMS_EVENT_TOPIC $DMS_EVENT"')))
        end = scheduler.run_task("a", {"door": "front \0 \ud800"}).wait("10s")
        assert f"a {end.id} operator " == end.results["output"][: len(f"a {end.id} operator ")]
        assert "front" in end.results["output"]


@pytest.mark.parametrize("trap", ["", "trap '' TERM; "])
def test_a_timeout_ends_the_whole_group_however_stubborn(trap: str, has_ended: Callable[[int], bool]) -> None:
    """tomerfiliba/plumbum#840, also where the shell ignores TERM."""
    lines: list[str] = []
    host = Host(log=lambda run, level, line, fields: lines.append(line))
    with Scheduler(host=host) as scheduler:
        scheduler.add_task(
            dms.Task("a", shell(f"{trap}echo $$; sleep 40 & wait $!; sleep 40"), timeout="300ms", kill_after="100ms")
        )
        end = scheduler.run_task("a").wait("10s")
        assert ("timed_out", "it ran longer than its timeout of 300ms") == (end.status, end.error)
    assert has_ended(int(lines[0]))


def test_a_program_that_could_not_start_says_why(tmp_path: Path) -> None:
    with Scheduler() as scheduler:
        scheduler.add_tasks(
            [
                dms.Task("missing", dms.Program(("no-such-program",))),
                dms.Task("astray", dms.Program(("ls",), cwd=f"{tmp_path}/gone")),
                dms.Task("odd", dms.Program(("ls",), env={"A=B": "c"})),
            ]
        )
        errors = [scheduler.run_task(name).wait("10s").error for name in ("missing", "astray", "odd")]
        assert "no program called no-such-program is on the PATH" == errors[0]
        assert f"its working folder {tmp_path}/gone does not exist" == errors[1]
        assert "illegal environment variable name" in str(errors[2])


def test_a_log_that_raises_fails_the_run_and_ends_the_program() -> None:
    def broken(*line: object) -> None:
        raise OSError("no room for the log")

    with Scheduler(host=Host(log=broken)) as scheduler:
        scheduler.add_task(dms.Task("a", shell("echo ready; sleep 60")))
        end = scheduler.run_task("a").wait("10s")
        assert "failed" == end.status
        assert "OSError: no room for the log" in str(end.error)


def test_a_program_that_is_cancelled_while_it_waits_for_a_thread_does_not_start(tmp_path: Path) -> None:
    with Scheduler() as scheduler:
        scheduler.add_task(
            dms.Task("a", dms.Program(("sh", "-c", "sleep 40")), overlap="cancel_running", kill_after="1ms")
        )
        handles = [scheduler.run_task("a") for _ in range(5)]
        assert ["cancelled"] * 4 == [handle.wait("10s").status for handle in handles[:4]]
        assert [] == scheduler.stop(drain=0, cancel="5s")
        assert "interrupted" == handles[4].wait("1s").status


def test_what_a_program_writes_is_the_runs_log() -> None:
    lines: list[tuple[str, str, str, str]] = []
    done = Event()
    host = Host(log=lambda run, level, line, fields: lines.append((run.task, level, line, fields["stream"])))
    with Scheduler(host=host) as scheduler:
        scheduler.subscribe(lambda event: done.set() if event.kind == "ended" else None)
        scheduler.add_task(dms.Task("a", shell("echo out; echo err >&2")))
        scheduler.run_task("a").wait("10s")
        assert done.wait(5)
    assert {("a", "debug", "out", "stdout"), ("a", "debug", "err", "stderr")} == set(lines)


def test_each_line_of_a_program_is_a_sign_of_life() -> None:
    talks = "for i in 1 2 3 4 5 6; do sleep 0.2; echo $i; done"
    with Scheduler() as scheduler:
        scheduler.add_task(dms.Task("talks", shell(talks), heartbeat_timeout="800ms"))
        scheduler.add_task(dms.Task("hangs", shell("sleep 40 & wait"), heartbeat_timeout="300ms"))
        ends = [scheduler.run_task(name) for name in ("talks", "hangs")]
        assert ["success", "timed_out"] == [end.wait("10s").status for end in ends]
