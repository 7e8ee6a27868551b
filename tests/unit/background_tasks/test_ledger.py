"""The ledger: what goes into a batch, and what becomes of one that fails."""

import pytest

from dms.background_tasks.agenda.decision import Attempt, End
from dms.background_tasks.agenda.entry import Entry
from dms.background_tasks.agenda.ledger import SEEN, Ledger
from dms.background_tasks.store import (
    DropTask,
    Life,
    Pause,
    PutExecution,
    PutLife,
    PutSchedulerPause,
    PutState,
    PutTask,
)
from dms.background_tasks.tasks.task import Status, Task


@pytest.fixture
def ledger():
    return Ledger("boot-1")


@pytest.fixture
def entry():
    return Entry(Task("job", print), 1, stored=True)


def attempt(entry, execution_id="1-1", status=Status.STARTING):
    made = Attempt(entry, execution_id, 0, "schedule", None)
    made.status = status
    return made


def kinds(save):
    return [type(change) for change in save.changes]


def test_where_nothing_has_changed_nothing_is_saved(ledger):
    assert ledger.flush() is None


def test_what_is_dropped_comes_first_and_tasks_before_their_executions(ledger, entry):
    ledger.drop(2)
    ledger.execution(attempt(entry).execution())
    ledger.task(entry)
    ledger.pause(None)

    assert [DropTask, PutTask, PutExecution, PutSchedulerPause] == kinds(ledger.flush())


def test_only_the_latest_state_of_an_execution_is_written(ledger, entry):
    made = attempt(entry)
    ledger.execution(made.execution())
    made.status = Status.SUCCESS
    ledger.execution(made.execution())

    assert [Status.SUCCESS] == [change.execution.status for change in ledger.flush().changes]


def test_a_task_that_is_new_is_written_whole_though_its_state_changed_before(ledger, entry):
    ledger.state(entry)
    ledger.task(entry)
    ledger.state(entry)

    assert [PutTask] == kinds(ledger.flush())


def test_the_state_of_a_task_is_what_it_is_when_the_batch_goes_out(ledger, entry):
    ledger.state(entry)
    entry.pause = Pause(7)

    assert [PutState(1, entry.state("boot-1"))] == ledger.flush().changes


def test_no_batch_goes_out_while_another_is_under_way(ledger, entry):
    ledger.state(entry)
    save = ledger.flush()
    ledger.pause(None)
    assert ledger.flush() is None

    ledger.saved(save.batch)
    assert [PutSchedulerPause] == kinds(ledger.flush())


def test_a_batch_that_is_saved_gives_back_what_waited_for_it(ledger, entry):
    made = attempt(entry)
    ended = End(attempt(entry, "1-2", Status.SUCCESS).execution(), True, "ticket")
    ledger.start(made, made.execution())
    ledger.end(ended)
    save = ledger.flush()
    assert ["ticket"] == ledger.tickets()

    done = ledger.saved(save.batch)
    assert ([made], [ended], []) == (done.starts, done.ends, ledger.tickets())


def test_a_batch_that_failed_gives_back_its_starts_and_is_gathered_again(ledger, entry):
    made = attempt(entry)
    ledger.task(entry)
    ledger.start(made, made.execution())
    ledger.pause(Pause(7))
    ledger.drop(2)
    first = ledger.flush()

    assert [made] == ledger.failed(first.batch)
    assert ledger.flush() is None
    again = ledger.flush(again=True)
    assert (first.changes, first.batch + 1) == (again.changes, again.batch)
    assert [] == ledger.saved(again.batch).starts


def test_what_came_after_a_batch_that_failed_counts_more_than_it(ledger, entry):
    made = attempt(entry)
    ledger.execution(made.execution())
    ledger.pause(Pause(7))
    first = ledger.flush()
    made.status = Status.CANCELLED
    ledger.execution(made.execution())
    ledger.pause(None)
    ledger.failed(first.batch)

    execution, pause = ledger.flush(again=True).changes
    assert (Status.CANCELLED, None) == (execution.execution.status, pause.pause)


