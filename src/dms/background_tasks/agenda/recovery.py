"""What the store still knew when the process started, and what that means now: crash policy. Pure.

What was running is `interrupted`; it runs again only where the task is `at_least_once`, as the same attempt. What
waited (for a slot, for its task, for its next attempt) waits again. A one-time task that has ended stays so: the first
time that it comes again with the same definition after a restart, it is the same task, and it has run.
"""

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Sequence
from itertools import zip_longest

from msgspec.structs import replace

from dms.background_tasks.agenda.decision import CRASH, Attempt
from dms.background_tasks.agenda.entry import Entry
from dms.background_tasks.agenda.skips import Skips
from dms.background_tasks.agenda.watch import Watch
from dms.background_tasks.store import QUARANTINE, Life, Mark, Pause, Stored, StoredTask, Watched
from dms.background_tasks.tasks.definition import definition
from dms.background_tasks.tasks.task import Durability, Execution, Status
from dms.background_tasks.times.doubt import begin, go_on
from dms.background_tasks.times.timetables import has_times, paired
from dms.background_tasks.triggers.trigger import definition_of
from dms.instant import SECOND, Instant

SOON = 3_600 * SECOND
"""A run that a crash meets later than this after its start is not held to have to do with it."""

_THE_CRASH = "the process ended while it ran"
_RUNS_AGAIN = Durability.AT_LEAST_ONCE.value


class Memory:
    """What is remembered of an earlier process. `starts` is the number of this process start."""

    def __init__(self, stored: Stored | None = None) -> None:
        self.starts = stored.starts if stored else 1
        self.pause: Pause | None = stored.pause if stored else None
        self.lives: Sequence[Life] = stored.lives if stored else ()
        self.tasks: dict[str, StoredTask] = {task.name: task for task in stored.tasks} if stored else {}
        self._last: dict[int, Execution] = dict(stored.last) if stored else {}
        self._open: defaultdict[int, list[Execution]] = defaultdict(list)
        for execution in stored.unfinished if stored else ():
            self._open[execution.task_id].append(execution)
        self._quarantined: set[str] = set()

    def count_crash(self, quarantine_after: int, now: Instant) -> list[StoredTask]:
        """Where the last process crashed, count that against the tasks that were running then, and forget earlier
        crashes of those that were not; hold back whom so many in a row (0: none) have met. The tasks whose state that
        changes."""
        last = self.lives[-1] if self.lives else None
        if last is None or last.stopped or last.start != self.starts - 1:
            return []
        met = {execution.task_id for found in self._open.values() for execution in found if _met(execution, last)}
        counted = (_counted(task, task.id in met, quarantine_after, now) for task in self.tasks.values())
        changed = [task for task in counted if task is not self.tasks[task.name]]
        self.tasks.update({task.name: task for task in changed})
        self._quarantined = {task.name for task in changed if _quarantined(task)}
        return changed

    def interrupted(self, now: Instant) -> list[Execution]:
        """Every execution that was under way, as it ended; but of those that run again only the one that is taken up
        with its task, so that both are kept together."""
        cut = [_interrupted(execution, now) for found in self._open.values() for execution in found if _ran(execution)]
        for execution in cut:
            known = self._last.get(execution.task_id)
            if known is not None and known.id == execution.id:
                self._last[execution.task_id] = execution
        again = {task.id for task in self.tasks.values() if task.definition.get("durability") == _RUNS_AGAIN}
        return [execution for execution in cut if execution.task_id not in again]

    def restore(self, entry: Entry, now: Instant, boot_id: str) -> bool:
        """Take up what is remembered of a task; whether it has to be kept, being new or another than before. What is
        remembered of a parked task stays remembered, for the good one that comes in its place (see `repair`)."""
        if entry.task.parked:
            self._restore_parked(entry)
            return False
        stored = self.tasks.pop(entry.task.name, None)
        if stored is None or (stored.state.finished is not None and not _same(stored, entry)):
            for timetable in entry.timetables:
                begin(timetable, now)
            return True
        entry.ended = stored.state.finished is not None
        self._recall(stored, entry)
        _go_on(stored, entry, now, boot_id)
        return definition(entry.task) != stored.definition

    def repair(self, entry: Entry, now: Instant, boot_id: str) -> None:
        """A good task has come in the place of a parked one: its times go on where they were."""
        stored = self.tasks.pop(entry.task.name, None)
        if stored is None:
            for timetable in entry.timetables:
                begin(timetable, now)
        else:
            _go_on(stored, entry, now, boot_id)

    def _restore_parked(self, entry: Entry) -> None:
        stored = self.tasks.get(entry.task.name)
        if stored is not None:
            entry.parked_marks = stored.state.marks
            self._recall(stored, entry)

    def _recall(self, stored: StoredTask, entry: Entry) -> None:
        entry.pause, entry.skip_next, entry.pace = stored.state.pause, stored.state.skip_next, stored.state.pace
        if stored.state.skipped:
            entry.skips = Skips(stored.state.skipped, stored.state.skips)
        entry.saved = stored.state.saved or None
        if stored.state.watched is not None:
            entry.watch = Watch(stored.state.watched, fresh=entry.task.name in self._quarantined)
        entry.last = self._last.get(entry.id)

    def remember(self, task: StoredTask) -> None:
        """A task that can't run for now, or that only the store brought back and that has ended before its program has
        added it again: it may come back."""
        self.tasks[task.name] = task

    def forget(self, entry: Entry, now: Instant) -> list[Execution]:
        """Nothing of a task is to be remembered: its executions that nobody has taken up, as they end."""
        self.tasks.pop(entry.task.name, None)
        return [_cancelled(found, now, "the task was removed") for found in self._open.pop(entry.id, [])]

    def discard(self, origin: str, here: Container[int], now: Instant) -> list[tuple[int, list[Execution]]]:
        """Forget the remembered tasks of that origin, but not those whose IDs are `here`: their IDs, and their
        executions that wait, as they end."""
        origins = ((task, task.definition.get("origin")) for task in self.tasks.values() if task.id not in here)
        gone = [task for task, its_origin in origins if its_origin == origin]
        for task in gone:
            del self.tasks[task.name]
        why = "its task is declared no longer"
        return [(task.id, [_cancelled(found, now, why) for found in self._open.pop(task.id, [])]) for task in gone]

    def unfinished(self, entry: Entry, now: Instant) -> "Iterable[tuple[Attempt | None, Execution | None]]":
        """The attempts of a task that wait to go on, and of each the execution that was cut off where it stands for
        one, as that ended; it needs an ID of its own then."""
        found = self._open.pop(entry.id, None)
        return () if found is None else _taken_up(entry, found, now)


