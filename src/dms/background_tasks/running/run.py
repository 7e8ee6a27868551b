"""Run: what a task's function may ask and tell while it runs."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import ContextVar
from datetime import datetime
from math import isfinite
from typing import Any, NamedTuple

from dms.background_tasks.agenda.decision import Attempt
from dms.background_tasks.agenda.saved_state import pack, unpack
from dms.background_tasks.running.transcript import Transcript
from dms.background_tasks.tasks.task import Event
from dms.errors import InvalidInput, Misuse
from dms.instant import to_datetime


class Progress(NamedTuple):
    """How far a run has come: so much done of a total (None: not known), and what it is at."""

    done: float
    total: float | None = None
    text: str = ""


LogSink = Callable[["Run", str, str, Mapping[str, Any]], None]
ProgressSink = Callable[["Run"], None]


SaveSink = Callable[["Run", bytes | None], Awaitable[None]]


class RunLog:
    """A run's own log: each line carries the task and the execution it belongs to."""

    __slots__ = ("_run",)

    def __init__(self, run: "Run") -> None:
        self._run = run

    def debug(self, event: str, /, **fields: Any) -> None:
        """Something that only its author wants to know."""
        self._run.say("debug", event, fields)

    def info(self, event: str, /, **fields: Any) -> None:
        """Something worth knowing."""
        self._run.say("info", event, fields)

    def warning(self, event: str, /, **fields: Any) -> None:
        """Something that wants a look."""
        self._run.say("warning", event, fields)

    def error(self, event: str, /, **fields: Any) -> None:
        """Something that went wrong."""
        self._run.say("error", event, fields)


class Sinks(NamedTuple):
    """Where what a run tells goes to; `transcript` gives a run what keeps its lines, and is None where nothing does."""

    log: LogSink
    progress: ProgressSink
    heartbeat: "Callable[[Run], None]" = lambda run: None
    transcript: "Callable[[Run], Transcript] | None" = None
    save: "SaveSink | None" = None


CURRENT_RUN: "ContextVar[Run | None]" = ContextVar("dms_run", default=None)
"""The run whose function is under way here, where its lines are kept: in this thread, in this task of an event loop."""

LONGEST_LINE = 65_536
"""Characters of a line that may wait for its end."""

_NO_FIELDS: Mapping[str, Any] = {}


