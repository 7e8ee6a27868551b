"""Programs: their own process group, their output, how they end, and that they always do."""

import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from dms.background_tasks.agenda.decision import Cancelled, Failed, Outcome, Succeeded
from dms.background_tasks.running.launching import Launcher
from dms.background_tasks.running.program import TAIL, ProgramRun, _Stream
from dms.background_tasks.tasks.task import Program

LAUNCHER = Launcher()
PATIENCE = 10
Ended = Callable[[int], bool]


@pytest.fixture(scope="module", autouse=True)
def the_launcher_ends() -> Iterator[None]:
    yield
    LAUNCHER.close()


class Heard:
    """Keeps the lines of a program; `said(text)` waits for a line."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []
        self.first = Event()

    def __call__(self, stream: str, lines: Sequence[str]) -> None:
        self.lines += [(stream, line) for line in lines]
        self.first.set()

    def of(self, stream: str) -> list[str]:
        return [line for name, line in self.lines if name == stream]


@pytest.fixture
def heard() -> Heard:
    return Heard()


def shell(script: str, **fields: Any) -> Program:
    return Program(("sh", "-c", script), **fields)


def python(script: str) -> Program:
    return Program((sys.executable, "-c", script))


def run(program: Program, heard: Callable[[str, Sequence[str]], None], env: dict[str, str] | None = None) -> Outcome:
    return ProgramRun(LAUNCHER, program, env or {}, heard).run()


def in_thread(running: ProgramRun) -> tuple[Thread, list[Outcome]]:
    outcomes: list[Outcome] = []
    thread = Thread(target=lambda: outcomes.append(running.run()))
    thread.start()
    return thread, outcomes


# ── how it ends ──


def test_a_status_of_0_is_a_success_and_the_output_its_result(heard: Heard) -> None:
    assert Succeeded({"exit_status": 0, "output": "one\ntwo\n"}) == run(shell("echo one; echo two"), heard)
    assert [("stdout", "one"), ("stdout", "two")] == heard.lines


def test_another_status_is_a_failure_that_gives_the_last_line(heard: Heard) -> None:
    outcome = run(shell("echo begun; echo 'disk full' >&2; exit 3"), heard)
    assert "exit status 3: disk full" == outcome.error
    assert 3 == outcome.results["exit_status"]


def test_a_failure_without_a_word_gives_its_status(heard: Heard) -> None:
    assert Failed("exit status 1", {"exit_status": 1, "output": ""}, ("exit 1",)) == run(shell("exit 1"), heard)


@pytest.mark.parametrize(("number", "name"), [(9, "SIGKILL"), (15, "SIGTERM"), (34, "signal 34")])
def test_a_program_that_a_signal_ended_says_which(heard: Heard, number: int, name: str) -> None:
    outcome = run(python(f"import os; os.kill(os.getpid(), {number})"), heard)
    assert f"ended by {name}" in (outcome.error or "").replace("SIGRTMIN", "signal 34")
    assert -number == outcome.results["exit_status"]


def test_a_program_that_is_not_there_is_a_failure(heard: Heard) -> None:
    assert Failed("no program called no-such-program is on the PATH") == run(Program(("no-such-program",)), heard)
    assert Failed("there is no program /no/such") == run(Program(("/no/such",)), heard)


def test_a_file_that_is_no_program_is_a_failure(heard: Heard, tmp_path: Path) -> None:
    plain, script = tmp_path / "plain", tmp_path / "script"
    plain.write_text("echo hello")
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o755)
    assert f"{plain} can't be started: Permission denied" == run(Program((str(plain),)), heard).error
    assert f"{script} can't be started: the interpreter that its first line names is not there" == (
        run(Program((str(script),)), heard).error
    )


def test_a_working_folder_that_is_not_there_is_a_failure(heard: Heard, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    missing, file = f"{tmp_path}/missing", f"{tmp_path}/file"
    assert Failed(f"its working folder {missing} does not exist") == run(shell("pwd", cwd=missing), heard)
    assert Failed(f"its working folder {file} can't be used: Not a directory") == run(shell("pwd", cwd=file), heard)


def test_it_runs_in_its_folder_with_its_environment(heard: Heard, tmp_path: Path) -> None:
    program = shell('echo "$PWD $GREETING $DMS_TASK ${HOME:+home}"', cwd=str(tmp_path), env={"GREETING": "hello"})
    run(program, heard, {"DMS_TASK": "a"})
    assert [("stdout", f"{tmp_path} hello a home")] == heard.lines


def test_a_variable_that_can_not_be_is_an_error_of_the_run(heard: Heard) -> None:
    with pytest.raises(ValueError, match="illegal environment variable name"):
        run(shell("true", env={"A=B": "c"}), heard)


# ── what it is given ──


def test_it_leads_a_process_group_and_a_session_of_its_own(heard: Heard) -> None:
    run(python("import os; print(os.getpid() == os.getpgid(0) == os.getsid(0))"), heard)
    assert ["True"] == heard.of("stdout")


def test_only_the_three_standard_descriptors_are_open_in_it(heard: Heard) -> None:
    """tsl0922/ttyd#162: a child kept the server's socket, so that the server could not bind its port again."""
    kept = os.open("/dev/null", os.O_RDONLY)
    os.set_inheritable(kept, True)
    try:
        run(Program(("ls", "/proc/self/fd")), heard)
    finally:
        os.close(kept)
    assert ["0", "1", "2", "3"] == heard.of("stdout")  # 3 is the folder that ls reads


