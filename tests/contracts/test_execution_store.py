"""What every ExecutionStore promises, run on each of them."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from dms.adapters.memory import MemoryStore
from dms.adapters.record import LIMIT
from dms.adapters.sqlite import SqliteStore
from dms.background_tasks.store import (
    LIVES,
    Change,
    DropTask,
    ExecutionStore,
    Life,
    Mark,
    Pace,
    Pause,
    PutExecution,
    PutLife,
    PutSchedulerPause,
    PutState,
    PutTask,
    Query,
    Skipped,
    StoredTask,
    TaskState,
)
from dms.background_tasks.tasks.task import Event, Execution, Status
from dms.errors import Misuse, NotFound, StoreError

HOUR = 3_600_000_000
NOON = 1_800_000_000_000_000
MANY = 1_300  # more than any step of a retention takes at once

STATE = TaskState(
    marks=(Mark(anchor=NOON, anchor_boot=5, boot_id="a-boot", done=3),),
    pause=Pause(since=NOON, until=NOON + HOUR, reason="maintenance"),
    skipped={"overlap": 2},
    pace=Pace((4, 7), "a-boot", NOON),
)
BACKUP = StoredTask(1, "backup", {"run": ["restic", "backup"], "triggers": [{"interval": 5}]}, STATE)


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ExecutionStore]:
    store: ExecutionStore = MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "dms.db")
    yield store
    store.close()


@pytest.fixture
def loaded(store: ExecutionStore) -> ExecutionStore:
    store.load()
    return store


def run(counter: int, status: Status = Status.SUCCESS, **fields: Any) -> Execution:
    """An execution of the task `backup`, or of whatever the fields say."""
    fields = {"task": "backup", "task_id": 1, "attempt": 1, "due": NOON, "started": NOON, **fields}
    fields.setdefault("ended", NOON + counter if status.final else None)
    number = fields.pop("id", f"1-{counter}")
    return Execution(id=number, run_id=number, status=status, **fields)


def save(store: ExecutionStore, *changes: Change | Execution) -> None:
    kept = [PutExecution(change) if isinstance(change, Execution) else change for change in changes]
    store.save(kept).result(10)


def found(store: ExecutionStore, task: str | None = None, **query: Any) -> list[str]:
    return [execution.id for execution in store.executions(Query(task, **query)).result(10)]


def reload(store: ExecutionStore) -> Any:
    store.close()
    return store.load()


def test_an_event_that_stands_for_several_is_kept_with_the_first_of_them(loaded: ExecutionStore) -> None:
    event = Event("bell", {"n": 7}, NOON, count=7, first=Event("bell", {"n": 1}, NOON - 5))
    loaded.save([PutExecution(run(1, event=event))]).result(10)
    assert [event] == [kept.event for kept in loaded.executions(Query("backup")).result(10)]


def test_the_oldest_that_is_kept_of_each_task_is_told(loaded: ExecutionStore) -> None:
    assert {} == loaded.oldest().result(10)
    kept = [run(3), run(1, task="a"), run(2), run(5, Status.WAITING, task="b"), run(7, task="a")]
    loaded.save([PutExecution(execution) for execution in kept]).result(10)
    assert {"backup": "1-2", "a": "1-1", "b": "1-5"} == loaded.oldest().result(10)


def test_a_new_store_is_empty_and_counts_its_first_start(store: ExecutionStore) -> None:
    stored = store.load()
    assert ([], [], {}, 0, 1, None) == (
        list(stored.tasks),
        list(stored.unfinished),
        dict(stored.last),
        stored.highest_task_id,
        stored.starts,
        stored.pause,
    )


def test_each_load_counts_a_start(store: ExecutionStore) -> None:
    assert [1, 2, 3] == [store.load().starts, reload(store).starts, reload(store).starts]


def test_a_store_that_is_open_is_not_loaded_again(loaded: ExecutionStore) -> None:
    with pytest.raises(Misuse, match="close it first"):
        loaded.load()


def test_a_task_comes_back_as_it_was_put(loaded: ExecutionStore) -> None:
    save(loaded, PutTask(BACKUP))
    assert [BACKUP] == list(reload(loaded).tasks)


def test_a_task_put_again_replaces_the_former(loaded: ExecutionStore) -> None:
    changed = replace(BACKUP, definition={"run": ["true"]})
    save(loaded, PutTask(BACKUP), PutTask(changed))
    assert [changed] == list(reload(loaded).tasks)


def test_a_state_replaces_the_state_and_leaves_the_definition(loaded: ExecutionStore) -> None:
    save(loaded, PutTask(BACKUP))
    save(loaded, PutState(1, TaskState(finished=4)))
    assert [replace(BACKUP, state=TaskState(finished=4))] == list(reload(loaded).tasks)


def test_a_state_of_an_unknown_task_is_nothing(loaded: ExecutionStore) -> None:
    save(loaded, PutState(9, STATE))
    assert [] == list(reload(loaded).tasks)


def test_tasks_come_in_the_order_of_their_ids(loaded: ExecutionStore) -> None:
    save(loaded, *(PutTask(replace(BACKUP, id=number, name=f"t{number}")) for number in (3, 1, 2)))
    assert ["t1", "t2", "t3"] == [task.name for task in reload(loaded).tasks]


def test_a_dropped_task_is_gone_its_executions_stay(loaded: ExecutionStore) -> None:
    save(loaded, PutTask(BACKUP), run(1), DropTask(1))
    stored = reload(loaded)
    assert ([], {}, ["1-1"]) == (list(stored.tasks), dict(stored.last), found(loaded, "backup"))


def test_a_name_may_be_dropped_and_taken_anew_in_one_save(loaded: ExecutionStore) -> None:
    save(loaded, PutTask(BACKUP))
    save(loaded, DropTask(1), PutTask(replace(BACKUP, id=2)))
    assert [2] == [task.id for task in reload(loaded).tasks]


def test_an_id_once_given_is_remembered_after_its_task_is_dropped(loaded: ExecutionStore) -> None:
    save(loaded, PutTask(BACKUP), PutTask(replace(BACKUP, id=7, name="other")), DropTask(7))
    assert 7 == reload(loaded).highest_task_id


def test_the_pause_of_the_scheduler_is_kept_and_lifted(loaded: ExecutionStore) -> None:
    save(loaded, PutSchedulerPause(Pause(NOON, None, "an update")))
    assert Pause(NOON, None, "an update") == reload(loaded).pause
    save(loaded, PutSchedulerPause(None))
    assert None is reload(loaded).pause


def test_lives_are_kept_as_they_were_last_known_and_only_the_latest(loaded: ExecutionStore) -> None:
    save(loaded, PutLife(Life(1, NOON, NOON)), PutLife(Life(1, NOON, NOON + 5, True)), PutLife(Life(2, NOON, NOON)))
    assert [Life(1, NOON, NOON + 5, True), Life(2, NOON, NOON)] == reload(loaded).lives
    save(loaded, *(PutLife(Life(start, NOON, NOON)) for start in range(3, 3 + LIVES)))
    assert list(range(3, 3 + LIVES)) == [life.start for life in reload(loaded).lives][-LIVES:]


def test_fires_that_did_not_run_are_kept_with_whatever_was_the_reason(loaded: ExecutionStore) -> None:
    skips = (Skipped("paused", 1, 2, 2, 3, "new disk", 0), Skipped("overlap", 4, 4, 1, 4, "\udcff"))
    save(loaded, PutTask(BACKUP), PutState(1, TaskState(skip_next=7, skips=skips)))
    kept = reload(loaded).tasks[0].state
    assert (7, skips[0], "\\udcff") == (kept.skip_next, kept.skips[0], kept.skips[1].why)


def test_a_reason_that_is_no_clean_text_fails_no_save(loaded: ExecutionStore) -> None:
    odd = Pause(NOON, None, "\udcff")
    save(loaded, PutTask(BACKUP), PutState(1, TaskState(pause=odd)), PutSchedulerPause(odd))
    stored = reload(loaded)
    assert ["\\udcff", "\\udcff"] == [stored.pause.reason, stored.tasks[0].state.pause.reason]


def test_an_execution_comes_back_as_it_was_put(loaded: ExecutionStore) -> None:
    execution = replace(
        run(1, Status.FAILED),
        attempt=3,
        error="exit status 1",
        event=Event("upload.done", {"file": "a.txt", "parts": [1, 2.5, None, True]}, NOON),
        results={"lines": 3},
        cause="retry",
        retry_at=NOON + HOUR,
        failures=3,
        occurrence=NOON - HOUR,
        wait=HOUR,
    )
    save(loaded, execution)
    assert [execution] == loaded.executions(Query("backup")).result(10)


@pytest.mark.parametrize("status", list(Status))
def test_every_status_is_kept(loaded: ExecutionStore, status: Status) -> None:
    save(loaded, run(1, status))
    assert [status] == [execution.status for execution in loaded.executions(Query()).result(10)]


def test_a_later_execution_of_the_same_id_replaces_the_former(loaded: ExecutionStore) -> None:
    save(loaded, run(1, Status.RUNNING))
    save(loaded, run(1, Status.SUCCESS, results=42))
    assert [(Status.SUCCESS, 42)] == [(e.status, e.results) for e in loaded.executions(Query()).result(10)]


def test_start_and_end_in_one_save_leave_the_end(loaded: ExecutionStore) -> None:
    save(loaded, run(1, Status.RUNNING), run(1, Status.SUCCESS))
    assert [Status.SUCCESS] == [execution.status for execution in loaded.executions(Query()).result(10)]


def test_what_has_no_final_state_is_loaded_oldest_first(loaded: ExecutionStore) -> None:
    save(loaded, run(3, Status.WAITING), run(1, Status.RUNNING), run(2), run(4, Status.STARTING))
    assert ["1-1", "1-3", "1-4"] == [execution.id for execution in reload(loaded).unfinished]


def test_the_last_execution_of_each_task_is_loaded_by_its_id(loaded: ExecutionStore) -> None:
    other = {"task": "other", "task_id": 2}
    save(
        loaded, PutTask(BACKUP), PutTask(replace(BACKUP, id=2, name="other")), PutTask(replace(BACKUP, id=3, name="x"))
    )
    save(loaded, run(2), run(1), run(4, **other), run(3, **other))
    assert {1: "1-2", 2: "1-4"} == {task: execution.id for task, execution in reload(loaded).last.items()}


def test_a_task_has_no_last_execution_from_before_its_time(loaded: ExecutionStore) -> None:
    save(loaded, PutTask(BACKUP), run(1), DropTask(1), PutTask(replace(BACKUP, id=2)))
    assert {} == dict(reload(loaded).last)


def test_history_is_newest_first_by_start_of_the_process_and_then_by_counter(loaded: ExecutionStore) -> None:
    ids = ["2-1", "1-9", "1-10", "10-1", "9-3"]
    save(loaded, *(run(0, id=number) for number in ids))
    assert ["10-1", "9-3", "2-1", "1-10", "1-9"] == found(loaded, "backup")


def test_history_is_of_one_task_or_of_all(loaded: ExecutionStore) -> None:
    save(loaded, run(1), run(2, task="other", task_id=2), run(3))
    assert (["1-3", "1-1"], ["1-2"], [], ["1-3", "1-2", "1-1"]) == (
        found(loaded, "backup"),
        found(loaded, "other"),
        found(loaded, "unheard-of"),
        found(loaded),
    )


def test_history_is_read_page_by_page(loaded: ExecutionStore) -> None:
    save(loaded, *(run(counter) for counter in range(1, 6)))
    assert (["1-5", "1-4"], ["1-3", "1-2"], ["1-1"], []) == (
        found(loaded, limit=2),
        found(loaded, limit=2, before="1-4"),
        found(loaded, limit=2, before="1-2"),
        found(loaded, limit=2, before="1-1"),
    )


@pytest.mark.parametrize("before", ["1-99", "", "x", "1-2-3", "-1-2", "01-2", "1-²", "99999999999999-1", "1.5-2"])
def test_history_before_an_execution_that_is_none_is_not_found(loaded: ExecutionStore, before: str) -> None:
    save(loaded, run(1))
    with pytest.raises(NotFound, match="before: "):
        found(loaded, before=before)


def test_a_limit_of_nothing_finds_nothing(loaded: ExecutionStore) -> None:
    save(loaded, run(1))
    assert ([], []) == (found(loaded, limit=0), found(loaded, limit=-1))


def test_a_save_of_nothing_is_done(loaded: ExecutionStore) -> None:
    assert None is loaded.save([]).result(10)


def test_futures_end_in_the_order_of_the_saves(loaded: ExecutionStore) -> None:
    ended: list[int] = []
    saves: list[Future[None]] = []
    for counter in range(1, 400):
        saves.append(loaded.save([PutExecution(run(counter))]))
        saves[-1].add_done_callback(lambda _, counter=counter: ended.append(counter))  # type: ignore[misc]
    loaded.close()
    assert list(range(1, 400)) == ended


def test_a_save_that_fails_writes_nothing_and_leaves_its_neighbours_alone(loaded: ExecutionStore) -> None:
    good = [loaded.save([PutExecution(run(counter))]) for counter in (1, 2)]
    bad = loaded.save([PutTask(BACKUP), PutExecution(run(0, id="no-number"))])
    good.append(loaded.save([PutExecution(run(3))]))
    assert [None, None, None] == [future.result(10) for future in good]
    with pytest.raises(StoreError, match="no-number"):
        bad.result(10)
    assert (["1-3", "1-2", "1-1"], []) == (found(loaded), list(reload(loaded).tasks))


def test_a_definition_that_can_not_come_back_the_same_is_refused(loaded: ExecutionStore) -> None:
    future = loaded.save([PutTask(replace(BACKUP, definition={"args": [object()]}))])
    with pytest.raises(StoreError, match="task backup: its definition"):
        future.result(10)


def test_what_is_no_change_is_refused(loaded: ExecutionStore) -> None:
    with pytest.raises(StoreError, match="not a change"):
        loaded.save(["put"]).result(10)  # type: ignore[list-item]


def test_cancelling_a_save_does_not_unwrite_it(loaded: ExecutionStore) -> None:
    future = loaded.save([PutExecution(run(1))])
    assert False is future.cancel()
    loaded.close()
    loaded.load()
    assert ["1-1"] == found(loaded)


def test_what_is_queued_at_the_close_is_written(loaded: ExecutionStore) -> None:
    saves = [loaded.save([PutExecution(run(counter))]) for counter in range(1, 2_500)]
    loaded.close()
    assert [None] * 2_499 == [future.result(0) for future in saves]


@pytest.mark.parametrize("state", ["new", "closed"])
def test_a_store_that_is_not_open_fails_the_future_and_raises_nothing(store: ExecutionStore, state: str) -> None:
    if state == "closed":
        store.load()
        store.close()
    calls: list[Callable[[], Future[Any]]] = [
        lambda: store.save([PutExecution(run(1))]),
        lambda: store.executions(Query()),
        lambda: store.retain(HOUR, 5, NOON),
    ]
    for call in calls:
        with pytest.raises(StoreError, match="not open"):
            call().result(10)


def test_a_store_may_be_closed_twice(loaded: ExecutionStore) -> None:
    loaded.close()
    loaded.close()
    assert 2 == loaded.load().starts


def test_results_that_hold_foreign_objects_are_kept_as_their_repr(loaded: ExecutionStore) -> None:
    save(loaded, run(1, results={"path": Path("/srv")}))
    assert [{"path": "PosixPath('/srv')"}] == [execution.results for execution in loaded.executions(Query()).result(10)]


def test_results_beyond_the_bound_are_replaced_by_a_note(loaded: ExecutionStore) -> None:
    save(loaded, run(1, results="x" * LIMIT), run(2, results="x" * (LIMIT - 5)))
    kept, note = (execution.results for execution in loaded.executions(Query()).result(10))
    assert ("x" * (LIMIT - 5), f"(results of {LIMIT + 5} bytes are not kept; the most is {LIMIT})") == (kept, note)


def test_retention_keeps_the_newest_of_each_task(loaded: ExecutionStore) -> None:
    save(loaded, *(run(counter) for counter in range(1, 6)), run(6, task="other", task_id=2))
    assert 3 == loaded.retain(HOUR, 2, NOON).result(10)
    assert ["1-6", "1-5", "1-4"] == found(loaded)


def test_retention_deletes_what_ended_too_long_ago(loaded: ExecutionStore) -> None:
    save(loaded, PutTask(BACKUP), *(run(counter, ended=NOON - counter) for counter in range(1, 6)))
    assert 2 == loaded.retain(2, 100, NOON).result(10)
    assert ["1-5", "1-2", "1-1"] == found(loaded)


def test_retention_never_deletes_the_last_execution_of_a_task(loaded: ExecutionStore) -> None:
    save(loaded, PutTask(BACKUP), run(1), run(2))
    assert 1 == loaded.retain(0, 0, NOON + HOUR).result(10)
    assert ["1-2"] == found(loaded)


def test_retention_lets_the_last_execution_go_once_its_task_is_gone_and_it_is_old(loaded: ExecutionStore) -> None:
    save(loaded, PutTask(BACKUP), run(1), DropTask(1))
    assert 0 == loaded.retain(HOUR, 0, NOON).result(10)
    assert 1 == loaded.retain(HOUR, 0, NOON + 2 * HOUR).result(10)
    assert [] == found(loaded)


def test_retention_leaves_what_has_not_ended(loaded: ExecutionStore) -> None:
    save(loaded, run(1, Status.WAITING), run(2, Status.RUNNING), run(3), run(4))
    assert 1 == loaded.retain(HOUR, 1, NOON).result(10)
    assert ["1-4", "1-2", "1-1"] == found(loaded)


@pytest.mark.parametrize(("max_age", "max_count"), [(HOUR, 1), (0, MANY)])
def test_retention_goes_through_a_long_history_and_counts_all_of_it(
    loaded: ExecutionStore, max_age: int, max_count: int
) -> None:
    save(loaded, PutTask(BACKUP), *(run(counter) for counter in range(MANY)))
    assert MANY - 1 == loaded.retain(max_age, max_count, NOON + MANY).result(10)
    assert [f"1-{MANY - 1}"] == found(loaded)


def test_retention_goes_through_many_tasks(loaded: ExecutionStore) -> None:
    tasks = range(1, 450)
    save(loaded, *(run(n * 2 + again, task=f"t{n}", task_id=n) for n in tasks for again in (0, 1)))
    assert 449 == loaded.retain(HOUR, 1, NOON).result(10)


def test_retention_by_size_keeps_the_newest_there_is_room_for(loaded: ExecutionStore) -> None:
    much = {"results": "x" * 10_000}
    save(loaded, *(run(counter, **much) for counter in range(1, 61)))
    assert 40 == loaded.retain(HOUR, MANY, NOON, 20 * 10_300).result(10)
    assert [f"1-{counter}" for counter in range(60, 40, -1)] == found(loaded)
    assert 0 == loaded.retain(HOUR, MANY, NOON, 20 * 10_300).result(10)


def test_retention_by_size_leaves_what_has_not_ended_and_the_last_of_each_task(loaded: ExecutionStore) -> None:
    much = {"results": "x" * 10_000}
    save(loaded, PutTask(BACKUP), *(run(n, task="gone", task_id=9, **much) for n in range(1, 21)))
    save(loaded, run(21, Status.RUNNING, task="gone", task_id=9), run(22), run(23, **much))
    assert 21 == loaded.retain(HOUR, MANY, NOON, 1).result(10)
    assert ["1-23", "1-21"] == found(loaded)
