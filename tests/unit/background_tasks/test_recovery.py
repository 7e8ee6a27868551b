"""Memory: what an earlier process left behind, and what it means now."""

import pytest

from dms.background_tasks.agenda.entry import Entry
from dms.background_tasks.agenda.recovery import Memory
from dms.background_tasks.store import Pause, Stored, StoredTask, TaskState
from dms.background_tasks.tasks.definition import definition
from dms.background_tasks.tasks.task import Execution, Status, Task
from dms.background_tasks.times.timetables import timetable_of
from dms.background_tasks.triggers.trigger import PeriodicTrigger
from dms.instant import Instant

NOW = Instant(1_000_000_000, 5_000_000)


def execution(status, execution_id="1-1", **fields):
    return Execution(execution_id, execution_id, "job", 1, 1, status, **{"due": 0, **fields})


def entry_of(task):
    entry = Entry(task, 1, stored=True)
    entry.come_by(tuple(timetable_of(entry, trigger, None, "") for trigger in task.triggers))
    return entry


def memory(task, *unfinished, state=None, **stored):
    tasks = [StoredTask(1, task.name, definition(task), state or TaskState())]
    return Memory(Stored(tasks, unfinished, {}, 1, 2, **stored))


def test_without_a_store_there_is_nothing_to_remember():
    empty = Memory()

    assert (1, None, {}, []) == (empty.starts, empty.pause, empty.tasks, empty.interrupted(NOW))


@pytest.mark.parametrize("status", [Status.STARTING, Status.RUNNING])
def test_what_was_under_way_is_interrupted(status):
    (cut,) = memory(Task("job", print), execution(status)).interrupted(NOW)

    assert (Status.INTERRUPTED, NOW.wall) == (cut.status, cut.ended)


def test_what_waited_is_not_interrupted():
    assert [] == memory(Task("job", print), execution(Status.WAITING)).interrupted(NOW)


def test_what_was_cut_off_and_runs_again_is_interrupted_when_its_task_is_taken_up():
    task = Task("job", print, durability="at_least_once")
    remembered = memory(task, execution(Status.RUNNING))
    assert [] == remembered.interrupted(NOW)

    ((attempt, cut),) = remembered.unfinished(entry_of(task), NOW)
    assert ("crash", 1, Status.INTERRUPTED) == (attempt.cause, attempt.attempt, cut.status)


def test_what_was_cut_off_is_taken_up_once():
    task = Task("job", print, durability="at_least_once")
    remembered, entry = memory(task, execution(Status.RUNNING)), entry_of(task)

    assert [1, 0] == [len(list(remembered.unfinished(entry, NOW))) for _ in range(2)]


def test_what_waited_goes_on_under_its_own_id_first_due_first():
    task = Task("job", print)
    waiting = [execution(Status.WAITING, "1-1", due=9), execution(Status.WAITING, "1-2", due=3)]
    found = list(memory(task, *waiting).unfinished(entry_of(task), NOW))

    assert [("1-2", None), ("1-1", None)] == [(attempt.id, cut) for attempt, cut in found]


def test_an_unchanged_task_has_not_to_be_kept_again_and_a_changed_one_has():
    assert not memory(Task("job", print)).restore(entry_of(Task("job", print)), NOW, "boot-1")
    assert memory(Task("job", print)).restore(entry_of(Task("job", print, priority=1)), NOW, "boot-1")
    assert Memory().restore(entry_of(Task("job", print)), NOW, "boot-1")


def test_what_is_remembered_of_a_task_comes_back_with_it():
    task = Task("job", print)
    entry = entry_of(task)
    memory(task, state=TaskState((), Pause(7), {"missed": 3})).restore(entry, NOW, "boot-1")

    assert (Pause(7), {"missed": 3}) == (entry.pause, entry.skipped)


def test_a_task_that_has_ended_is_over_only_while_its_triggers_are_the_same():
    ended = TaskState(finished=1)
    task, other = Task("job", print, triggers=[PeriodicTrigger("5m")]), Task("job", print)
    same, changed = entry_of(task), entry_of(other)
    memory(task, state=ended).restore(same, NOW, "boot-1")
    memory(task, state=ended).restore(changed, NOW, "boot-1")

    assert (True, False) == (same.ended, changed.ended)


def test_a_removed_task_takes_with_it_what_waited():
    task = Task("job", print)
    remembered = memory(task, execution(Status.WAITING))

    (gone,) = remembered.forget(entry_of(task), NOW)
    assert (Status.CANCELLED, "the task was removed") == (gone.status, gone.error)
    assert {} == remembered.tasks


def test_only_what_nobody_has_added_is_discarded_and_only_of_its_origin():
    task = Task("job", print, origin="declared")

    assert [] == memory(task).discard("code", [], NOW)
    assert [] == memory(task).discard("declared", [1], NOW)
    assert [(1, [])] == memory(task).discard("declared", [], NOW)


def remembered(*executions, state=None, **definition):
    task = StoredTask(1, "job", {"origin": "declared", **definition}, state or TaskState())
    return Memory(Stored([task], executions, {}, 1, 2))


def cut_off(number, status, **fields):
    return Execution(f"1-{number}", "1-1", "job", 1, 2, status, 100, 200, **fields)


def test_what_is_declared_no_longer_ends_with_the_reason():
    memory = remembered(cut_off(1, Status.RUNNING), cut_off(2, Status.WAITING))
    ((task_id, (ran, waited)),) = memory.discard("declared", (), Instant(900, 0))
    assert 1 == task_id
    assert (Status.INTERRUPTED, 900, "the process ended while it ran") == (ran.status, ran.ended, ran.error)
    assert (Status.CANCELLED, 900, "its task is declared no longer") == (waited.status, waited.ended, waited.error)


def test_what_waits_is_on_disk_already_and_is_for_the_moment_of_its_first_attempt():
    found = [cut_off(1, Status.WAITING), cut_off(2, Status.WAITING, occurrence=50)]
    entry = Entry(Task("job", print), 1, stored=True)
    attempts = [attempt for attempt, _ in remembered(*found).unfinished(entry, Instant(900, 0))]
    assert [(True, 100), (True, 50)] == [(attempt.in_store, attempt.occurrence) for attempt in attempts]
