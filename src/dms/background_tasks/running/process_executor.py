"""Runs functions in a process each: one that can be killed, has its own memory, and takes nobody with it when it
crashes. The process is started by the launcher, so that none of the node's threads, locks and files are in it."""

import marshal
import os
import pickle
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from types import SimpleNamespace
from typing import Any, Self

from dms.background_tasks.agenda.decision import Attempt, Cancelled, Failed, Outcome, Succeeded
from dms.background_tasks.agenda.saved_state import unpack
from dms.background_tasks.running import process_child
from dms.background_tasks.running.calling import Arguments, calling_of
from dms.background_tasks.running.executor import Deliver, Running, ThreadExecutor, error_text, identity_of, watch
from dms.background_tasks.running.launching import Launcher
from dms.background_tasks.running.process_call import main_of, packed, root_of
from dms.background_tasks.running.process_child import LENGTH, framed
from dms.background_tasks.running.program import ProgramRun, limited
from dms.background_tasks.running.run import Run
from dms.background_tasks.tasks.limits import NO_LIMITS
from dms.background_tasks.tasks.task import Program
from dms.errors import DmsError
from dms.instant import SECOND, microseconds

_CHUNK = 65_536
_DRAINED_CHUNKS = 64


class ProcessExecutor:
    """Runs functions in processes, each watched by a thread of `threads`; what they print goes to the run."""

    def __init__(self, threads: ThreadExecutor, launcher: Launcher) -> None:
        self._threads, self._launcher = threads, launcher

    def start(self, attempt: Attempt, run: Run, arguments: Arguments, deliver: Deliver) -> Running:
        """Call the function in a process of its own."""
        running = ProcessRun(self._launcher, attempt, run, arguments)
        self._threads.submit(lambda: watch(running, attempt), partial(deliver, attempt.id))
        return running

    def close(self) -> None:
        """Nothing to do: the launcher and the threads are closed by themselves."""


class ProcessRun:
    """One call in a process. `cancel` sends TERM to its group, which its function sees as `run.cancelled` or as an
    exception; `kill` ends the group."""

    def __init__(self, launcher: Launcher, attempt: Attempt, run: Run, arguments: Arguments) -> None:
        self._attempt, self._run, self._arguments = attempt, run, arguments
        self._limits = attempt.task.limits or NO_LIMITS
        talk = self._conversation = Conversation(self._hear)
        self._outcome: Outcome | None = None
        program = Program((sys.executable, "-P", process_child.__file__))
        self._program = ProgramRun(launcher, program, identity_of(run), run.printed, talk=talk, limits=self._limits)

    @property
    def cpu(self) -> int | None:
        """Microseconds, once it has ended."""
        return self._program.cpu

    @property
    def memory(self) -> int | None:
        """Bytes, once it has ended."""
        return self._program.memory

    def run(self) -> Outcome:
        """See it to its end. How the function ended counts; where it did not come to that, how the process ended."""
        try:
            self._conversation.begin_with(_told(self._attempt, self._run, self._arguments))
        except Exception as error:  # noqa: BLE001 - somebody's object may raise anything
            return Failed(f"its process can't be told what to call: {error_text(error)}")
        with self._conversation:
            ended = self._program.run()
        if isinstance(self._outcome, Failed):
            return self._limited(self._outcome)
        if self._outcome is not None:
            return self._outcome
        if isinstance(ended, Succeeded):
            return Failed("its process ended before the function did", ended.results, ("exit 0",))
        return ended

    def _limited(self, failed: Failed) -> Failed:
        met = self._limits.met(0, self.cpu, None, failed.error) if failed.kinds else None
        return failed if met is None else limited(failed, *met)

    def cancel(self) -> None:
        """Ask it to end."""
        self._run.cancel()
        self._program.cancel()

    def kill(self) -> None:
        """End the process and its group."""
        self._program.kill()

    def _hear(self, told: tuple[Any, ...]) -> None:
        match told:
            case ("log", level, event, fields):
                self._run.say(level, event, fields)
            case ("progress", done, total, text):
                self._run.progress(done, total, text)
            case ("beat",):
                self._run.heartbeat()
            case ("succeeded", results):
                self._outcome = _succeeded(results)
            case ("failed", error, kinds, retry_after, gives_up):
                self._outcome = Failed(error, None, tuple(kinds), retry_after, gives_up)
            case ("cancelled",):
                self._outcome = Cancelled()
            case ("save", state):
                self._conversation.say(marshal.dumps(self._save(state)))

    def _save(self, state: bytes | None) -> tuple[str, str] | None:
        """Keep a state; why it can't be, where that is so."""
        try:
            self._run.save(unpack(state))
        except DmsError as error:
            return type(error).__name__, str(error)
        return None


