"""What a task is: its definition, its executions, their states and policies."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from msgspec.structs import force_setattr

from dms.background_tasks.tasks.breaker import Breaker
from dms.background_tasks.tasks.concurrency import Concurrency
from dms.background_tasks.tasks.limits import Limits
from dms.background_tasks.tasks.retry import NO_RETRY, RetryPolicy
from dms.background_tasks.triggers.event_trigger import EventTrigger
from dms.background_tasks.triggers.trigger import OWN_TRIGGERS, Trigger, check_trigger
from dms.errors import InvalidTask
from dms.instant import duration_text, microseconds, parse_duration, to_datetime

if TYPE_CHECKING:
    from dms.background_tasks.running.calling import Calling

_NAME = re.compile(r"(?!\d+$)[a-z0-9][a-z0-9_-]{0,62}").fullmatch
_GATE = re.compile(r"[a-z][a-z0-9_]{0,62}").fullmatch
_REFERENCE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*").fullmatch

_NAME_RULE = "1 to 63 of a-z, 0-9, _ and -, not starting with _ or -, not digits alone"


class Overlap(StrEnum):
    """What happens to a fire that comes while the task still runs, or waits for a slot."""

    SKIP = "skip"
    QUEUE = "queue"
    CANCEL_RUNNING = "cancel_running"
    ALLOW = "allow"


class CatchUp(StrEnum):
    """Which of the fires that were missed, while the node was off or busy, still run."""

    ONE = "one"
    ALL = "all"
    NONE = "none"


class Durability(StrEnum):
    """What is on disk before the function runs, and what a crash means for a run that was under way."""

    NONE = "none"
    AT_MOST_ONCE = "at_most_once"
    AT_LEAST_ONCE = "at_least_once"


class Lane(StrEnum):
    """Whose slots a task uses: the users', or the node's own beside them."""

    USER = "user"
    NODE = "node"


class Status(StrEnum):
    """The states of an execution; the first three change, the rest are final."""

    WAITING = "waiting"
    STARTING = "starting"
    RUNNING = "running"
    SUCCESS = "success"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"
    ABANDONED = "abandoned"

    @property
    def final(self) -> bool:
        """Whether an execution in this state is over."""
        return self not in _CHANGING


_CHANGING = frozenset({Status.WAITING, Status.STARTING, Status.RUNNING})


EXECUTORS = ("coroutine", "thread", "process", "program")
"""Ways of running a task."""


class Event(msgspec.Struct, frozen=True):
    """Something that happened: its topic, what came with it (plain JSON values), and when, in wall microseconds.

    Where a trigger gathered several (`debounce`), this is the latest of them, `count` says how many they were, and
    `first` is the one that came first.
    """

    topic: str
    payload: Any = None
    at: int = 0
    count: int = 1
    first: "Event | None" = None


class Usage(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What an attempt used, in microseconds: how long it `waited` once it might start, how long it `took` by the clock
    that nobody sets, its processor time `cpu`; in bytes, the `memory` that it had resident at most. None: not known.

    `cpu` is of its thread, of a program with all those it has waited for, of a coroutine how long its own steps took.
    `memory` is known of programs: of the largest process among those; of a small one it is the launcher's, some 9 MB.
    """

    waited: int
    took: int
    cpu: int | None = None
    memory: int | None = None


