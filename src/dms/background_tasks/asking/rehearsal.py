"""The users' tasks on a simulated clock: the same agenda decides, functions take as long as they are expected to, and
nothing runs. Pure."""

from collections import Counter
from collections.abc import Mapping
from heapq import heappop, heappush

import msgspec

from dms.background_tasks.agenda.agenda import Agenda
from dms.background_tasks.agenda.decision import (
    AskGate,
    Attempt,
    Cancel,
    Cancelled,
    Decision,
    Kill,
    Skip,
    Start,
    Succeeded,
)
from dms.background_tasks.agenda.entry import Entry
from dms.background_tasks.tasks.task import Execution, Lane, Status
from dms.instant import Instant

MOST_RUNS = 20_000
"""Runs that a rehearsal goes through at most; it ends early where there are more."""

MOST_TASKS = 10_000
"""Tasks that a rehearsal has at most, the oldest of those that may come."""

MOST_TURNS = 5 * MOST_RUNS
"""How often its clock is moved on at most."""


class ComingRun(msgspec.Struct, frozen=True, gc=False):
    """A run that is to come: for what moment and when it will start (wall), for how long it waits for a slot before
    that, and how long it is expected to take (None: nobody knows); in microseconds."""

    task: str
    due: int
    start: int
    waits: int
    length: int | None
    cause: str


class Full(msgspec.Struct):
    """While all slots are taken: from when until when (wall), and how many runs had to wait for one."""

    since: int
    until: int
    waited: int = 0


class Rehearsal:
    """A copy of those tasks of the users that may come until a wall time, as they stand `now`, to be played once.
    `unseen` is how many there are beyond the most. `runs` are those that start then, `skipped` counts fires that don't,
    by task and reason, `full` is when all slots are taken."""

    def __init__(self, agenda: Agenda, slots: int, aging_quantum: int, now: Instant, until: int) -> None:
        boot_id = agenda.attempts.ledger.boot_id
        self.agenda = Agenda(now, slots=slots, aging_quantum=aging_quantum, boot_id=boot_id)
        self.slots, self.now, self.until = slots, now, until
        self.unseen = 0
        self._began = now
        self.runs: list[ComingRun] = []
        self.skipped: Counter[tuple[str, str]] = Counter()
        self.full: list[Full] = []
        self._is_full = False
        self._lengths: Mapping[str, int] = {}
        self._ends: list[tuple[int, str]] = []
        self._under_way: dict[str, int] = {}
        self._copy(agenda)

    def _copy(self, agenda: Agenda) -> None:
        self.agenda.follow(agenda, self.now)
        coming = [entry for entry in agenda.entries.values() if entry.task.lane is Lane.USER and self._may_come(entry)]
        self.unseen = max(0, len(coming) - MOST_TASKS)
        for entry in coming[:MOST_TASKS]:
            self.agenda.take_over(entry, self.now)
        unfinished = list(agenda.attempts.live.values())
        for attempt in unfinished:
            if attempt.status is not Status.WAITING:
                self._copy_attempt(attempt)
        self.agenda.attempts.dispatch(self.now)  # what runs has its slots before anybody else wants one
        for attempt in unfinished:
            if attempt.status is Status.WAITING:
                self._copy_attempt(attempt)

    def _may_come(self, entry: Entry) -> bool:
        if not entry.idle or (entry.topics and entry.runs_by_itself):
            return True
        limits = self.until - self._began.wall + self._began.boot, self.until
        dues = [(timetable.due, limits[timetable.on_wall]) for timetable in entry.timetables]
        return entry.runs_by_itself and any(due is not None and due <= limit for due, limit in dues)

    def _copy_attempt(self, attempt: Attempt) -> None:
        entry = self.agenda.entries.get(attempt.entry.id)
        if entry is None:
            return
        due = attempt.due if attempt.started is None else self.now.wall  # what has begun can't be too late any more
        twin = Attempt(entry, self.agenda.attempts.next_id(), due, attempt.cause, attempt.event)
        if attempt.started is not None:
            self._under_way[twin.id] = attempt.started
        if attempt in (attempt.entry.retries or ()):
            self.agenda.attempts.wait_to_retry(twin, attempt.ready)
        else:
            self.agenda.attempts.admit(entry, twin, self.now)

    def last_executions(self) -> list[tuple[str, Execution | None]]:
        """Of each of its tasks the name and the last execution."""
        return [(entry.task.name, entry.last) for entry in self.agenda.entries.values()]

    def play(self, lengths: Mapping[str, int]) -> int:
        """Let the clock go from one thing that happens to the next, until the end, or until it is too much; runs take
        the `lengths` (microseconds) of their tasks. The wall time that was reached."""
        self._lengths = lengths
        self._turn()
        for _ in range(MOST_TURNS):
            boot = self._next()
            if boot is None or self._began.wall + boot - self._began.boot >= self.until:
                return self._close(self.until)
            if len(self.runs) >= MOST_RUNS:
                break
            self.now = self._began.ahead(max(boot, self.now.boot) - self._began.boot)
            self._end_what_is_over()
            self._turn()
        return self._close(self.now.wall)

    def _next(self) -> int | None:
        wakeup = self.agenda.next_wakeup()
        boots = [] if wakeup is None else [wakeup.boot]
        return min(boots + [boot for boot, _ in self._ends[:1]], default=None)

    def _end_what_is_over(self) -> None:
        while self._ends and self._ends[0][0] <= self.now.boot:
            self.agenda.attempts.finished(heappop(self._ends)[1], Succeeded(), self.now)

    def _turn(self) -> None:
        while decisions := self.agenda.advance(self.now):
            self._carry_out(decisions)
        full = self.agenda.attempts.running_count() >= self.slots
        if full and not self._is_full:
            self.full.append(Full(self.now.wall, self.now.wall))
        elif self._is_full and not full:
            self.full[-1].until = self.now.wall
        self._is_full = full

    def _close(self, reached: int) -> int:
        if self._is_full:
            self.full[-1].until = reached
        self.full = [full for full in self.full if full.until > full.since]
        return reached

    def _carry_out(self, decisions: list[Decision]) -> None:
        for decision in decisions:
            match decision:
                case Start(attempt):
                    self._start(attempt)
                case Cancel(execution_id) | Kill(execution_id):
                    self.agenda.attempts.finished(execution_id, Cancelled(), self.now)
                case AskGate(gate):
                    self.agenda.observe({gate: True}, self.now)
                case Skip(task, reason, count):
                    self.skipped[task, reason] += count

    def _start(self, attempt: Attempt) -> None:
        name, now = attempt.task.name, self.now.wall
        length, started = self._lengths.get(name), self._under_way.pop(attempt.id, None)
        if started is None:
            self.runs.append(ComingRun(name, attempt.due, now, attempt.waited, length, attempt.cause))
            if attempt.waited and self.full:
                self.full[-1].waited += 1
        over = (now if started is None else started) + (length or 0)
        attempt.beat = self.now.boot + max(0, over - now)  # it gives signs of life as long as it runs
        heappush(self._ends, (attempt.beat, attempt.id))
