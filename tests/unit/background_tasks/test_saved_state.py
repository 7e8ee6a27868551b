"""What a run saves is there for its next attempt, and for the next run, until one succeeds."""

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

import dms
from dms.adapters.memory import MemoryStore
from dms.background_tasks.agenda.saved_state import MOST, pack, taken_over, unpack, with_state
from dms.background_tasks.scheduler import Scheduler
from dms.errors import InvalidInput

PATIENCE = 10
Work = Callable[[dms.Run], Any]


class Worker:
    """Counts up to 4 and saves as it goes; fails where it is told to. `found` is what each attempt began with."""

    def __init__(self, *breaks: int) -> None:
        self.breaks, self.found = list(breaks), list[Any]()

    def __call__(self, run: dms.Run) -> int:
        self.found.append(run.state)
        done = (run.state or {"done": 0})["done"]
        while done < 4:
            done += 1
            run.save({"done": done})
            if self.breaks and self.breaks[0] == done:
                self.breaks.pop(0)
                raise RuntimeError("broken")
        return done


def ran(scheduler: Scheduler, times: int = 1) -> list[str]:
    return [scheduler.run_task("job").wait(PATIENCE).status.value for _ in range(times)]


# ── whose it is ──


def test_the_next_attempt_goes_on_from_what_was_saved() -> None:
    work = Worker(2, 3)
    with Scheduler(store=MemoryStore()) as scheduler:
        scheduler.add_task(dms.Task("job", work, retry_policy=dms.RetryPolicy(2, "1ms")))
        assert ["success"] == ran(scheduler)
    assert [None, {"done": 2}, {"done": 3}] == work.found


def test_the_next_run_goes_on_from_what_a_failed_one_left_and_one_after_a_success_begins_anew() -> None:
    work = Worker(2)
    with Scheduler() as scheduler:
        scheduler.add_task(dms.Task("job", work))
        assert ["failed", "success", "success"] == ran(scheduler, 3)
    assert [None, {"done": 2}, None] == work.found


def test_it_outlives_the_process_with_or_without_durability(tmp_path: Path) -> None:
    for durability in ("none", "at_most_once", "at_least_once"):
        file = tmp_path / f"{durability}.db"
        for work, status, found in ((Worker(2), "failed", None), (Worker(), "success", {"done": 2})):
            store = dms.SqliteStore(file)
            with Scheduler(store=store) as scheduler:
                scheduler.add_task(dms.Task("job", work, durability=durability))
                assert [status] == ran(scheduler)
            store.close()
            assert [found] == work.found


def test_runs_side_by_side_have_each_their_own() -> None:
    both, found = threading.Barrier(2), dict[str, Any]()

    def work(run: dms.Run) -> None:
        run.save({"mine": run.id})
        both.wait(PATIENCE)
        found[run.id] = run.state

    with Scheduler(max_running_tasks=4) as scheduler:
        scheduler.add_task(dms.Task("job", work, overlap="allow", max_instances=2))
        for handle in [scheduler.run_task("job") for _ in range(2)]:
            handle.wait(PATIENCE)
    assert {name: {"mine": name} for name in found} == found
    assert 2 == len(found)


def test_none_clears_it() -> None:
    def work(run: dms.Run) -> None:
        found.append(run.state)
        run.save([1])
        run.save(None)
        found.append(run.state)
        raise RuntimeError("broken")

    found: list[Any] = []
    with Scheduler() as scheduler:
        scheduler.add_task(dms.Task("job", work))
        ran(scheduler, 2)
    assert [None, None, None, None] == found


def test_of_what_earlier_runs_left_the_latest_is_taken_over_and_the_rest_goes() -> None:
    states = {"1-1": b"1", "1-2": b"2", "1-3": b"3"}
    assert {"1-3": b"3", "1-4": b"2"} == taken_over(states, "1-4", {"1-3", "1-4"})
    assert states == taken_over(states, "1-2", {"1-2"})
    assert states == taken_over(states, "1-4", {"1-1", "1-2", "1-3", "1-4"})
    assert {"1-1": b"1"} == with_state(None, "1-1", b"1")
    assert None is with_state({"1-1": b"1"}, "1-1", None)