def _succeeded(results: bytes) -> Outcome:
    try:
        return Succeeded(pickle.loads(results))
    except Exception as error:  # noqa: BLE001 - somebody's class may raise anything
        return Failed(f"what it gave back can't be read here: {error_text(error)}")


def _told(attempt: Attempt, run: Run, arguments: Arguments) -> bytes:
    """The three frames that the process is told (see `process_child.py`)."""
    task = attempt.task
    call = packed(task.target, tuple(arguments.args), dict(arguments.kwargs))
    coroutine = calling_of(task.target).executor == "coroutine"
    path = [entry or os.getcwd() for entry in sys.path]
    patience = microseconds(task.kill_after) / SECOND / 2
    setting = (path, list(sys.argv), root_of(task.target), main_of(call), patience, coroutine)
    known = b"" if task.calling.run_at is None else packed(_known(attempt), run.config)
    return b"".join(map(framed, (marshal.dumps(setting), call, known)))


def _known(attempt: Attempt) -> SimpleNamespace:
    """The attempt as the run in the process knows it."""
    task = SimpleNamespace(name=attempt.task.name, heartbeat_timeout=attempt.task.heartbeat_timeout)
    saved = (attempt.entry.saved or {}).get(attempt.run_id)
    entry = SimpleNamespace(saved={attempt.run_id: saved})
    return SimpleNamespace(task=task, entry=entry, over=False, **{field: getattr(attempt, field) for field in _KNOWN})


_KNOWN = ("id", "run_id", "attempt", "event", "occurrence", "trace_id", "traceparent")


class Conversation:
    """Our end of the socket that is a process's standard input; frames that come are handed to `hear`."""

    def __init__(self, hear: Callable[[tuple[Any, ...]], None]) -> None:
        self._hear = hear
        self._first = b""
        self._begun = bytearray()

    def begin_with(self, first: bytes) -> None:
        """What is said first, once the process is there."""
        self._first = first

    def begin(self) -> None:
        """The process is there: tell it. One that is gone already is no matter: its end is told elsewhere."""
        self.its.close()
        first, self._first = self._first, b""
        self._send(first)

    def say(self, frame: bytes) -> None:
        """Send a frame."""
        self._send(framed(frame))

    def _send(self, data: bytes) -> None:
        with suppress(OSError):
            self._ours.sendall(data)

    def fileno(self) -> int:
        """Readable when there is something to `read`."""
        return self._ours.fileno()

    def read(self) -> bool:
        """Hand on the frames that have come; False where nothing more comes, now or ever."""
        try:
            data = self._ours.recv(_CHUNK, socket.MSG_DONTWAIT)
        except OSError:
            return False
        self._begun += data
        while len(self._begun) >= LENGTH:
            end = LENGTH + int.from_bytes(self._begun[:LENGTH], "big")
            if len(self._begun) < end:
                break
            frame = bytes(self._begun[LENGTH:end])
            del self._begun[:end]
            self._hear(marshal.loads(frame))
        return bool(data)

    def drain(self) -> None:
        """Hand on what has come until now."""
        for _ in range(_DRAINED_CHUNKS):
            if not self.read():
                return

    def __enter__(self) -> Self:
        self._ours, self.its = socket.socketpair()
        return self

    def __exit__(self, *_: object) -> None:
        self._ours.close()
        self.its.close()