class Execution(msgspec.Struct, frozen=True, gc=False, repr_omit_defaults=True):
    """One attempt of one run, as it is or as it ended. Times are wall microseconds; `due_at`, `started_at` and
    `ended_at` give them as `datetime`s in UTC.

    `id` is START-COUNTER (the number of the process start, and a counter in it), unique in a store; attempts of one run
    share `run_id`. `cause` is what fired it: schedule, event, trigger, operator, retry, retry_later, catch_up,
    backfill or crash.
    `retry_at` is when the next attempt comes, if any; `trace_id` leads to its lines in the log and to its span.
    `occurrence` is when the first attempt of its run was due, where this is a later one; `wait` is how long a retry had
    to wait, in microseconds; `usage` is there once it has run and ended, made of what is kept of it.
    """

    id: str
    run_id: str
    task: str
    task_id: int
    attempt: int
    status: Status
    due: int
    started: int | None = None
    ended: int | None = None
    error: str | None = None
    event: Event | None = None
    results: Any = None
    cause: str = "schedule"
    retry_at: int | None = None
    failures: int = 0
    trace_id: str | None = None
    occurrence: int | None = None
    wait: int | None = None
    waited: int | None = None
    ran: int | None = None
    cpu: int | None = None
    memory: int | None = None

    @property
    def usage(self) -> Usage | None:
        """What it used; None where it has not both begun and ended, and where a crash cut it off."""
        if self.waited is None or self.ran is None:
            return None
        return Usage(self.waited, self.ran, self.cpu, self.memory)

    @property
    def due_at(self) -> datetime:
        """When it was to start."""
        return to_datetime(self.due)

    @property
    def started_at(self) -> datetime | None:
        """When its function was started."""
        return None if self.started is None else to_datetime(self.started)

    @property
    def ended_at(self) -> datetime | None:
        """When it reached its final state."""
        return None if self.ended is None else to_datetime(self.ended)

    @property
    def took(self) -> int | None:
        """How long it ran, in microseconds; None where it has not both begun and ended. Of one that a crash cut off no
        more is known than the wall clock says."""
        if self.ran is not None:
            return self.ran
        return None if self.started is None or self.ended is None else max(0, self.ended - self.started)


class Program(msgspec.Struct, frozen=True):
    """A program to run: `argv[0]` is looked up on the PATH, nothing goes through a shell.

    `cwd` is its working folder (None: the scheduler's), `env` is added to the scheduler's own environment.
    InvalidTask where `argv` is not a list of text.
    """

    argv: tuple[str, ...]
    cwd: str | None = None
    env: Mapping[str, str] = {}

    def __post_init__(self) -> None:
        """Refuse what can't be started."""
        if isinstance(self.argv, str):
            raise InvalidTask(f"run: {self.argv!r} is text; give a list, such as [sh, -c, {self.argv!r}]")
        argv = tuple(self.argv)
        if not argv or not all(isinstance(word, str) for word in argv) or not argv[0]:
            raise InvalidTask("run: give a list of text with the program first, such as [df, -h, /]")
        for text in (*argv, self.cwd or "", *self.env, *self.env.values()):
            if "\0" in text or (not text.isprintable() and _broken(text)):
                raise InvalidTask(f"run: {text!r} holds a character that no program can be given")
        force_setattr(self, "argv", argv)


def _broken(text: str) -> bool:
    """Whether it holds a half of a surrogate pair."""
    return any("\ud800" <= character <= "\udfff" for character in text)


class Registration(Protocol):
    """What a registered task asks its scheduler for."""

    def next_fire(self, task_id: int) -> datetime | None:
        """When it next comes due by itself."""

    def execution_history(self, name: str) -> list[Execution]:
        """Its executions, newest first."""


_NO_KWARGS: Mapping[str, Any] = MappingProxyType({})
"""Shared by all tasks that name none: a dictionary of its own would be 64 bytes for each."""


class _Called(msgspec.Struct, eq=False):
    """The part of a Task that may be given by position."""

    name: str
    function: Any
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = _NO_KWARGS