def test_a_task_that_is_gone_when_its_batch_fails_does_not_come_back(ledger, entry):
    ledger.task(entry)
    save = ledger.flush()
    entry.removed = True
    ledger.drop(1)
    ledger.failed(save.batch)

    assert [DropTask] == kinds(ledger.flush(again=True))


def lives(save):
    return [change.life for change in save.changes if isinstance(change, PutLife)]


def test_that_the_process_lives_is_said_with_what_is_saved_once_a_minute(ledger, entry):
    said = []
    ledger.lives(Life(3, 1000, 1000))
    assert ledger.flush(now=1000) is None
    for now in (2000, 2000 + SEEN - 1, 2000 + SEEN, 2001 + SEEN, 5):
        ledger.state(entry)
        save = ledger.flush(now=now)
        said += lives(save)
        ledger.saved(save.batch)

    assert [Life(3, 1000, 2000), Life(3, 1000, 2000 + SEEN), Life(3, 1000, 5)] == said


def test_that_the_process_stops_is_saved_by_itself_and_again_with_what_comes_later(ledger, entry):
    ledger.lives(Life(3, 1000, 1000))
    ledger.stops(2000)
    first = ledger.flush(now=2000)
    ledger.saved(first.batch)
    ledger.state(entry)
    second = ledger.flush(now=2500)

    assert [Life(3, 1000, 2000, True), Life(3, 1000, 2500, True)] == lives(first) + lives(second)


def test_a_stop_that_could_not_be_saved_is_tried_again(ledger):
    ledger.lives(Life(3, 1000, 1000))
    ledger.stops(2000)
    ledger.failed(ledger.flush(now=2000).batch)

    assert [Life(3, 1000, 2000, True)] == lives(ledger.flush(again=True))


def test_a_state_that_a_failed_batch_held_is_written_as_a_state_again(ledger, entry):
    ledger.state(entry)
    first = ledger.flush()
    ledger.failed(first.batch)
    assert [PutState] == kinds(ledger.flush(again=True))


def test_a_task_that_a_failed_batch_held_whole_is_written_whole_again(ledger, entry):
    ledger.task(entry)
    first = ledger.flush()
    ledger.state(entry)
    ledger.failed(first.batch)
    assert [PutTask] == kinds(ledger.flush(again=True))


def test_a_task_that_is_new_since_a_failed_batch_held_its_state_is_written_whole(ledger, entry):
    ledger.state(entry)
    first = ledger.flush()
    ledger.task(entry)
    ledger.failed(first.batch)
    assert [PutTask] == kinds(ledger.flush(again=True))


def test_a_task_that_is_dropped_is_not_written_again_though_an_older_batch_held_it(ledger, entry):
    over = entry.stored("boot-1", finished=3)
    ledger.keep(over)
    first = ledger.flush()
    ledger.drop(over.id)
    ledger.failed(first.batch)
    assert [DropTask(over.id)] == ledger.flush(again=True).changes


def test_a_task_that_is_kept_and_dropped_in_one_batch_is_dropped_and_one_dropped_and_kept_is_kept(ledger, entry):
    over = entry.stored("boot-1", finished=3)
    ledger.keep(over)
    ledger.drop(over.id)
    save = ledger.flush()
    assert [DropTask(over.id)] == save.changes
    ledger.saved(save.batch)
    ledger.drop(over.id)
    ledger.keep(over)
    assert [DropTask(over.id), PutTask(over)] == ledger.flush().changes


def test_the_state_of_a_task_that_is_forgotten_is_not_written(ledger, entry):
    ledger.state(entry)
    ledger.forget(entry)
    assert ledger.flush() is None


def test_where_no_life_began_none_is_written(ledger, entry):
    ledger.state(entry)
    assert [PutState] == kinds(ledger.flush(now=5))