def test_it_reads_the_end_of_the_input_at_once(heard: Heard) -> None:
    assert 0 == run(Program(("cat",)), heard).results["exit_status"]


def test_signals_that_python_ignores_are_not_ignored_in_it(heard: Heard) -> None:
    assert "ended by SIGPIPE" == run(shell("kill -PIPE $$; echo alive"), heard).error


def test_nothing_of_it_stays_open_here(heard: Heard) -> None:
    run(shell("true"), heard)  # the launcher stays
    before = os.listdir("/proc/self/fd")
    run(shell("echo out; echo err >&2"), heard)
    run(shell("exit 1"), heard)
    run(Program(("no-such-program",)), heard)
    assert before == os.listdir("/proc/self/fd")


# ── its output ──


def test_a_character_that_is_cut_in_two_arrives_whole_and_bad_bytes_are_told_apart(heard: Heard) -> None:
    r"""rstudio/rstudio#17941: a chunk that ended within a character was dropped whole."""
    script = r"""
import os, sys
for part in (b"one\n", b"two \xe2", b"\x94\x80 three\n", b"\xff\xfe four\n"):
    os.write(1, part)
    os.write(2, b"\xc3")
    os.write(2, b"\xa4\n")
"""
    run(python(script), heard)
    assert ["one", "two ─ three", "�� four"] == heard.of("stdout")
    assert ["ä"] * 4 == heard.of("stderr")


@pytest.mark.parametrize(
    ("written", "lines"),
    [
        (r"no end", ["no end"]),
        (r"half \xe2\x94", ["half �"]),
        (r"\xe2", ["�"]),
        (r"dos\r\n\r\n", ["dos", ""]),
        ("", []),
    ],
)
def test_what_comes_last_is_not_lost(heard: Heard, written: str, lines: list[str]) -> None:
    run(python(f"import os; os.write(1, b'{written}')"), heard)
    assert lines == heard.of("stdout")


@pytest.mark.parametrize(
    ("writes", "lines"),
    [
        ([rb"10 %\r50 %\r100 %\ndone\n"], ["100 %", "done"]),
        ([rb"\r10 %", rb"\r50 %", rb"\r100 %"], ["100 %"]),
        ([rb"10 %\r", rb"1", rb"00 %\r", rb"\nafter\n"], ["100 %", "after"]),
        ([rb"\r\r\r\n"], [""]),
    ],
)
def test_of_a_line_that_is_written_over_the_last_state_is_kept(
    heard: Heard, writes: list[bytes], lines: list[str]
) -> None:
    script = "import os\n" + "\n".join(f"os.write(1, b'{part.decode()}')" for part in writes)
    run(python(script), heard)
    assert lines == heard.of("stdout")