def test_nothing_of_it_is_kept_of_a_one_time_task_that_is_over() -> None:
    work, store, over = Worker(2), MemoryStore(), threading.Event()
    with Scheduler(store=store) as scheduler:
        scheduler.subscribe(lambda event: over.set() if event.kind == "ended" else None)
        scheduler.add_task(dms.Task("job", work, triggers=[dms.OneTimeTrigger(delay=0)]))
        assert over.wait(PATIENCE)
    store.close()
    assert [({}, 1)] == [(task.state.saved, task.state.finished) for task in store.load().tasks]


# ── when it is on disk ──


class Slow(MemoryStore):
    """Takes nothing more for good while `held`."""

    def __init__(self) -> None:
        super().__init__()
        self.held = False
        self.waiting: queue.SimpleQueue[Future[None]] = queue.SimpleQueue()

    def save(self, changes: Any) -> "Future[None]":
        future = super().save(changes)
        if self.held:
            future = Future()
            self.waiting.put(future)
        return future


def test_in_a_thread_it_is_on_disk_when_save_returns() -> None:
    seen: list[Any] = []

    class Counting(MemoryStore):
        def save(self, changes: Any) -> Any:
            seen.extend(
                unpack(next(iter(change.state.saved.values()), None)) for change in changes if hasattr(change, "state")
            )
            return super().save(changes)

    def work(run: dms.Run) -> None:
        run.save("one")
        assert seen[-1] == "one"
        run.save("two")
        assert seen[-1] == "two"

    with Scheduler(store=Counting()) as scheduler:
        scheduler.add_task(dms.Task("job", work))
        assert ["success"] == ran(scheduler)
    assert seen[-1] is None


async def test_on_an_event_loop_it_is_on_disk_once_it_was_awaited() -> None:
    store = Slow()

    async def work(run: dms.Run) -> str:
        store.held = True
        saving = asyncio.ensure_future(asyncio.wait_for(run.save({"a": 1}), PATIENCE))
        on_its_way = await asyncio.to_thread(store.waiting.get, True, PATIENCE)
        assert not saving.done()
        store.held = False
        on_its_way.set_result(None)
        await saving
        return str(run.state)

    async with Scheduler(store=store) as scheduler:
        scheduler.add_task(dms.Task("job", work))
        assert "{'a': 1}" == (await scheduler.run_task("job")).results


async def test_whoever_waits_for_a_save_when_the_scheduler_stops_is_told() -> None:
    store, told = Slow(), queue.SimpleQueue[str]()

    def work(run: dms.Run) -> None:
        store.held = True
        try:
            run.save(1)
        except dms.ShuttingDown as error:
            told.put(str(error))
            raise

    scheduler = Scheduler(store=store)
    await scheduler.astart()
    scheduler.add_task(dms.Task("job", work))
    scheduler.run_task("job")
    await asyncio.to_thread(store.waiting.get, True, PATIENCE)
    await scheduler.astop("1ms", "1ms")
    assert "the scheduler stopped before the state was on disk" == told.get(True, PATIENCE)


def test_a_run_that_is_over_saves_nothing_any_more() -> None:
    runs: list[dms.Run] = []
    with Scheduler() as scheduler:
        scheduler.add_task(dms.Task("job", runs.append))
        scheduler.add_task(dms.Task("keeper", lambda run: runs.append(run)))
        scheduler.run_task("keeper").wait(PATIENCE)
        with pytest.raises(dms.Conflict, match="the run is over"):
            runs[0].save(1)


# ── what can be saved ──


@pytest.mark.parametrize(
    "state", [object(), float, "x" * (MOST - 1), {"a": object()}, "\udcff", [b"x".join], {(1, 2): 3}]
)
def test_what_can_not_be_kept_is_refused_and_nothing_changes(state: Any) -> None:
    with pytest.raises(InvalidInput, match=r"^state: "):
        pack(state)


def test_a_state_comes_back_in_the_plain_form_that_a_restart_would_give_and_a_change_to_it_is_nobodys() -> None:
    def work(run: dms.Run) -> Any:
        run.save({"pair": (1, 2), "none": None})
        run.state["pair"].append(3)
        return run.state

    with Scheduler() as scheduler:
        scheduler.add_task(dms.Task("job", work))
        assert {"pair": [1, 2], "none": None} == scheduler.run_task("job").wait(PATIENCE).results


def test_a_state_of_the_greatest_length_is_kept() -> None:
    longest = "x" * (MOST - 2)
    assert longest == unpack(pack(longest))