def _taken_up(
    entry: Entry, found: list[Execution], now: Instant
) -> "Iterator[tuple[Attempt | None, Execution | None]]":
    for execution in sorted(found, key=lambda execution: execution.due):
        if not _ran(execution):
            yield _attempt(entry, execution, execution.cause), None
        elif entry.task.durability is Durability.AT_LEAST_ONCE:
            yield _attempt(entry, execution, CRASH), _interrupted(execution, now)
        else:
            yield None, _interrupted(execution, now)


def _met(execution: Execution, life: Life) -> bool:
    """Whether the end of that process met an execution that it had begun not long before: one that has run for longer
    is hardly what ended it."""
    mine = execution.id.startswith(f"{life.start}-") and _ran(execution)
    return mine and execution.started is not None and life.seen - execution.started < SOON


def _counted(task: StoredTask, met: bool, quarantine_after: int, now: Instant) -> StoredTask:
    known = task.state.watched or Watched()
    if not (met or known.crashes) or _quarantined(task):
        return task
    crashes = known.crashes + 1 if met else 0
    state = replace(task.state, watched=replace(known, crashes=crashes))
    if 0 < quarantine_after <= crashes:
        why = f"it was running in each of the last {crashes} crashes" if crashes > 1 else "it was running in a crash"
        state = replace(state, pause=Pause(now.wall, None, why, QUARANTINE))
    return replace(task, state=state)


def _quarantined(task: StoredTask) -> bool:
    return task.state.pause is not None and task.state.pause.by == QUARANTINE


def _ran(execution: Execution) -> bool:
    return execution.status in (Status.STARTING, Status.RUNNING)


def _interrupted(execution: Execution, now: Instant) -> Execution:
    return replace(execution, status=Status.INTERRUPTED, ended=now.wall, error=_THE_CRASH)


def _cancelled(execution: Execution, now: Instant, why: str) -> Execution:
    if _ran(execution):
        return _interrupted(execution, now)
    return replace(execution, status=Status.CANCELLED, ended=now.wall, error=why)


def _attempt(entry: Entry, execution: Execution, cause: str) -> Attempt:
    attempt = Attempt(entry, execution.id, execution.due, cause, execution.event)
    attempt.run_id = execution.run_id
    attempt.occurrence = execution.due if execution.occurrence is None else execution.occurrence
    attempt.attempt, attempt.failures, attempt.wait = execution.attempt, execution.failures, execution.wait
    attempt.in_store = True
    return attempt


def _go_on(stored: StoredTask, entry: Entry, now: Instant, boot_id: str) -> None:
    """Let the task's times go on from their marks where their triggers are as they were, and start anew where not."""
    resumes = entry.durable and _was_on(stored, entry)
    for timetable, mark in zip_longest(entry.timetables, _marks(stored, entry)[: len(entry.timetables)]):
        if resumes and mark is not None:
            go_on(timetable, mark, now, boot_id)
        else:
            begin(timetable, now)
        if timetable.bounds is not None and mark is not None:
            timetable.bounds.runs = mark.runs


def _marks(stored: StoredTask, entry: Entry) -> "Sequence[Mark | None]":
    """The marks of the triggers that a task has now. Which of several belongs to which is known as long as none of them
    is a third party's."""
    if _same_triggers(stored, entry):
        return stored.state.marks
    triggers = stored.definition["triggers"]
    if any(trigger["type"] not in _OURS for trigger in triggers):
        return ()
    timed = [trigger for trigger in triggers if trigger["type"] != "event"]
    now = [definition_of(trigger) for trigger in entry.task.triggers if has_times(trigger)]
    return paired(zip(timed, stored.state.marks, strict=False), now)


_OURS = ("periodic", "one_time", "event")


def _same(stored: StoredTask, entry: Entry) -> bool:
    """Whether the times that are remembered belong to the triggers as they are now."""
    return _same_triggers(stored, entry) and _was_on(stored, entry)


def _was_on(stored: StoredTask, entry: Entry) -> bool:
    return bool(stored.definition["enabled"] or not entry.task.enabled)


def _same_triggers(stored: StoredTask, entry: Entry) -> bool:
    return bool(stored.definition["triggers"] == [definition_of(trigger) for trigger in entry.task.triggers])