class Task(_Called, kw_only=True, eq=False):
    """Work with a name: what to call, when, and what to do when it fails, overlaps or is missed.

    `function` is a coroutine function, a function, `"package.module:name"` or a `Program`. A parameter called `run`
    receives the `Run`. Lengths of time are text ("5m"), seconds or `timedelta`; `priority` is smaller for more urgent
    work; `timeout` counts from the start of an attempt, `heartbeat_timeout` from its last sign of life
    (`run.heartbeat()`, `run.progress()`, a line that a program or process prints); `kill_after` is what a cancelled
    attempt gets to end by itself. `executor="process"` calls the function in a process of its own; None lets its nature
    decide: a coroutine function on a loop, another in a thread. Tasks with the same key in their `concurrency` share
    its limits; a fire waits until all gates that `hold_until` names are open. `durability` None means at_most_once
    where the scheduler has a store and none without one, where nothing else may be asked for. `limits` bound what each
    attempt may use. A `breaker` pauses a task that keeps failing; a success that does not come within
    `expect_success_within`, counted from the last one, is told.

    InvalidTask or InvalidDuration names the field that can't be. `id` is assigned by `add_task`; `parked` says why a
    task can't run, `restored` that only the store brought it back.
    """

    description: str = ""
    triggers: Sequence[Trigger] = ()
    retry_policy: RetryPolicy = NO_RETRY
    enabled: bool = True
    priority: int = 0
    timeout: timedelta | str | float | None = None
    heartbeat_timeout: timedelta | str | float | None = None
    kill_after: timedelta | str | float = timedelta(seconds=10)
    overlap: Overlap | str = Overlap.SKIP
    queue_limit: int = 1
    max_instances: int = 1
    catch_up: CatchUp | str = CatchUp.ONE
    catch_up_limit: int = 1
    catch_up_window: timedelta | str | float | None = None
    durability: Durability | str | None = None
    concurrency: Concurrency | None = None
    hold_until: Sequence[str] = ()
    breaker: Breaker | None = None
    expect_success_within: timedelta | str | float | None = None
    executor: str | None = None
    limits: Limits | None = None
    lane: Lane = Lane.USER
    origin: str = "code"
    parked: str = ""
    restored: bool = False
    id: int | None = None
    _registration: Registration | None = None
    _target: Any = None
    _calling: Any = None

    def __post_init__(self) -> None:
        """Check and normalise each field, then, where a policy is not the default, those against each other."""
        check_name(self.name)
        check_function(self.function)
        if not isinstance(self.triggers, (list, tuple)):
            raise InvalidTask("triggers: give a list, such as [PeriodicTrigger(interval='5m')]")
        self.triggers = tuple(self.triggers)
        for trigger in self.triggers:
            if not isinstance(trigger, OWN_TRIGGERS):
                check_trigger(trigger)
        if self._kinds() != _USUAL_KINDS:
            self._check_kinds()
        if self._policies() != _DEFAULT_POLICIES:
            self._check_policies()
        if self.retry_policy is not NO_RETRY and not self.killable:
            self.retry_policy.check_raising()
        if isinstance(self.function, Program) and (self.args or self.kwargs):
            field = "args" if self.args else "kwargs"
            raise InvalidTask(f"{field}: a program takes its arguments in its own list")
        if not isinstance(self.function, str):
            self._target = self.function

    def __repr__(self) -> str:
        number = "" if self.id is None else f" (ID {self.id})"
        return f"<Task {self.name}{number}: {', '.join(map(str, self.triggers)) or 'on demand'}>"

    def _kinds(self) -> tuple[Any, ...]:
        return (
            type(self.args), type(self.kwargs), type(self.retry_policy), type(self.enabled), type(self.description),
            type(self.lane), type(self.concurrency), self.hold_until,
        )  # fmt: skip

    def _check_kinds(self) -> None:
        for field, kind, what in _KINDS:
            if not isinstance(getattr(self, field), kind):
                raise InvalidTask(f"{field}: {getattr(self, field)!r} is not {what}")
        self._choose("lane", Lane)
        if self.concurrency is not None and not isinstance(self.concurrency, Concurrency):
            raise InvalidTask(f"concurrency: {self.concurrency!r} is not a Concurrency, such as Concurrency('disk')")
        if not isinstance(self.hold_until, (list, tuple)):
            raise InvalidTask(f"hold_until: {self.hold_until!r} is not a list of gates, such as [network]")
        self.hold_until = tuple(dict.fromkeys(map(check_gate_name, self.hold_until)))

    def _policies(self) -> tuple[Any, ...]:
        return (
            self.priority, self.timeout, self.kill_after, self.overlap, self.queue_limit, self.max_instances,
            self.catch_up, self.catch_up_limit, self.catch_up_window, self.durability, self.heartbeat_timeout,
            self.breaker, self.expect_success_within, self.executor, self.limits,
        )  # fmt: skip

    def _check_policies(self) -> None:
        self._choose("overlap", Overlap)
        self._choose("catch_up", CatchUp)
        if self.durability is not None:
            self._choose("durability", Durability)
        for field, lowest in (("queue_limit", 1), ("max_instances", 1), ("catch_up_limit", 1), ("priority", -1000)):
            self._check_whole(field, lowest)
        for field in ("timeout", "heartbeat_timeout", "kill_after", "catch_up_window", "expect_success_within"):
            self._read_duration(field)
        if self.breaker is not None and not isinstance(self.breaker, Breaker):
            raise InvalidTask(f"breaker: {self.breaker!r} is not a Breaker, such as Breaker(failures=5)")
        self._check_running()
        self._check_together()
        check_expectation(self.expect_success_within, self.triggers)

    def _check_running(self) -> None:
        if self.limits is not None and not isinstance(self.limits, Limits):
            raise InvalidTask(f"limits: {self.limits!r} is not a Limits, such as Limits(memory='256MB')")
        if self.limits is not None and not self.killable:
            self.limits.check_process()
        if self.executor is not None and self.executor not in EXECUTORS:
            raise InvalidTask(f"executor: {self.executor!r} is not one of {', '.join(EXECUTORS)}")

    def _choose(self, field: str, choice: type[StrEnum]) -> None:
        value = getattr(self, field)
        if isinstance(value, choice):
            return
        try:
            setattr(self, field, choice(value))
        except ValueError:
            raise InvalidTask(f"{field}: {value!r} is not one of {', '.join(choice)}") from None

    def _check_whole(self, field: str, lowest: int) -> None:
        value = getattr(self, field)
        if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value <= 1_000_000:
            raise InvalidTask(f"{field}: {value!r} is not a whole number from {lowest} to 1000000")

    def _read_duration(self, field: str) -> None:
        value = getattr(self, field)
        if value is not None and not isinstance(value, timedelta):
            setattr(self, field, parse_duration(value, field))

    def _check_together(self) -> None:
        if self.kill_after is None:
            raise InvalidTask("kill_after: None is not a length of time; 0 kills at once")
        if self.timeout == timedelta(0):
            raise InvalidTask("timeout: 0 would end every attempt at once; leave it out for no limit")
        if self.heartbeat_timeout == timedelta(0):
            raise InvalidTask("heartbeat_timeout: 0 would end every attempt at once; leave it out for no limit")
        longest, beat = self.timeout, self.heartbeat_timeout
        if longest is not None and beat is not None and microseconds(beat) >= microseconds(longest):
            raise InvalidTask("heartbeat_timeout: it is no shorter than timeout, which would always come first")
        if self.catch_up_window == timedelta(0):
            raise InvalidTask("catch_up_window: 0 would leave every fire out; to run nothing late say catch_up: none")
        if self.max_instances > 1 and self.overlap is not Overlap.ALLOW:
            raise InvalidTask("max_instances: more than 1 needs overlap: allow")
        if self.queue_limit > 1 and self.overlap is not Overlap.QUEUE:
            raise InvalidTask("queue_limit: more than 1 needs overlap: queue")
        if self.catch_up_limit > 1 and self.catch_up is not CatchUp.ALL:
            raise InvalidTask("catch_up_limit: more than 1 needs catch_up: all")

    @property
    def killable(self) -> bool:
        """Whether it can be ended by force."""
        return isinstance(self.function, Program) or self.executor == "process"

    @property
    def target(self) -> Any:
        """What is called: the function itself, found by `add_task` where `function` is text."""
        return self._target

    @property
    def calling(self) -> "Calling":
        """How it is called; told by `add_task`."""
        calling: Calling = self._calling
        return calling

    def bind(self, target: Any, calling: "Calling") -> None:
        """What is called and how has been found; for `add_task`."""
        self._target, self._calling = target, calling

    @property
    def registered(self) -> bool:
        """Whether a scheduler has taken it in."""
        return self._registration is not None

    def register(self, registration: Registration) -> None:
        """A scheduler has taken it in; for `add_task`."""
        self._registration = registration

    @property
    def next_fire(self) -> datetime | None:
        """When it next comes due by itself; None where it does not, or is not registered."""
        if self._registration is None or self.id is None:
            return None
        return self._registration.next_fire(self.id)

    @property
    def execution_history(self) -> list[Execution]:
        """Its executions, newest first; with a store this reads from it."""
        return [] if self._registration is None else self._registration.execution_history(self.name)

    @property
    def event_triggers(self) -> list[EventTrigger]:
        """Those of its triggers that wait for an event."""
        found = []
        for trigger in self.triggers:
            if isinstance(trigger, EventTrigger):
                found.append(trigger)  # noqa: PERF401 - asked of each task that is added, and a comprehension is slower
        return found


