"""One run of a program: in its own process group, its output read as it comes, ended by TERM and then KILL.

A program has ended when its leader has; whoever still holds its pipes does not delay that.
"""

import codecs
import os
import selectors
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from subprocess import DEVNULL, PIPE, Popen
from threading import Lock
from typing import IO, Any

from dms.background_tasks.decision import Cancelled, Failed, Outcome, Succeeded
from dms.background_tasks.task import Program
from dms.clock import stopwatch

TAIL = 8192
"""Characters of the end of the output that are kept as a result."""

LONGEST_LINE = 16_384
"""Characters after which a line is handed on although it has not ended."""

BETWEEN_STATES = 1.0
"""Seconds between two states of a line that is written over and over."""

_CHUNK = 65_536
_DRAINED_CHUNKS = 16
_LOOK_AGAIN = 0.05

LineSink = Callable[[str, str], None]


class ProgramRun:
    """Runs one program in the calling thread; `cancel` and `kill` may come from any other.

    `lines(stream, line)` is called for each line of `stdout` and `stderr`, in the calling thread. `given` is what the
    program reads at its standard input.
    """

    def __init__(self, program: Program, env: Mapping[str, str], lines: LineSink, given: bytes = b"") -> None:
        self._program, self._env = program, env
        self._lines, self._given = lines, given
        self._tail = ""
        self._process: Popen[bytes] | None = None
        self._told = False
        self._gone = False
        self._lock = Lock()

    def run(self) -> Outcome:
        """Start the program and see it to its end. A status other than 0 is a failure, so is one that can't start."""
        try:
            process = self._spawn()
        except OSError as error:
            return Failed(self._why_not(error))
        if process is None:
            return Cancelled()
        try:
            self._read_until_gone(process)
        finally:
            self._leave_nothing_behind(process)
        return self._outcome(process.returncode)

    def cancel(self) -> None:
        """Ask the whole process group to end (TERM)."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End the whole process group (KILL)."""
        self._signal(signal.SIGKILL)

    def _spawn(self) -> "Popen[bytes] | None":
        with self._lock, _standard_input(self._given) as stdin:
            if self._told:
                return None
            self._process = Popen(
                self._program.argv,
                cwd=self._program.cwd,
                env={**os.environ, **self._env, **self._program.env},
                stdin=stdin,
                stdout=PIPE,
                stderr=PIPE,
                start_new_session=True,
            )
            return self._process

    def _why_not(self, error: OSError) -> str:
        program, folder = self._program.argv[0], self._program.cwd
        missing = isinstance(error, FileNotFoundError)
        if folder and error.filename == folder:
            return f"its working folder {folder} " + (
                "does not exist" if missing else f"can't be used: {error.strerror}"
            )
        if missing and "/" not in program:
            return f"no program called {program} is on the PATH"
        if missing and not os.path.exists(os.path.join(folder or "", program)):
            return f"there is no program {program}"
        reason = "the interpreter that its first line names is not there" if missing else error.strerror or error
        return f"{program} can't be started: {reason}"

    def _signal(self, number: int) -> None:
        with self._lock:
            self._told = True
            if self._process is not None and not self._gone:
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(self._process.pid, number)

    def _read_until_gone(self, process: "Popen[bytes]") -> None:
        """Hand on what it writes until the leader is gone, then what is left in the pipes at that moment."""
        with selectors.DefaultSelector() as selector, _Exit(process.pid) as leader:
            for name, pipe in (("stdout", process.stdout), ("stderr", process.stderr)):
                assert pipe is not None
                os.set_blocking(pipe.fileno(), False)
                selector.register(pipe, selectors.EVENT_READ, _Stream(name, pipe, self._line))
            if leader.descriptor is not None:
                selector.register(leader.descriptor, selectors.EVENT_READ)
            while not leader.gone():
                for key, _ in selector.select(None if leader.descriptor is not None else _LOOK_AGAIN):
                    if key.data is not None and not key.data.read():
                        selector.unregister(key.fileobj)
            self._reap(process)
            for stream in [key.data for key in selector.get_map().values() if key.data is not None]:
                stream.drain()

    def _leave_nothing_behind(self, process: "Popen[bytes]") -> None:
        """Close the pipes; where the reading failed, end the program as well."""
        if not self._gone:
            self.kill()
            self._reap(process)
        for pipe in (process.stdout, process.stderr):
            pipe.close()  # type: ignore[union-attr]

    def _reap(self, process: "Popen[bytes]") -> None:
        """The leader is gone; after a cancellation so is its whole group."""
        with self._lock:
            if self._told:
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)
            self._gone = True
            process.wait()

    def _line(self, stream: str, line: str) -> None:
        self._tail = f"{self._tail}{line}\n"[-TAIL:]
        self._lines(stream, line)

    def _outcome(self, status: int) -> Outcome:
        results: dict[str, Any] = {"exit_status": status, "output": self._tail}
        if status == 0:
            return Succeeded(results)
        last = self._tail.rstrip().rpartition("\n")[2]
        ended = f"exit status {status}" if status > 0 else f"ended by {_signal_name(-status)}"
        kind = f"exit {status}" if status > 0 else f"signal {-status}"
        return Failed(f"{ended}: {last}" if last else ended, results, (kind,))


