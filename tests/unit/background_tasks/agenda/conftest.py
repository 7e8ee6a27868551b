"""The agenda's world, as plain values: time that goes where a test says, a disk that acknowledges when it is told to,
functions that end when they are told to. What the scheduler's shell does for real is a few lines here."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

import pytest

from dms.adapters.memory import MemoryStore
from dms.background_tasks.agenda.agenda import Agenda
from dms.background_tasks.agenda.decision import (
    Accept,
    Alert,
    AskGate,
    Attempt,
    Cancel,
    Decision,
    End,
    Kill,
    Notice,
    Outcome,
    Refuse,
    Remove,
    Save,
    Skip,
    Start,
    Succeeded,
)
from dms.background_tasks.agenda.recovery import Memory
from dms.background_tasks.asking.recording import Recording
from dms.background_tasks.tasks.task import Event, Execution, Overlap, Task
from dms.background_tasks.triggers.exclusion import Calendar
from dms.instant import Instant, from_datetime, microseconds, to_datetime

WAKEUPS = 20_000
"""More wake-ups than any test needs; beyond them the agenda is going in circles."""


def moment(text: str) -> int:
    """Wall microseconds of a moment; without an offset it is UTC."""
    given = datetime.fromisoformat(text)
    return from_datetime(given if given.tzinfo else datetime.fromisoformat(text + "+00:00"))


class Begun(NamedTuple):
    """A function that was called."""

    task: str
    due: int
    at: Instant
    attempt: int
    cause: str
    id: str
    run_id: str
    event: Event | None


class World:
    """An agenda with all that it needs around it. `busy` names the tasks whose functions run until `finish`; all others
    return at once. While `disk` is "slow" batches wait in `unsaved` for `acknowledge` or `refuse`."""

    def __init__(
        self,
        at: str = "2026-01-05T00:00",
        *,
        stored: bool = True,
        boot_id: str = "boot-1",
        trusted: bool = True,
        record: Callable[[], Recording] | None = None,
        **agenda: Any,
    ) -> None:
        self.now = Instant(moment(at), microseconds("1h"), trusted)
        self.store = MemoryStore()
        self.stored, self.boot_id, self._options, self._record = stored, boot_id, agenda, record
        self.disk = "quick"
        self.busy: set[str] = set()
        self.open_gates: set[str] = set()
        self._next_id = 0
        self._ids: dict[str, int] = {}
        self.begun: list[Begun] = []
        self.ended: list[Execution] = []
        self.skipped: Counter[tuple[str, str]] = Counter()
        self.removed: list[str] = []
        self.alerts: list[Alert] = []
        self.notices: list[tuple[str, str]] = []
        self.said: list[str] = []
        self.answers: dict[Any, Any] = {}
        self.told: list[tuple[str, str]] = []
        self._begin()

    def _begin(self) -> None:
        kept = self.store.load() if self.stored else None
        memory = Memory(kept) if self.stored else None
        self._ids |= {task.name: task.id for task in memory.tasks.values()} if memory else {}
        options = {"stored": self.stored, "boot_id": self.boot_id, **self._options}
        self.agenda = Agenda(self.now, memory=memory, **options)
        if self._record is not None:
            self._record().begin(self.agenda, self.now, options, kept, self.alerts.append)
        self.running: dict[str, Attempt] = {}
        self.unsaved: list[Save] = []

    # ── what is asked of it ──

    def add(self, *tasks: Task) -> None:
        """Register tasks, each under the ID that the store knows for its name, or a new one."""
        for task in tasks:
            self.agenda.add(task, self.id_of(task.name), self.now)
        self.turn()

    def replace(self, task: Task) -> None:
        self.agenda.replace(task, self.id_of(task.name), self.now)
        self.turn()

    def resize(self, slots: int) -> None:
        self._options["slots"] = slots
        self.agenda.resize(slots, self.now)
        self.turn()

    def remove(self, name: str) -> None:
        self.agenda.remove(self._ids.pop(name), self.now)
        self.turn()

    def run(self, name: str, ticket: Any = None, event: Event | None = None, overlap: Overlap | None = None) -> Any:
        """An operator asks for a run; what was answered, where it was answered at once."""
        self.agenda.fire(self.id_of(name), event, self.now, ticket, overlap)
        self.turn()
        return self.answers.get(ticket)

    def emit(self, topic: str, payload: Any = None) -> None:
        self.agenda.emit(Event(topic, payload, self.now.wall), self.now)
        self.turn()

    def keep_to(self, **calendars: Calendar) -> None:
        """These calendars leave fires out from now on."""
        self.agenda.keep_to(calendars, self.now)
        self._options["calendars"] = calendars
        self.turn()

    def pause(self, name: str | None = None, until: str | None = None) -> None:
        task_id = None if name is None else self.id_of(name)
        self.agenda.pause(task_id, None if until is None else moment(until), "", self.now)
        self.turn()

    def resume(self, name: str | None = None) -> None:
        self.agenda.resume(None if name is None else self.id_of(name), self.now)
        self.turn()

    def skip_next(self, name: str, skip: bool = True) -> None:
        self.agenda.skip_next(self.id_of(name), skip, self.now)
        self.turn()

    def backfill(self, name: str, *dues: str, ticket: Any = None) -> None:
        for due in dues:
            self.agenda.backfill(self.id_of(name), moment(due), self.now, ticket)
        self.turn()

    def id_of(self, name: str) -> int:
        if name not in self._ids:
            self._next_id = max([self._next_id, *self._ids.values()]) + 1
            self._ids[name] = self._next_id
        return self._ids[name]

    # ── what happens to it ──

    def sleep(self, length: str) -> None:
        """Time goes by without a single turn, as in a suspend."""
        self.now = self.now.ahead(microseconds(length))

    def go(self, length: str) -> None:
        """Time goes by; the agenda is woken whenever it wants to be."""
        self.go_to_boot(self.now.boot + microseconds(length))

    def go_until(self, text: str) -> None:
        self.go_to_boot(self.now.boot + moment(text) - self.now.wall)

    def go_to_boot(self, boot: int) -> None:
        for _ in range(WAKEUPS):
            wakeup = self.agenda.next_wakeup()
            if wakeup is None or wakeup.boot > boot:
                break
            self.now = self.now.ahead(max(0, wakeup.boot - self.now.boot))
            self.turn()
        else:
            raise AssertionError("the agenda goes in circles")
        self.now = self.now.ahead(boot - self.now.boot)
        self.turn()

    def set_wall(self, text: str, trusted: bool | None = None) -> None:
        """Somebody sets the wall clock, and may know that it is right now."""
        self.now = Instant(moment(text), self.now.boot, self.now.trusted if trusted is None else trusted)
        self.turn()

    def trust(self) -> None:
        """The wall clock is known to be right, as it is."""
        self.now = Instant(self.now.wall, self.now.boot)
        self.turn()

    def finish(self, name: str, outcome: Outcome | None = None) -> None:
        """The function of a task returns, the longest running first."""
        attempt = next(attempt for attempt in self.running.values() if attempt.task.name == name)
        self._finish(attempt, outcome or Succeeded())
        self.turn()

    def _finish(self, attempt: Attempt, outcome: Outcome) -> None:
        del self.running[attempt.id]
        self.agenda.attempts.finished(attempt.id, outcome, self.now)

    def acknowledge(self) -> None:
        """The oldest batch is on disk."""
        self._write()
        self.turn()

    def _write(self) -> None:
        save = self.unsaved.pop(0)
        self.store.save(save.changes).result()
        self.agenda.attempts.saved(save.batch, self.now)

    def refuse(self) -> None:
        """The oldest batch could not be written."""
        self.agenda.attempts.save_failed(self.unsaved.pop(0).batch, "the disk is full", self.now)
        self.turn()

    def crash(self, *, down: str = "0s", reboot: bool = False, wakes_in: str | None = None) -> None:
        """The process is gone at once, and another begins: what is not on disk is lost. A machine that `wakes_in` some
        moment has no clock that goes on while it is off."""
        self.store.close()
        self.now = self.now.ahead(microseconds(down))
        if reboot or wakes_in:
            self.boot_id += "'"
            wall = moment(wakes_in) if wakes_in else self.now.wall
            self.now = Instant(wall, microseconds("30s"), self.now.trusted and not wakes_in)
        self._begin()

    # ── its shell ──

    def turn(self) -> None:
        """Have the agenda decide, and carry it out, until nothing new comes of it."""
        while decisions := self.agenda.advance(self.now):
            for decision in decisions:
                self._carry_out(decision)
                if isinstance(decision, AskGate) and decision.gate in self.open_gates:
                    self.agenda.observe({decision.gate: True}, self.now)
            while self.unsaved and self.disk == "quick":
                self._write()

    def _carry_out(self, decision: Decision) -> None:
        match decision:
            case Start(attempt):
                self._start(attempt)
            case Save():
                self.unsaved.append(decision)
            case End(execution):
                self.ended.append(execution)
            case Skip(task, reason, count):
                self.skipped[task, reason] += count
            case Remove(_, name):
                self.removed.append(name)
            case Alert():
                self.alerts.append(decision)
            case Notice(task, kind, text):
                self.notices.append((task, kind))
                self.said.append(text)
            case Cancel(execution_id) | Kill(execution_id):
                self.told.append((type(decision).__name__.lower(), execution_id))
            case Accept(ticket, answer) | Refuse(ticket, answer):
                self.answers[ticket] = answer

    def _start(self, attempt: Attempt) -> None:
        self.begun.append(
            Begun(
                attempt.task.name, attempt.due, self.now, attempt.attempt, attempt.cause, attempt.id, attempt.run_id,
                attempt.event,
            )
        )  # fmt: skip
        self.running[attempt.id] = attempt
        if attempt.task.name not in self.busy:
            self._finish(attempt, Succeeded())

    # ── what came of it ──

    def runs(self, name: str) -> list[str]:
        """When a task's functions were called, by the wall clock in UTC."""
        return [told(begun.at.wall) for begun in self.begun if begun.task == name]

    def labels(self, name: str) -> list[str]:
        """For when its runs were due."""
        return [told(begun.due) for begun in self.begun if begun.task == name]

    def causes(self, name: str) -> list[str]:
        return [begun.cause for begun in self.begun if begun.task == name]

    def order(self) -> list[str]:
        return [begun.task for begun in self.begun]

    def ends(self, name: str) -> list[str]:
        return [execution.status.value for execution in self.ended if execution.task == name]

    def findings(self) -> dict[tuple[str, str], str]:
        """What the alerts come to, by code and subject."""
        found = {(alert.code, alert.subject): alert.message for alert in self.alerts}
        return {key: message for key, message in found.items() if message}

    def next_fire(self, name: str) -> str | None:
        due = self.agenda.planning.next_due(self.agenda.entries[self.id_of(name)])
        return None if due is None else told(due)

    def in_store(self, name: str) -> list[str]:
        """What the disk has of a task's executions, oldest first."""
        kept = sorted(self.store._executions.items())
        return [execution.status.value for _, execution in kept if execution.task == name]


def told(wall: int) -> str:
    """A moment in UTC, as short as it can be said."""
    moment = to_datetime(wall)
    precision = "microseconds" if wall % 1_000_000 else "seconds" if wall % 60_000_000 else "minutes"
    return moment.replace(tzinfo=None).isoformat(timespec=precision)


@pytest.fixture(scope="session")
def make_world() -> Callable[..., World]:
    """`make_world("2026-01-05T00:00", stored=…, slots=…)` gives a World at that moment, in UTC."""
    return World


@pytest.fixture
def world() -> World:
    """A world on a Monday at midnight UTC, with a store and four slots."""
    return World()