_USUAL_KINDS: tuple[Any, ...] = (tuple, MappingProxyType, RetryPolicy, bool, str, Lane, type(None), ())

_KINDS: tuple[tuple[str, type | tuple[type, ...], str], ...] = (
    ("args", (tuple, list), "a list or a tuple"),
    ("kwargs", Mapping, "a mapping"),
    ("retry_policy", RetryPolicy, "a RetryPolicy"),
    ("enabled", bool, "true or false"),
    ("description", str, "text"),
)

_DEFAULT_POLICIES = (
    0, None, timedelta(seconds=10), Overlap.SKIP, 1, 1, CatchUp.ONE, 1, None, None, None, None, None, None, None,
)  # fmt: skip


def check_name(name: object) -> None:
    """InvalidTask unless it can name a task."""
    if not isinstance(name, str) or not _NAME(name):
        raise InvalidTask(f"name: {name!r} can't name a task; use {_NAME_RULE}")


def check_expectation(within: Any, triggers: Sequence[Trigger]) -> None:
    """InvalidTask where a success is expected sooner than the task comes due by itself."""
    if within is None:
        return
    if within == timedelta(0):
        raise InvalidTask("expect_success_within: 0 can't be kept; leave it out to expect nothing")
    intervals = [length for trigger in triggers if (length := getattr(trigger, "interval", None)) is not None]
    if intervals and len(intervals) == len(triggers) and microseconds(within) < min(intervals):
        raise InvalidTask(
            f"expect_success_within: {duration_text(within)} is shorter than the interval of"
            f" {duration_text(min(intervals))}, so that it would always be overdue"
        )


def check_gate_name(name: Any, field: str = "hold_until") -> str:
    """The name, where it can name a gate; else InvalidTask."""
    if not isinstance(name, str) or not _GATE(name):
        raise InvalidTask(f"{field}: {name!r} can't name a gate; use 1 to 63 of a-z, 0-9 and _, a letter first")
    return name


def check_function(function: object) -> None:
    """InvalidTask unless it can be run."""
    if callable(function) or isinstance(function, Program):
        return
    if isinstance(function, str):
        if not _REFERENCE(function):
            raise InvalidTask(f"function: {function!r} is not of the form package.module:function")
    else:
        raise InvalidTask(f"function: {function!r} is neither a function, package.module:function nor a Program")