@contextmanager
def _standard_input(given: bytes) -> Iterator[int]:
    """What a program's standard input is; a file in memory, so that nobody must write while the program reads."""
    if not given:
        yield DEVNULL
        return
    with open(os.memfd_create("dms-input"), "w+b") as file:
        file.write(given)
        file.seek(0)
        yield file.fileno()


class _Exit:
    """Tells when a process has ended, without reaping it; readable through `descriptor` where the system has those."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.descriptor: int | None = None
        with suppress(AttributeError, OSError):
            self.descriptor = os.pidfd_open(pid)

    def gone(self) -> bool:
        return os.waitid(os.P_PID, self._pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def __enter__(self) -> "_Exit":
        return self

    def __exit__(self, *_: object) -> None:
        if self.descriptor is not None:
            os.close(self.descriptor)


class _Stream:
    """One pipe, cut into lines. Characters that are cut in two wait for their rest; bytes that are none become �.

    What a carriage return lets be written over, as programs show their progress, is handed on as it is at the line's
    end and, meanwhile, once a second."""

    def __init__(self, name: str, pipe: IO[bytes], line: LineSink) -> None:
        self._name, self._descriptor, self._line = name, pipe.fileno(), line
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._begun = ""
        self._state_at = 0.0

    def read(self) -> bool:
        """Hand on the lines that have come; False where nothing more comes, now or ever."""
        try:
            data = os.read(self._descriptor, _CHUNK)
        except BlockingIOError:
            data = None
        if data:
            self._hand_on(self._begun + self._decoder.decode(data))
            return True
        self._flush()
        return False

    def drain(self) -> None:
        """Hand on what is in the pipe now; whoever goes on writing is not heard."""
        for _ in range(_DRAINED_CHUNKS):
            if not self.read():
                return

    def _hand_on(self, text: str) -> None:
        *lines, self._begun = text.split("\n")
        if "\r" in text:
            lines = [_visible(line) for line in lines]
            self._overwritten(bool(lines))
        if len(self._begun) > LONGEST_LINE:
            lines.append(self._begun)
            self._begun = ""
        for line in lines:
            self._line(self._name, line)

    def _overwritten(self, anew: bool) -> None:
        """Of a line that has not ended only what is seen of it is kept; that is told where it was not for a second."""
        if "\r" not in self._begun:
            return
        seen, now = _visible(self._begun), stopwatch()
        self._begun = f"{seen}\r" if self._begun.endswith("\r") else seen
        if anew or not self._state_at:
            self._state_at = now
        elif seen and now - self._state_at >= BETWEEN_STATES:
            self._state_at = now
            self._line(self._name, seen)

    def _flush(self) -> None:
        rest = self._begun + self._decoder.decode(b"", final=True)
        self._begun = ""
        if rest:
            self._line(self._name, _visible(rest))


def _visible(line: str) -> str:
    r"""What is left of a line once it was written over.

    >>> _visible("10 %\r50 %\r100 %\r")
    '100 %'
    """
    return line.rstrip("\r").rpartition("\r")[2]


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