class Run:
    """One attempt, as its function sees it. A parameter named `run` receives it.

    `config` is the configuration as it was at the start.
    """

    __slots__ = (
        "_attempt",
        "_beat",
        "_cancelled",
        "_progress",
        "_sinks",
        "_told",
        "config",
        "transcript",
        "unfinished",
    )

    def __init__(self, attempt: Attempt, config: Any, sinks: Sinks) -> None:
        self._attempt, self.config, self._sinks = attempt, config, sinks
        self._progress: Progress | None = None
        self._told = self._beat = False
        self._cancelled = False
        self.transcript: Transcript | None = None
        self.unfinished: dict[str, str] | None = None

    @property
    def id(self) -> str:
        """The execution's ID."""
        return self._attempt.id

    @property
    def run_id(self) -> str:
        """What all attempts of this run share."""
        return self._attempt.run_id

    @property
    def task(self) -> str:
        """The task's name."""
        return self._attempt.task.name

    @property
    def attempt(self) -> int:
        """Which attempt this is, from 1."""
        return self._attempt.attempt

    @property
    def event(self) -> Event | None:
        """What fired it; None where that was a time or an operator."""
        return self._attempt.event

    @property
    def due(self) -> datetime:
        """The moment that it is for, in UTC: of a fire by time that time, however late it runs and whichever attempt
        this is; else when the first attempt was asked for."""
        return to_datetime(self._attempt.occurrence)

    @property
    def trace_id(self) -> str | None:
        """The ID of its trace, which each line of its log bears; None where its scheduler keeps none."""
        return self._attempt.trace_id

    @property
    def traceparent(self) -> str:
        """The span of its trace, to tell others of (W3C's Trace Context); empty where its scheduler keeps none."""
        return self._attempt.traceparent

    @property
    def log(self) -> RunLog:
        """Its log: each line carries the task and the execution."""
        return RunLog(self)

    @property
    def cancelled(self) -> bool:
        """Whether it was told to end: by its timeout, by an operator, by a stop. A function that takes long looks
        at this now and then; a coroutine is cancelled besides."""
        return self._cancelled

    def progress(self, done: float, total: float | None = None, text: str = "") -> None:
        """Tell how far it has come, as a sign of life too. Cheap: only the latest is told on when somebody has time.
        InvalidInput where `done` or `total` is no finite number."""
        self.heartbeat()
        total = None if total is None else _number("total", total)
        self._progress = Progress(_number("done", done), total, text if type(text) is str else str(text))
        if not self._told:
            self._told = True
            self._sinks.progress(self)

    def heartbeat(self) -> None:
        """Give a sign of life, where the task has a `heartbeat_timeout`. As cheap as `progress`."""
        if not self._beat and self._attempt.task.heartbeat_timeout is not None:
            self._beat = True
            self._sinks.heartbeat(self)

    @property
    def state(self) -> Any:
        """What this run saved last, in this attempt or an earlier one, also before a crash; where it has saved nothing
        yet, what the task's last run left that did not succeed; None where there is nothing. A copy each time."""
        states = self._attempt.entry.saved
        return None if states is None else unpack(states.get(self._attempt.run_id))

    def save(self, state: Any) -> Awaitable[None]:
        """Keep how far the work has come, as `state` of the next attempt; success clears it, so does None. It is made
        of JSON's values, 64 KiB at most. In a thread it is on disk (where there is a store) when this returns; on an
        event loop once it was awaited: `await run.save(state)`. InvalidInput where it can't be kept, and nothing
        changes; Conflict where the run is over; ShuttingDown where the scheduler stops before it is on disk."""
        packed = pack(state)
        if self._sinks.save is None:
            raise Misuse("save: this run belongs to no scheduler")
        return self._sinks.save(self, packed)

    def say(self, level: str, event: str, fields: Mapping[str, Any]) -> None:
        """A line of its log; what `log` calls."""
        self._sinks.log(self, level, event, fields)
        self.keep(level, event, fields=fields)

    def printed(self, stream: str, lines: Sequence[str]) -> None:
        """Lines that its program or process has written to `stdout` or `stderr`, a sign of life; for the executor."""
        self.heartbeat()
        for line in lines:
            self._sinks.log(self, "debug", line, {"stream": stream})
        self.keep(stream, *lines)

    @property
    def over(self) -> bool:
        """Whether nothing that it says is heard any more."""
        return self._attempt.over

    def write(self, stream: str, text: str) -> None:
        """Its function prints to `stdout` or `stderr`, in pieces: whole lines are kept at once, the rest of one when
        that comes, or with `finish_lines`. Of a line that is written over and over the last state counts."""
        unfinished = self.unfinished = self.unfinished or {}
        *lines, rest = (_last_state(line) for line in f"{unfinished.get(stream, '')}{text}".split("\n"))
        if len(rest) > LONGEST_LINE:
            lines, rest = [*lines, rest], ""
        unfinished[stream] = rest
        if lines:
            self.printed(stream, [line.rstrip("\r") for line in lines])

    def finish_lines(self) -> None:
        """Its function has ended: what it has printed without an end of the line is a line too; for the executor."""
        unfinished, self.unfinished = self.unfinished or {}, None
        for stream, rest in unfinished.items():
            if rest:
                self.printed(stream, [rest.rstrip("\r")])

    def keep(self, kind: str, *texts: str, fields: Mapping[str, Any] = _NO_FIELDS) -> None:
        """Add lines to its transcript, where there is one; what comes after its end is not heard."""
        if self._sinks.transcript is None or self._attempt.over:
            return
        transcript = self.transcript
        if transcript is None:
            transcript = self._sinks.transcript(self)
        transcript.add(kind, texts, fields)

    def enter(self) -> None:
        """What this thread, or this task of an event loop, logs from now on by the standard library is this run's."""
        if self._sinks.transcript is not None:
            CURRENT_RUN.set(self)

    def cancel(self) -> None:
        """Tell it to end; for the executor."""
        self._cancelled = True

    def take_progress(self) -> Progress | None:
        """The latest progress; for the scheduler, which is told again of what comes after it."""
        self._told = False
        return self._progress

    def take_heartbeat(self) -> None:
        """Its sign of life has been heard; for the scheduler, which is told again of the next."""
        self._beat = False


def _last_state(line: str) -> str:
    return line[line.rfind("\r", 0, -1) + 1 :]


def _number(what: str, given: float) -> float:
    """A number as any reader of JSON has it; one of another library becomes a plain one."""
    try:
        if isfinite(given):
            return given if type(given) is int or type(given) is float else float(given)
    except (TypeError, ValueError, OverflowError):
        pass
    raise InvalidInput(f"progress: {what} is {given!r}, and no finite number")
