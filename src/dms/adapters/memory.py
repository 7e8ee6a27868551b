"""MemoryStore: the same promises as a file, but for the one that it outlives the process."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from threading import Lock
from typing import TypeVar

from msgspec.structs import replace

from dms.adapters.record import (
    Number,
    decode_pause,
    decode_state,
    decode_task,
    encode_definition,
    encode_pause,
    encode_state,
    execution_of,
    number_of,
    row_of,
)
from dms.adapters.retention import ROW
from dms.background_tasks.store import (
    LIVES,
    Change,
    DropTask,
    Life,
    Pause,
    PutExecution,
    PutLife,
    PutSchedulerPause,
    PutState,
    PutTask,
    Query,
    Stored,
    StoredTask,
)
from dms.background_tasks.tasks.task import Execution
from dms.errors import DmsError, Misuse, NotFound, StoreError

_Answer = TypeVar("_Answer")


class MemoryStore:
    """An ExecutionStore for tests and for programs that want a history but no file. What it held is still there when it
    is closed and loaded anew, as after a restart. Values come back in the plain form that a file would give them."""

    def __init__(self) -> None:
        self._tasks: dict[int, StoredTask] = {}
        self._executions: dict[Number, Execution] = {}
        self._pause: Pause | None = None
        self._highest_task_id = 0
        self._starts = 0
        self._lives: dict[int, Life] = {}
        self._open = False
        self._lock = Lock()

    def load(self) -> Stored:
        """What is in it; counts the start. Misuse where it is open already."""
        with self._lock:
            if self._open:
                raise Misuse("load: the store is open; close it first")
            self._open = True
            self._starts += 1
            return Stored(
                tasks=[self._tasks[task_id] for task_id in sorted(self._tasks)],
                unfinished=[execution for execution in self._in_order() if not execution.status.final],
                last=self._last_of_tasks(),
                highest_task_id=self._highest_task_id,
                starts=self._starts,
                pause=self._pause,
                lives=[self._lives[start] for start in sorted(self._lives)][-LIVES:],
            )

    def save(self, changes: Sequence[Change]) -> Future[None]:
        """Keep the changes, all or none; the future is done at once, or failed with a StoreError."""
        return self._done(lambda: self._apply([_as_kept(change) for change in changes]))

    def executions(self, query: Query) -> Future[list[Execution]]:
        """Look executions up. NotFound where `before` names none."""
        return self._done(lambda: self._find(query))

    def retain(self, max_age: int, max_count: int, now: int, max_size: int | None = None) -> Future[int]:
        """Delete final executions that ended more than `max_age` microseconds before `now` (wall) or beyond the newest
        `max_count` of their task, and then the oldest while all take more than `max_size` bytes; never the last of a
        task that exists. Gives how many."""
        return self._done(lambda: self._retain(now - max_age, max(max_count, 1)) + self._shrink(max_size))

    def oldest(self) -> Future[Mapping[str, str]]:
        """The ID of the oldest execution that is kept of each task, by the task's name."""
        return self._done(lambda: {execution.task: execution.id for execution in reversed(self._in_order())})

    def close(self) -> None:
        """Until it is loaded anew nothing is kept nor found."""
        with self._lock:
            self._open = False

    def _done(self, work: Callable[[], _Answer]) -> Future[_Answer]:
        future: Future[_Answer] = Future()
        try:
            with self._lock:
                if not self._open:
                    raise StoreError("the store is not open; call load() first")
                answer = work()
        except DmsError as error:
            future.set_exception(error)
        else:
            future.set_result(answer)
        return future

    def _apply(self, changes: Sequence[Change]) -> None:
        for change in changes:
            match change:
                case PutTask(task):
                    self._tasks[task.id] = task
                    self._highest_task_id = max(self._highest_task_id, task.id)
                case PutState(task_id, state) if task_id in self._tasks:
                    self._tasks[task_id] = replace(self._tasks[task_id], state=state)
                case DropTask(task_id):
                    self._tasks.pop(task_id, None)
                case PutExecution(execution):
                    self._executions[number_of(execution.id)] = execution
                case PutSchedulerPause(pause):
                    self._pause = pause
                case PutLife(life):
                    self._lives[life.start] = life

    def _in_order(self) -> list[Execution]:
        return [self._executions[number] for number in sorted(self._executions)]

    def _last_of_tasks(self) -> dict[int, Execution]:
        newest = {execution.task: execution for execution in self._in_order()}
        owners = {task.id: newest.get(task.name) for task in self._tasks.values()}
        return {task_id: last for task_id, last in owners.items() if last is not None and last.task_id == task_id}

    def _find(self, query: Query) -> list[Execution]:
        before = None if query.before is None else self._number_of(query.before)
        found = [
            self._executions[number]
            for number in sorted(self._executions, reverse=True)
            if (before is None or number < before) and query.task in (None, self._executions[number].task)
        ]
        return found[: max(query.limit, 0)]

    def _number_of(self, execution_id: str) -> Number:
        try:
            number = number_of(execution_id)
        except ValueError as error:
            raise NotFound(f"before: {error}") from None
        if number not in self._executions:
            raise NotFound(f"before: there is no execution {execution_id}, or its history is no longer kept")
        return number

    def _retain(self, cutoff: int, keep: int) -> int:
        by_task: dict[str, list[Execution]] = {}
        for execution in reversed(self._in_order()):
            by_task.setdefault(execution.task, []).append(execution)
        alive = {task.name for task in self._tasks.values()}
        doomed = [
            execution.id
            for task, executions in by_task.items()
            for place, execution in enumerate(executions)
            if _is_doomed(execution, place, cutoff, keep, task in alive)
        ]
        for execution_id in doomed:
            del self._executions[number_of(execution_id)]
        return len(doomed)

    def _shrink(self, max_size: int | None) -> int:
        if max_size is None:
            return 0
        left, newest, gone = max_size, set[str](), 0
        alive = {task.name for task in self._tasks.values()}
        for number in sorted(self._executions, reverse=True):
            execution = self._executions[number]
            left -= len(row_of(execution)[-1]) + len(execution.task) + ROW
            last = execution.task in alive and execution.task not in newest
            newest.add(execution.task)
            if left < 0 and execution.status.final and not last:
                del self._executions[number]
                gone += 1
        return gone


def _is_doomed(execution: Execution, place: int, cutoff: int, keep: int, alive: bool) -> bool:
    """`place` 0 is the newest of its task."""
    if not execution.status.final or (place == 0 and alive):
        return False
    return place >= keep or (execution.ended is not None and execution.ended < cutoff)


def _as_kept(change: Change) -> Change:
    """The change with its values as they would come back from a file; StoreError where a file would not take it."""
    match change:
        case PutExecution(execution):
            try:
                return PutExecution(execution_of(row_of(execution)))
            except ValueError as error:
                raise StoreError(str(error)) from None
        case PutTask(task):
            return PutTask(decode_task((task.id, task.name, encode_definition(task), encode_state(task.state))))
        case PutState(task_id, state):
            return PutState(task_id, decode_state(encode_state(state)))
        case PutSchedulerPause(pause):
            return PutSchedulerPause(decode_pause(encode_pause(pause)))
        case DropTask() | PutLife():
            return change
    raise StoreError(f"{change!r} is not a change that a store keeps")
