"""One run of a program: in its own process group, its output read as it comes, ended by TERM and then KILL.

A program has ended when its leader has; whoever still holds its pipes does not delay that.
"""

import codecs
import os
import selectors
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from errno import ENOENT
from socket import socket
from threading import Lock
from typing import Any, Protocol, Self

from dms.background_tasks.agenda.decision import Cancelled, Failed, Outcome, Succeeded
from dms.background_tasks.running.launching import Launched, Launcher
from dms.background_tasks.tasks.limits import NO_LIMITS, Limits
from dms.background_tasks.tasks.task import Program
from dms.clock import stopwatch
from dms.size import size_text

TAIL = 8192
"""Characters of the end of the output that are kept as a result."""

LONGEST_LINE = 16_384
"""Characters after which a line is handed on although it has not ended."""

BETWEEN_STATES = 1.0
"""Seconds between two states of a line that is written over and over."""

_CHUNK = 65_536
_DRAINED_CHUNKS = 16

LineSink = Callable[[str, Sequence[str]], None]
_Told = tuple[Any, ...]


class Talk(Protocol):
    """What a program's standard input is where it is a socket."""

    its: socket

    def begin(self) -> None:
        """The program has been started."""
        ...

    def fileno(self) -> int:
        """Readable when there is something to `read`."""
        ...

    def read(self) -> bool:
        """Take what has come; False where nothing more comes, now or ever."""
        ...

    def drain(self) -> None:
        """Take all that has come until now."""
        ...


class ProgramRun:
    """Runs one program in the calling thread; `cancel` and `kill` may come from any other.

    `said(stream, lines)` is called with the lines of `stdout` and `stderr` as they come, in the calling thread. `given`
    is what the program reads at its standard input, `talk` a socket that this is instead. `cpu` is the processor time
    that it took, in microseconds, and `memory` the most that it or one of its own had resident, in bytes, once it has
    ended; what those used for which it did not wait is not known. What it may print by its `limits` is counted here.
    """

    def __init__(
        self,
        launcher: Launcher,
        program: Program,
        env: Mapping[str, str],
        said: LineSink,
        given: bytes = b"",
        talk: "Talk | None" = None,
        limits: Limits = NO_LIMITS,
    ) -> None:
        self._launcher, self._program, self._env = launcher, program, env
        self._sink, self._given, self._talk = said, given, talk
        self._limits, self._printed, self._too_much = limits, 0, False
        self._tail = ""
        self.cpu: int | None = None
        self.memory: int | None = None
        self._pid: int | None = None
        self._launched: Launched | None = None
        self._told = False
        self._lock = Lock()

    def run(self) -> Outcome:
        """Start the program and see it to its end. A status other than 0 is a failure, so is one that can't start."""
        with _Pipe() as out, _Pipe() as err:
            try:
                launched = self._launch(out, err)
            except OSError as error:
                return Failed(f"it can't be started: {error.strerror or error}")
            if launched is None:
                return Cancelled()
            try:
                return self._outcome(self._read_until_gone(launched, out, err))
            finally:
                self._let_go(launched)

    def cancel(self) -> None:
        """Ask the whole process group to end (TERM)."""
        self._signal(Launched.terminate)

    def kill(self) -> None:
        """End the whole process group (KILL)."""
        self._signal(Launched.kill)

    def _launch(self, out: "_Pipe", err: "_Pipe") -> Launched | None:
        program, environment = self._program, {**os.environ, **self._env, **self._program.env}
        with self._lock, self._standard_input() as stdin:
            if self._told:
                return None
            standard = (stdin, out.writing, err.writing)
            limits = (self._limits.bytes_of_memory, self._limits.seconds)
            self._launched = self._launcher.launch(program.argv, program.cwd, environment, standard, limits)
        out.close_writing()
        err.close_writing()
        if self._talk is not None:
            self._talk.begin()
        return self._launched

    @contextmanager
    def _standard_input(self) -> Iterator[int]:
        """What its standard input is; what is given comes as a file in memory, so that nobody must write while the
        program reads."""
        given = self._given
        if self._talk is not None:
            yield self._talk.its.fileno()
            return
        with open(os.memfd_create("dms-input") if given else os.devnull, "w+b" if given else "rb") as file:
            if given:
                file.write(given)
                file.seek(0)
            yield file.fileno()

    def _signal(self, send: Callable[[Launched], None]) -> None:
        with self._lock:
            self._told = True
            if self._launched is not None:
                send(self._launched)

    def _let_go(self, launched: Launched) -> None:
        """Whatever is left of a program that was not seen to its end, ends with this."""
        with self._lock:
            self._launched = None
            launched.close()

    def _read_until_gone(self, launched: Launched, out: "_Pipe", err: "_Pipe") -> _Told:
        """Hand on what it writes until the leader is gone, then what is left in the pipes at that moment; what the
        launcher tells of its end."""
        with selectors.DefaultSelector() as selector:
            for name, pipe in (("stdout", out), ("stderr", err)):
                selector.register(
                    pipe.reading, selectors.EVENT_READ, _Stream(name, pipe.reading, self._said, self._count)
                )
            selector.register(launched, selectors.EVENT_READ)
            if self._talk is not None:
                selector.register(self._talk, selectors.EVENT_READ, self._talk)
            told: _Told = ("pid", None)
            while told[0] == "pid":
                for key, _ in selector.select():
                    if key.data is None:
                        told = self._hear(launched)
                    elif not key.data.read():
                        selector.unregister(key.fileobj)
            for stream in [key.data for key in selector.get_map().values() if key.data is not None]:
                stream.drain()
        return told

    def _hear(self, launched: Launched) -> _Told:
        told = launched.hear()
        if told is None:
            self._end_by_itself()
            return ("lost",)
        if told[0] == "pid":
            self._pid = told[1]
        return told

    def _end_by_itself(self) -> None:
        """The launcher is gone; nobody else watches over the group now."""
        if self._pid is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._pid, signal.SIGKILL)

    def _outcome(self, told: _Told) -> Outcome:
        match told:
            case ("ended", status, cpu, memory):
                self.cpu, self.memory = cpu, memory
                return self._outcome_of(status)
            case ("failed", errno, step):
                return Failed(self._why_not(errno, step))
            case _:
                return Failed("the process that starts programs has ended, and the program was killed")

    def _why_not(self, errno: int, step: str) -> str:
        program, folder = self._program.argv[0], self._program.cwd
        missing, words = errno == ENOENT, os.strerror(errno)
        if step == "folder":
            return f"its working folder {folder} " + ("does not exist" if missing else f"can't be used: {words}")
        if missing and "/" not in program:
            return f"no program called {program} is on the PATH"
        if missing and not os.path.exists(os.path.join(folder or "", program)):
            return f"there is no program {program}"
        reason = "the interpreter that its first line names is not there" if missing else words
        return f"{program} can't be started: {reason}"

    def _count(self, size: int) -> None:
        """So much has come from it; where that is more than it may print, it is over."""
        self._printed += size
        most = self._limits.bytes_of_output
        if most is not None and self._printed > most and not self._too_much:
            self._too_much = True
            self.kill()

    def _said(self, stream: str, lines: Sequence[str]) -> None:
        self._tail = (self._tail + "\n".join(lines[-TAIL:]) + "\n")[-TAIL:]
        self._sink(stream, lines)

    def _outcome_of(self, status: int) -> Outcome:
        results: dict[str, Any] = {"exit_status": status, "output": self._tail}
        if status == 0:
            return Succeeded(results)
        last = self._tail.rstrip().rpartition("\n")[2]
        ended = f"exit status {status}" if status > 0 else f"ended by {_signal_name(-status)}"
        kind = f"exit {status}" if status > 0 else f"signal {-status}"
        return self._limited(status, Failed(f"{ended}: {last}" if last else ended, results, (kind,)))

    def _limited(self, status: int, failed: Failed) -> Failed:
        """A failure, with the limit that it comes from, where it does."""
        most = self._limits.bytes_of_output
        if self._too_much and most is not None:
            return limited(failed, "output", f"it printed more than its output limit of {size_text(most)}")
        met = self._limits.met(status, self.cpu, self.memory, self._tail)
        return failed if met is None else limited(failed, *met)


