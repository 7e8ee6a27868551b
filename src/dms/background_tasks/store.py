"""ExecutionStore: what the scheduler needs from a disk. `dms.adapters` has the implementations."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from dms.background_tasks.tasks.task import Execution

if TYPE_CHECKING:
    from concurrent.futures import Future


class Mark(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """How far one time trigger has come.

    `anchor` is the wall time that intervals and delays count from, `anchor_boot` the same moment in boot time while the
    machine runs under `boot_id`. `done` is the number of the last interval that fired, or the wall time of the last
    calendar fire. `doubt` is there while the wall clock that it was taken by is not trusted. `runs` counts those of a
    trigger that has a `max_runs`.
    """

    anchor: int
    anchor_boot: int
    boot_id: str
    done: int
    doubt: "Doubt | None" = None
    runs: int = 0


class Doubt(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """That the wall clock was not trusted: its distance from boot time then, the mark that was taken `before`, by a
    clock that was, and whether anything has `fired` since that."""

    offset: int
    before: Mark | None = None
    fired: bool = False


BREAKER = "breaker"
"""By whom a task is paused whose breaker is open."""

QUARANTINE = "quarantine"
"""By whom a task is paused that was running in one crash after another."""


class Pause(msgspec.Struct, frozen=True):
    """A task is held back: since when, until when (wall microseconds; None: until resumed), why, and `by` whom (empty:
    an operator)."""

    since: int
    until: int | None = None
    reason: str = ""
    by: str = ""


class Watched(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """How a task's runs have ended lately: how many failed in a row, in how many crashes in a row it was running, and
    when (wall) it last succeeded, or was first expected to; 0 where nobody expects it to."""

    failures: int = 0
    crashes: int = 0
    since: int = 0


class Skipped(msgspec.Struct, frozen=True, gc=False):
    """Fires of a task that did not run, one after another and for the same reason: how many, for what moments (none
    lies before `first` or after `last`), and when that was last decided; all in wall microseconds. `why` says more than
    the reason; `since` is when the pause began, or the operator asked, that it was due to."""

    reason: str
    first: int
    last: int
    count: int
    at: int
    why: str = ""
    since: int | None = None


class Life(msgspec.Struct, frozen=True, gc=False):
    """A process that used the store: the number of its start, when it began, when it was last heard of (wall), and
    whether it stopped by itself then."""

    start: int
    began: int
    seen: int
    stopped: bool = False


class Pace(msgspec.Struct, frozen=True):
    """When a task started lately, as far as the rate of its key counts it: in boot time, while the machine runs under
    `boot_id`; `offset` was wall minus boot time then."""

    starts: tuple[int, ...]
    boot_id: str
    offset: int


class TaskState(msgspec.Struct, frozen=True):
    """What the scheduler remembers of a task beside its definition.

    `finished` is the number of the process start in which a one-time task ended; None while it lives. `skip_next` is
    when (wall) an operator asked to leave its next fire out, None where nobody did. `skips` are the latest fires that
    did not run, oldest first; `pace` is there where its key has a rate, `saved` what runs of
    it have saved, as JSON, by run, `watched` how its runs have ended, where that matters.
    """

    marks: tuple[Mark, ...] = ()
    pause: Pause | None = None
    skipped: Mapping[str, int] = {}
    finished: int | None = None
    skip_next: int | None = None
    skips: tuple[Skipped, ...] = ()
    pace: Pace | None = None
    saved: Mapping[str, bytes] = {}
    watched: Watched | None = None


class StoredTask(msgspec.Struct, frozen=True):
    """A task as it is kept: its definition in plain values (see `definition.py`) and its state."""

    id: int
    name: str
    definition: Mapping[str, Any]
    state: TaskState


class PutTask(msgspec.Struct, frozen=True):
    """Keep a task, new or changed."""

    task: StoredTask


class PutState(msgspec.Struct, frozen=True):
    """Keep a task's state; its definition stays."""

    task_id: int
    state: TaskState


class DropTask(msgspec.Struct, frozen=True):
    """Forget a task; its executions stay."""

    task_id: int


class PutExecution(msgspec.Struct, frozen=True, gc=False):
    """Keep an execution as it is now; a later one of the same ID replaces it."""

    execution: Execution


class PutSchedulerPause(msgspec.Struct, frozen=True):
    """Keep that the scheduler as a whole is held back, or (None) is not."""

    pause: Pause | None


class PutLife(msgspec.Struct, frozen=True):
    """Keep of a process what is known of it now."""

    life: Life


Change = PutTask | PutState | DropTask | PutExecution | PutSchedulerPause | PutLife

LIVES = 100
"""Processes of which a store remembers when they lived, the latest."""


class Stored(msgspec.Struct, frozen=True):
    """All that a scheduler needs to go on: tasks, executions without a final state, the last execution of each task
    (by task ID), the highest task ID ever given, `starts`, the number of this process start (1 at the first), and the
    `lives` of earlier processes, oldest first."""

    tasks: Sequence[StoredTask]
    unfinished: Sequence[Execution]
    last: Mapping[int, Execution]
    highest_task_id: int
    starts: int
    pause: Pause | None = None
    lives: Sequence[Life] = ()


class Query(msgspec.Struct, frozen=True):
    """Executions to look up: of a task by name (None: of all), newest first, at most `limit`, older than the execution
    whose ID is `before`."""

    task: str | None = None
    limit: int = 50
    before: str | None = None


class ExecutionStore(Protocol):
    """Keeps tasks and executions. Every method may be called from any thread; none blocks but `load` and `close`."""

    def load(self) -> Stored:
        """Everything a scheduler needs at its start, once between open and close; counts the start. StoreError where
        it can't."""
        ...

    def save(self, changes: Sequence[Change]) -> "Future[None]":
        """Write the changes in one transaction, in the order of the calls; on disk when the future is done.
        The future fails with a StoreError, and then nothing of it was written."""
        ...

    def executions(self, query: Query) -> "Future[list[Execution]]":
        """Look executions up, by a reader that waits for no writer. NotFound where `before` names none."""
        ...

    def retain(self, max_age: int, max_count: int, now: int, max_size: int | None = None) -> "Future[int]":
        """Delete final executions that ended more than `max_age` microseconds before `now` (wall) or beyond the newest
        `max_count` of their task, and then the oldest while all take more than `max_size` bytes, in small steps; never
        a task's last. Gives how many."""
        ...

    def oldest(self) -> "Future[Mapping[str, str]]":
        """The ID of the oldest execution that is kept of each task, by the task's name."""
        ...

    def close(self) -> None:
        """Write what is still queued, then let the file go. StoreError where that takes too long."""
        ...