def test_a_line_that_is_written_over_for_long_is_told_once_a_second(
    heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """appveyor/ci#858: all states of a counter stood behind each other in one endless line."""
    seconds = iter(range(100))
    monkeypatch.setattr("dms.background_tasks.running.program.stopwatch", lambda: next(seconds) * 0.5 + 1)
    read, write = os.pipe()
    with open(read, "rb", buffering=0) as pipe:
        stream = _Stream("stdout", pipe.fileno(), heard)
        for state in (b"1\r", b"2\r", b"3\r", b"4\r", b"5\r", b"6\n"):
            os.write(write, state)
            stream.read()
        os.close(write)
        stream.drain()
    assert ["3", "5", "6"] == heard.of("stdout")


def test_a_line_of_a_hundred_kilobytes_stops_nobody(heard: Heard) -> None:
    """lowRISC/dvsim#240: a line of more than 64 KiB stopped the reader, and the program blocked on a full pipe."""
    script = 'import sys;sys.stdout.write("x"*131000);sys.stdout.flush();sys.stderr.write("y"*300000);print("end")'
    outcome = run(python(script), heard)
    assert 0 == outcome.results["exit_status"]
    assert "x" * 131000 + "end" == "".join(heard.of("stdout"))
    assert "y" * 300000 == "".join(heard.of("stderr"))


def test_the_end_of_a_long_output_is_its_result(heard: Heard) -> None:
    outcome = run(python("for number in range(10_000): print(number)"), heard)
    assert 10_000 == len(heard.lines)
    assert TAIL == len(outcome.results["output"])
    assert outcome.results["output"].endswith("9998\n9999\n")


def test_lines_come_while_it_runs(heard: Heard) -> None:
    running = ProgramRun(LAUNCHER, shell("echo ready; sleep 60"), {}, heard)
    thread, _ = in_thread(running)
    assert heard.first.wait(PATIENCE)
    running.kill()
    thread.join(PATIENCE)
    assert [("stdout", "ready")] == heard.lines


def test_a_listener_that_raises_ends_the_program_and_leaves_nothing_behind(has_ended: Ended) -> None:
    def broken(stream: str, lines: Sequence[str]) -> None:
        pids.append(int(lines[0]))
        raise OSError("no room for the log")

    pids: list[int] = []
    with pytest.raises(OSError, match="no room for the log"):
        run(shell("echo $$; sleep 60"), broken)
    assert has_ended(pids[0])
    with pytest.raises(ChildProcessError):
        os.waitpid(pids[0], os.WNOHANG)


# ── cancelling ──


@pytest.mark.parametrize(
    "script", ["echo $$; sleep 40 & wait $!", "trap '' TERM; echo $$; sleep 40 & wait $!; sleep 40"]
)
def test_a_grandchild_that_holds_the_pipe_does_not_delay_the_end(heard: Heard, has_ended: Ended, script: str) -> None:
    """tomerfiliba/plumbum#840: a timeout did not end the call, since a grandchild kept the output open."""
    running = ProgramRun(LAUNCHER, shell(script), {}, heard)
    thread, outcomes = in_thread(running)
    assert heard.first.wait(PATIENCE)
    running.cancel()
    running.kill()
    thread.join(PATIENCE)
    assert isinstance(outcomes[0], Failed)
    assert has_ended(int(heard.lines[0][1]))


def test_a_cancelled_program_may_end_in_its_own_way_but_its_group_ends_with_it(heard: Heard, has_ended: Ended) -> None:
    running = ProgramRun(LAUNCHER, shell("trap 'echo tidied; exit 7' TERM; sleep 40 & echo $$; wait"), {}, heard)
    thread, outcomes = in_thread(running)
    assert heard.first.wait(PATIENCE)
    running.cancel()
    thread.join(PATIENCE)
    assert ("exit status 7: tidied", 7) == (outcomes[0].error, outcomes[0].results["exit_status"])
    assert has_ended(int(heard.lines[0][1]))


def test_a_program_whose_leader_has_ended_has_ended(heard: Heard) -> None:
    outcome = run(shell("sleep 40 & echo -n $!"), heard)
    assert isinstance(outcome, Succeeded)
    left = int(heard.lines[0][1])
    os.kill(left, signal.SIGKILL)  # it was not told to end: what it left running is its own affair


@pytest.mark.parametrize("how", ["cancel", "kill"])
def test_a_program_that_is_cancelled_before_it_starts_never_starts(heard: Heard, tmp_path: Path, how: str) -> None:
    running = ProgramRun(LAUNCHER, Program(("touch", f"{tmp_path}/started")), {}, heard)
    getattr(running, how)()
    assert Cancelled() == running.run()
    assert [] == list(tmp_path.iterdir())


def test_telling_a_program_that_has_ended_does_nothing(heard: Heard) -> None:
    running = ProgramRun(LAUNCHER, shell("true"), {}, heard)
    running.run()
    running.cancel()
    running.kill()
