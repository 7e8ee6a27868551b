"""The launcher starts programs, tells how they end and what they used, and none of them outlives whoever wanted it."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from dms.background_tasks.agenda.decision import Failed, Outcome, Succeeded
from dms.background_tasks.running.launching import Launched, Launcher
from dms.background_tasks.running.program import ProgramRun
from dms.background_tasks.tasks.task import Program

Ended = Callable[[int], bool]
MEGABYTE = 1_000_000


@pytest.fixture
def launcher() -> Iterator[Launcher]:
    launcher = Launcher()
    yield launcher
    launcher.close()


@pytest.fixture
def null() -> Iterator[tuple[int, int, int]]:
    descriptor = os.open(os.devnull, os.O_RDWR)
    yield (descriptor, descriptor, descriptor)
    os.close(descriptor)


def run(launcher: Launcher, script: str) -> tuple[Outcome, ProgramRun]:
    running = ProgramRun(launcher, Program((sys.executable, "-I", "-S", "-c", script)), {}, lambda stream, lines: None)
    return running.run(), running


def told(launched: Launched, what: str) -> tuple[Any, ...]:
    while (heard := launched.hear()) is not None:
        if heard[0] == what:
            return heard
    raise AssertionError(f"it was never told that {what}")


def test_the_peak_of_a_program_is_its_own_and_not_that_of_whoever_wanted_it(launcher: Launcher) -> None:
    """A child that is forked from a process of 214 MB is said to have used as much, even if it is `true`."""
    large = bytearray(b"x" * 200 * MEGABYTE)
    _, small = run(launcher, "pass")
    _, greedy = run(launcher, f"b'x' * (100 * {MEGABYTE})")
    assert small.memory is not None
    assert greedy.memory is not None
    assert small.memory < 50 * MEGABYTE < 100 * MEGABYTE < greedy.memory < len(large)


def test_programs_that_run_together_are_each_told_of_by_themselves(
    launcher: Launcher, null: tuple[int, int, int]
) -> None:
    programs = [launcher.launch(["sh", "-c", f"exit {status}"], None, os.environ, null) for status in range(50)]
    assert list(range(50)) == [told(program, "ended")[1] for program in programs]
    for program in programs:
        program.close()


def test_a_signal_that_comes_before_the_program_has_begun_is_not_lost(
    launcher: Launcher, null: tuple[int, int, int]
) -> None:
    for _ in range(20):
        program = launcher.launch(["sleep", "60"], None, os.environ, null)
        program.terminate()
        assert -signal.SIGTERM == told(program, "ended")[1]
        program.close()


def test_a_program_that_nobody_waits_for_any_more_ends_with_its_group(
    launcher: Launcher, null: tuple[int, int, int], has_ended: Ended
) -> None:
    program = launcher.launch(["sh", "-c", "trap '' TERM; sleep 60 & wait"], None, os.environ, null)
    pid = told(program, "pid")[1]
    program.close()
    assert has_ended(pid)


def test_what_still_runs_when_the_launcher_closes_ends_with_it(null: tuple[int, int, int], has_ended: Ended) -> None:
    launcher = Launcher()
    program = launcher.launch(["sleep", "60"], None, os.environ, null)
    pid = told(program, "pid")[1]
    launcher.close()
    assert has_ended(pid)
    program.close()


def test_programs_do_not_outlive_a_process_that_is_killed(tmp_path: Path, has_ended: Ended) -> None:
    """After a kill -9 of the node alone its programs once went on, and the next run came beside what was left."""
    script = """
        import sys
        from dms import Program, Scheduler, Task
        with Scheduler() as scheduler:
            scheduler.add_task(Task("a", Program(("sh", "-c", "sleep 60 & echo $$ > pid.new; mv pid.new pid; wait"))))
            scheduler.run_task("a")
            sys.stdin.read()
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    with subprocess.Popen(command, cwd=tmp_path, stdin=subprocess.PIPE) as process:
        while not (tmp_path / "pid").exists():
            assert process.poll() is None
            os.sched_yield()
        process.kill()
        process.wait()
    assert has_ended(int((tmp_path / "pid").read_text()))


def test_a_launcher_that_was_killed_fails_the_run_ends_its_program_and_is_begun_anew(
    launcher: Launcher, has_ended: Ended
) -> None:
    pids: list[int] = []

    def kill_the_launcher(stream: str, lines: Sequence[str]) -> None:
        program, launcher = map(int, lines[0].split())
        pids.append(program)
        os.kill(launcher, signal.SIGKILL)

    program = Program(("sh", "-c", "echo $$ $PPID; sleep 60 & wait"))
    outcome = ProgramRun(launcher, program, {}, kill_the_launcher).run()
    assert Failed("the process that starts programs has ended, and the program was killed") == outcome
    assert has_ended(pids[0])
    assert isinstance(run(launcher, "pass")[0], Succeeded)


def test_an_environment_and_arguments_of_any_size_that_the_system_takes_arrive(launcher: Launcher) -> None:
    words = ["x" * 100_000] * 10
    lines: list[str] = []
    program = Program(("sh", "-c", 'echo "$# ${#VALUE}"', "sh", *words), env={"VALUE": "ä" * 50_000})
    outcome = ProgramRun(launcher, program, {"LC_ALL": "C"}, lambda stream, more: lines.extend(more)).run()
    assert isinstance(outcome, Succeeded)
    assert ["10 100000"] == lines


def test_what_is_more_than_the_system_takes_is_a_failure_that_says_so(launcher: Launcher) -> None:
    program = Program(("true", "x" * 200_000))
    outcome = ProgramRun(launcher, program, {}, lambda stream, lines: None).run()
    assert Failed("true can't be started: Argument list too long") == outcome
