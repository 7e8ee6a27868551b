"""What the agenda decides, and what the world answers. Plain values; the scheduler carries them out."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from dms.background_tasks.store import Change
from dms.background_tasks.tasks.task import Event, Execution, Status

if TYPE_CHECKING:
    from dms.background_tasks.agenda.entry import Entry


BACKFILL = "backfill"
"""The cause of a run that an operator wants for a past fire."""

CRASH = "crash"
"""The cause of a run that a crash cut off and that goes on."""


class Ticket(Protocol):
    """Through which whoever asked for a run is answered. The agenda hands it on and calls nothing of it; to everybody
    else it is a `Handle`. Its `link`, if any, is the `traceparent` of the span within which it was asked for."""

    def accept(self, execution: Execution) -> None:
        """The run is taken on."""
        ...

    def refuse(self, message: str) -> None:
        """It is not taken on."""
        ...

    def end(self, execution: Execution) -> None:
        """It has its final state."""
        ...

    def give_up(self) -> None:
        """The scheduler stops before it has ended."""
        ...


class Attempt:
    """An execution that is not over: what an executor needs to know, and what the agenda keeps about it. `occurrence`
    is the moment that its run is for: when its first attempt was due. `ready` is the boot time as of which it may
    start, `began` that at which it did, `wait` how long a retry waits, `beat` the boot time of the last sign of life,
    `cpu` and `memory` what its executor has counted of processor time (microseconds) and of memory (bytes), `lane`
    whose slots it uses.
    `trace_id` is of the trace that it begins, where its host wants one, `link` the `traceparent` of what led to it."""

    __slots__ = (
        "attempt", "beat", "began", "cause", "cpu", "due", "ending", "entry", "event", "failed", "failures", "id",
        "in_store", "killed", "lane", "link", "memory", "occurrence", "over", "ready", "reason", "run_id", "started",
        "status", "task", "ticket", "trace_id", "wait",
    )  # fmt: skip

    def __init__(
        self,
        entry: "Entry",
        execution_id: str,
        due: int,
        cause: str,
        event: Event | None,
        ticket: Ticket | None = None,
    ) -> None:
        self.entry, self.task = entry, entry.task
        self.id = self.run_id = execution_id
        self.due, self.cause, self.event, self.ticket = due, cause, event, ticket
        self.occurrence = due
        self.attempt, self.failures = 1, 0
        self.lane, self.ready = self.task.lane, 0
        self.status = Status.WAITING
        self.started: int | None = None
        self.wait: int | None = None
        self.beat = 0
        self.began: int | None = None
        self.cpu: int | None = None
        self.memory: int | None = None
        self.ending: Status | None = None
        self.reason: str | None = None
        self.failed: Failed | None = None
        self.in_store = self.killed = self.over = False
        self.trace_id: str | None = None
        self.link: str = getattr(ticket, "link", "")

    @property
    def backfills(self) -> bool:
        """Whether it makes up for a past fire because an operator wants that."""
        return self.cause == BACKFILL

    @property
    def waited(self) -> int:
        """How long it took to start once it might; 0 where it did not."""
        return 0 if self.began is None else self.began - self.ready

    @property
    def traceparent(self) -> str:
        """Its span, the first of its trace, as others are told of it (see `dms.trace`); empty where it has none."""
        return "" if self.trace_id is None else f"00-{self.trace_id}-{self.trace_id[16:]}-01"

    def execution(
        self,
        ended: int | None = None,
        error: str | None = None,
        results: Any = None,
        retry_at: int | None = None,
        boot: int = 0,
    ) -> Execution:
        """The attempt as others see it; one that is over ended at the boot time `boot`."""
        began = self.began
        waited, ran = (None, None) if began is None or ended is None else (began - self.ready, boot - began)
        return Execution(
            self.id, self.run_id, self.task.name, self.entry.id, self.attempt, self.status, self.due, self.started,
            ended, error, self.event, results, self.cause, retry_at, self.failures, self.trace_id,
            None if self.occurrence == self.due else self.occurrence, self.wait,
            waited, ran, self.cpu, self.memory,
        )  # fmt: skip


class Succeeded(msgspec.Struct, frozen=True, gc=False):
    """The function returned."""

    results: Any = None


class Failed(msgspec.Struct, frozen=True):
    """The function raised, or the program ended with another status than 0. `kinds` are the names of the error's
    classes, or how the program ended; it wants to be tried again in `retry_after` microseconds, or `gives_up`."""

    error: str
    results: Any = None
    kinds: tuple[str, ...] = ()
    retry_after: int | None = None
    gives_up: bool = False


class Cancelled(msgspec.Struct, frozen=True):
    """It ended because it was told to."""

    results: Any = None


Outcome = Succeeded | Failed | Cancelled


class Start(msgspec.Struct, frozen=True, gc=False):
    """Call the function now."""

    attempt: Attempt


class Cancel(msgspec.Struct, frozen=True):
    """Tell it to end: cancel the coroutine, set `run.cancelled`, TERM the process group."""

    execution_id: str


class Kill(msgspec.Struct, frozen=True):
    """End it by force, where that can be done."""

    execution_id: str


class Save(msgspec.Struct, frozen=True):
    """Write the changes in one transaction, then tell `saved(batch)` or `save_failed(batch)`."""

    batch: int
    changes: Sequence[Change]


class Accept(msgspec.Struct, frozen=True):
    """What an operator asked for is on its way."""

    ticket: Ticket
    execution: Execution


class Refuse(msgspec.Struct, frozen=True):
    """What an operator asked for can't be now; the message says why."""

    ticket: Ticket | None
    message: str


class End(msgspec.Struct, frozen=True, gc=False):
    """An attempt is over and, where it had to be, on disk. `final`: no other attempt of its run follows."""

    execution: Execution
    final: bool
    ticket: Ticket | None = None


class Skip(msgspec.Struct, frozen=True):
    """So many fires of a task don't run, and why: missed, overlap, paused, limit, gate, skipped (by an
    operator)."""

    task: str
    reason: str
    count: int


class Notice(msgspec.Struct, frozen=True):
    """Something about a task that whoever listens should know: its breaker has opened (`tripped`) or `closed`, its
    success is `overdue`, it is `quarantined`."""

    task: str
    kind: str
    text: str


class AskGate(msgspec.Struct, frozen=True):
    """Somebody waits for a gate: tell `observe` whether it is open, now and whenever that changes."""

    gate: str


class LeaveGate(msgspec.Struct, frozen=True):
    """Nobody waits for a gate any more."""

    gate: str


class Remove(msgspec.Struct, frozen=True):
    """A task is gone: it was removed, or its one time is over."""

    task_id: int
    name: str


class Alert(msgspec.Struct, frozen=True):
    """Something wants a look (see `dms.health.Finding`); an empty message takes it back."""

    code: str
    subject: str
    message: str


Decision = Start | Cancel | Kill | Save | Accept | Refuse | End | Skip | Notice | Remove | Alert | AskGate | LeaveGate
