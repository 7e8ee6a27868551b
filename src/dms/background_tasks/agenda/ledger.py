"""What has to be on disk, and what waits for it: changes are gathered, handed out as a batch, acknowledged. Pure.

Only the latest state of a thing is written. What a failed batch held is gathered again, except where there is something
newer of it.
"""

from typing import Any

from msgspec.structs import replace

from dms.background_tasks.agenda.decision import Accept, Attempt, End, Save
from dms.background_tasks.agenda.entry import Entry
from dms.background_tasks.store import (
    Change,
    DropTask,
    Life,
    Pause,
    PutExecution,
    PutLife,
    PutSchedulerPause,
    PutState,
    PutTask,
    StoredTask,
)
from dms.background_tasks.tasks.task import Execution
from dms.instant import SECOND

SEEN = 60 * SECOND
"""How exactly a store knows until when a process lived that did not stop by itself, while there is anything to save."""


class Batch:
    """Changes that go into one transaction, and what may happen once they are on disk."""

    __slots__ = ("accepts", "dropped", "ends", "entries", "executions", "life", "pause", "starts", "tasks")

    def __init__(self) -> None:
        self.executions: dict[str, Execution] = {}
        self.entries: dict[Entry, bool] = {}
        self.tasks: dict[int, StoredTask] = {}
        self.dropped: dict[int, None] = {}
        self.pause: tuple[Pause | None] | None = None
        self.life: Life | None = None
        self.accepts: list[Accept] = []
        self.starts: list[Attempt] = []
        self.ends: list[End] = []

    def changes(self, boot_id: str) -> list[Change]:
        """As the store takes them: what is forgotten first, for it may have come again since; then tasks, so that
        executions find them."""
        found: list[Change] = [DropTask(task_id) for task_id in self.dropped]
        found += [PutTask(task) for task in self.tasks.values()]
        for entry, whole in self.entries.items():
            found.append(PutTask(entry.stored(boot_id)) if whole else PutState(entry.id, entry.state(boot_id)))
        found += [PutExecution(execution) for execution in self.executions.values()]
        if self.pause is not None:
            found.append(PutSchedulerPause(*self.pause))
        if self.life is not None:
            found.append(PutLife(self.life))
        return found

    def take_back(self, older: "Batch") -> None:
        """Add what an older, failed batch held, except what this one holds as it is now."""
        self.executions = older.executions | self.executions
        for entry, whole in older.entries.items():
            if not entry.removed:
                self.entries[entry] = whole or self.entries.get(entry, False)
        self.tasks = {key: task for key, task in older.tasks.items() if key not in self.dropped} | self.tasks
        self.dropped = older.dropped | self.dropped
        self.pause = self.pause or older.pause
        self.life = self.life or older.life
        self.accepts = older.accepts + self.accepts
        self.ends = older.ends + self.ends


class Ledger:
    """Gathers changes into batches. One batch is under way at a time, for a later one may build on what an earlier one
    holds (a mark on its run) and must not outlive it. `failing` while the store refuses them: then no new batch goes
    out by itself."""

    __slots__ = ("_batch", "_heard", "_life", "_number", "_under_way", "boot_id", "failing")

    def __init__(self, boot_id: str) -> None:
        self.boot_id = boot_id
        self._batch = Batch()
        self._number = 0
        self._under_way: Batch | None = None
        self.failing = False
        self._life: Life | None = None
        self._heard = False

    def execution(self, execution: Execution) -> None:
        """An execution as it is now."""
        self._batch.executions[execution.id] = execution

    def start(self, attempt: Attempt, execution: Execution) -> None:
        """An attempt that starts once this is on disk."""
        self._batch.executions[execution.id] = execution
        self._batch.starts.append(attempt)

    def accept(self, accept: Accept) -> None:
        """A run that is promised to whoever asked for it once this is on disk."""
        self._batch.accepts.append(accept)

    def end(self, end: End) -> None:
        """An end that counts once it is on disk."""
        self._batch.executions[end.execution.id] = end.execution
        self._batch.ends.append(end)

    def state(self, entry: Entry) -> None:
        """The state of a task has changed."""
        self._batch.entries.setdefault(entry, False)

    def task(self, entry: Entry) -> None:
        """A task is new, or its definition has changed."""
        self._batch.entries[entry] = True

    def keep(self, task: StoredTask) -> None:
        """What is kept of a task that is not there: of a one-time task that is over, of one that is yet to come."""
        self._batch.tasks[task.id] = task

    def drop(self, task_id: int) -> None:
        """A task is forgotten."""
        self._batch.tasks.pop(task_id, None)
        self._batch.dropped[task_id] = None

    def pause(self, pause: Pause | None) -> None:
        """The scheduler as a whole is held back, or is not."""
        self._batch.pause = (pause,)

    def lives(self, life: Life) -> None:
        """This process has begun: what is saved says now and then that it still lives."""
        self._life = life

    def stops(self, now: int) -> None:
        """This process ends by itself: that is saved too, although nothing else may be."""
        if self._life is not None:
            self._life = self._batch.life = replace(self._life, seen=now, stopped=True)

    def forget(self, entry: Entry) -> None:
        """Its state needs no saving any more."""
        self._batch.entries.pop(entry, None)

    @property
    def busy(self) -> bool:
        """Whether a batch is under way."""
        return self._under_way is not None

    def flush(self, again: bool = False, now: int | None = None) -> Save | None:
        """The gathered changes as a batch that has to be saved; None where there are none, while another is under way,
        or while saves fail (unless `again`, which tries); `now` is the wall clock's time, where that is to be kept."""
        if self._under_way is not None or (self.failing and not again):
            return None
        batch = self._batch
        changes = batch.changes(self.boot_id)
        if not changes:
            self.failing = False
            return None
        if self._life is not None and now is not None and self._is_heard_of(self._life, now):
            self._life = replace(self._life, seen=now)
            self._heard = True
            changes.append(PutLife(self._life))
        self._batch = Batch()
        self._number += 1
        self._under_way = batch
        return Save(self._number, changes)

    def _is_heard_of(self, life: Life, now: int) -> bool:
        late = not self._heard or life.stopped or abs(now - life.seen) >= SEEN
        return late and self._batch.life is None

    def tickets(self) -> list[Any]:
        """The tickets of all that is not on disk yet."""
        batches = (self._batch,) if self._under_way is None else (self._under_way, self._batch)
        ends = [end.ticket for batch in batches for end in batch.ends]
        return ends + [accept.ticket for batch in batches for accept in batch.accepts]

    def saved(self, number: int) -> Batch:
        """That batch is on disk."""
        self.failing = False
        return self._land(number)

    def failed(self, number: int) -> list[Attempt]:
        """That batch could not be written; everything of it is gathered again but its starts, which are given back."""
        self.failing = True
        batch = self._land(number)
        starts, batch.starts = batch.starts, []
        self._batch.take_back(batch)
        return starts

    def _land(self, number: int) -> Batch:
        batch, self._under_way = self._under_way, None
        assert batch is not None
        assert number == self._number
        return batch