def limited(failed: Failed, limit: str, words: str) -> Failed:
    """A failure that comes from a limit, for whose name it can be tried again, or given up."""
    kinds = (*failed.kinds, f"limit {limit}")
    return Failed(f"{words}; {failed.error}", failed.results, kinds, failed.retry_after, failed.gives_up)


class _Pipe:
    """A pipe, whose reading end never blocks."""

    def __init__(self) -> None:
        self.reading, self.writing = os.pipe()
        os.set_blocking(self.reading, False)
        self._writing_is_open = True

    def close_writing(self) -> None:
        """From now on only the program holds it open."""
        self._writing_is_open = False
        os.close(self.writing)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.reading)
        if self._writing_is_open:
            os.close(self.writing)


class _Stream:
    """One pipe, cut into lines. Characters that are cut in two wait for their rest; bytes that are none become �.

    What a carriage return lets be written over, as programs show their progress, is handed on as it is at the line's
    end and, meanwhile, once a second."""

    def __init__(
        self, name: str, descriptor: int, said: LineSink, count: Callable[[int], None] = lambda size: None
    ) -> None:
        self._count = count
        self._name, self._descriptor, self._said = name, descriptor, said
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
            self._count(len(data))
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
        if lines:
            self._said(self._name, lines)

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
            self._said(self._name, [seen])

    def _flush(self) -> None:
        rest = self._begun + self._decoder.decode(b"", final=True)
        self._begun = ""
        if rest:
            self._said(self._name, [_visible(rest)])


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
