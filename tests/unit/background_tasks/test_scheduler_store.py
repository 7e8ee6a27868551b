"""The scheduler with a store: what a restart keeps, what a failing disk holds up and what not, what is parked."""

import asyncio
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from types import ModuleType
from typing import Any

import pytest

import dms
from dms.background_tasks.agenda.decision import Alert
from dms.background_tasks.host import Host
from dms.background_tasks.scheduler import Scheduler
from dms.background_tasks.store import Change, ExecutionStore, PutExecution
from dms.errors import Conflict, InvalidInput, Misuse, NotFound, ShuttingDown, StoreError
from dms.instant import microseconds
from dms.testing import FakeClock

Make = Callable[..., Any]


def answer() -> int:
    return 42


@pytest.fixture(params=["memory", "file"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ExecutionStore]:
    made: ExecutionStore = dms.MemoryStore() if request.param == "memory" else dms.SqliteStore(tmp_path / "dms.db")
    yield made
    made.close()


@pytest.fixture
def restarted(store: ExecutionStore) -> Callable[..., Scheduler]:
    """`restarted(tasks…)` is a scheduler on the store as it was left, with those tasks added before its start."""

    def make(*tasks: dms.Task, **settings: Any) -> Scheduler:
        store.close()
        scheduler = Scheduler(store=store, **settings)
        scheduler.add_tasks(tasks)
        return scheduler

    return make


@pytest.fixture
def module() -> Iterator[ModuleType]:
    """A module `gone` with a function `work`, as long as nobody takes it away."""
    found = ModuleType("gone")
    found.work = answer  # type: ignore[attr-defined]
    sys.modules["gone"] = found
    yield found
    sys.modules.pop("gone", None)


# ── restarts ──


def test_ids_are_known_at_the_start_and_stay_over_restarts(restarted: Make) -> None:
    with restarted(dms.Task("a", answer), dms.Task("b", answer)) as scheduler:
        assert [("a", 1), ("b", 2)] == [(view.name, view.id) for view in scheduler.tasks()]
    with restarted(dms.Task("b", answer)) as scheduler:
        scheduler.add_tasks([dms.Task("c", answer), dms.Task("a", answer)])
        assert [("a", 1), ("b", 2), ("c", 3)] == [(view.name, view.id) for view in scheduler.tasks()]


def test_a_task_that_only_the_store_knows_is_parked_where_its_calendar_is_gone(restarted: Make, module: Any) -> None:
    nights = {"nights": dms.Calendar(windows=["22:00-06:00"])}
    triggers = [dms.PeriodicTrigger("1h", exclude=["nights"])]
    with restarted(calendars=nights) as scheduler:
        scheduler.add_task(dms.Task("job", "gone:work", triggers=triggers))
    with restarted() as scheduler:
        assert "no calendar is called 'nights'; there are none." == scheduler.view("job").reason
    with restarted(calendars=nights) as scheduler:
        assert ("ready", "") == (scheduler.view("job").state, scheduler.view("job").reason)


def test_a_declared_task_that_comes_again_after_the_start_has_its_id_again(restarted: Make) -> None:
    with restarted(dms.Task("a", answer, origin="declared"), dms.Task("b", answer, origin="declared")):
        pass
    with restarted() as scheduler:
        assert [] == scheduler.tasks()
        assert 2 == scheduler.add_task(dms.Task("b", answer, origin="declared")).id


def test_the_id_of_a_removed_task_is_not_given_again(restarted: Make) -> None:
    with restarted(dms.Task("a", answer)) as scheduler:
        scheduler.remove_task("a")
    with restarted(dms.Task("a", answer)) as scheduler:
        assert 2 == scheduler.get_task("a").id


def test_a_pause_and_what_was_skipped_stay_over_restarts(restarted: Make, witness: Make) -> None:
    def task() -> dms.Task:
        return dms.Task("a", answer, triggers=[dms.EventTrigger("go")])

    with restarted(task()) as scheduler:
        seen = witness(scheduler)
        scheduler.pause("a", reason="repairs")
        scheduler.emit("go")
        seen.until("skipped", "a")
    with restarted(task()) as scheduler:
        view = scheduler.view("a")
        assert ("paused", "repairs", {"paused": 1}) == (view.state, view.reason, view.skipped)
        scheduler.resume("a")
    with restarted(task()) as scheduler:
        assert "ready" == scheduler.view("a").state


def test_over_restarts_too_it_is_known_why_a_task_did_not_run(restarted: Make) -> None:
    def backup() -> dms.Task:
        trigger = dms.PeriodicTrigger(cron="0 3 * * *", timezone="UTC")
        return dms.Task("backup", answer, triggers=[trigger], catch_up_window="1h")

    clock = FakeClock(datetime(2026, 11, 24, 12, tzinfo=UTC))
    with restarted(backup(), clock=clock, timezone="UTC") as scheduler:
        clock.woken = scheduler.wake
        clock.advance("13h12m")
    clock.woken = lambda: None
    clock.advance("11h")
    with restarted(backup(), clock=clock, timezone="UTC") as scheduler:
        then = scheduler.explain("backup", datetime(2026, 11, 25, 3, tzinfo=UTC))
        assert ("did_not_run", "The node was off from 01:12 today to 12:12 today.") == (then.verdict, then.facts[-1])
        scheduler.run_task("backup").wait(10)
        assert "ran" == scheduler.explain("backup", datetime(2026, 11, 25, 12, 12, tzinfo=UTC)).verdict
        assert "It last ran at 12:12 today because an operator asked" in scheduler.explain("backup").facts[0]


def test_what_runs_and_is_not_in_the_store_yet_is_in_the_explanation(restarted: Make, gate: Make) -> None:
    hold = gate()
    with restarted(dms.Task("hold", hold, durability="none")) as scheduler:
        scheduler.run_task("hold")
        hold.await_begin()
        told = scheduler.explain("hold").sentence
        hold.open()
    assert told.startswith("hold runs since ")


@pytest.mark.parametrize(
    "moment", [datetime(2026, 1, 1), datetime(1969, 1, 1, tzinfo=UTC), datetime(9500, 1, 1, tzinfo=UTC)]
)
def test_a_moment_that_can_t_be_told_of_is_refused(restarted: Make, moment: datetime) -> None:
    with restarted(dms.Task("a", answer)) as scheduler, pytest.raises(InvalidInput, match="at: "):
        scheduler.explain("a", moment)


def test_what_is_to_come_takes_as_long_as_it_mostly_took(restarted: Make) -> None:
    clock = FakeClock(datetime(2026, 11, 24, 12, tzinfo=UTC))
    with restarted(clock=clock, timezone="UTC") as scheduler:

        def take(run: dms.Run) -> None:
            assert run.event is not None
            clock.advance(run.event.payload)

        scheduler.add_task(dms.Task("slow", take, triggers=[dms.PeriodicTrigger("1d")]))
        for length in ("1m", "10m", "2m"):
            scheduler.run_task("slow", length).wait(10)
        run, *more = scheduler.preview(1.5).runs
        assert ("slow", microseconds("2m"), []) == (run.task, run.length, more)


def test_what_is_to_come_is_known_on_the_loop_too_and_only_while_it_runs(restarted: Make) -> None:
    scheduler = restarted(dms.Task("a", answer, triggers=[dms.PeriodicTrigger("1h")]))
    with pytest.raises(Misuse, match="start the scheduler first"):
        scheduler.preview()
    with scheduler:
        found: Future[int] = Future()
        scheduler.add_task(dms.Task("on-loop", _asks(scheduler, found)))
        scheduler.run_task("on-loop").wait(10)
        assert 23 <= found.result(0) <= 24
        with pytest.raises(NotFound):
            scheduler.preview(1, ["b"])
    with pytest.raises(ShuttingDown):
        scheduler.preview()


def _asks(scheduler: Scheduler, found: "Future[int]") -> Callable[[], Any]:
    async def ask() -> None:
        found.set_result(len(scheduler.preview(1).runs))

    return ask


def test_a_pause_of_the_whole_stays_over_restarts(restarted: Make) -> None:
    with restarted(dms.Task("a", answer)) as scheduler:
        scheduler.pause(reason="repairs")
    with restarted(dms.Task("a", answer)) as scheduler:
        assert ("paused", "repairs") == (scheduler.view("a").state, scheduler.view("a").reason)


def test_a_removed_task_stays_removed(restarted: Make) -> None:
    with restarted(dms.Task("a", answer)) as scheduler:
        scheduler.remove_task("a")
    with restarted() as scheduler:
        assert [] == scheduler.tasks()


async def test_the_history_stays_over_restarts(restarted: Make) -> None:
    async with restarted(dms.Task("a", answer)) as scheduler:
        first = await scheduler.run_task("a")
    async with restarted(dms.Task("a", answer)) as scheduler:
        second = await scheduler.run_task("a")
        assert ["2", "1"] == [each.id.partition("-")[0] for each in (second, first)]
        assert [second, first] == await scheduler.history("a")
        assert [first] == await scheduler.history("a", before=second.id)
        assert second == scheduler.view("a").last
        scheduler.remove_task("a")
        assert 2 == len(await scheduler.history("a"))
        with pytest.raises(NotFound):
            await scheduler.history("b")


def test_a_run_that_waits_at_a_stop_runs_after_the_restart(restarted: Make, gate: Make, witness: Make) -> None:
    work = gate()
    scheduler = restarted(dms.Task("busy", work), dms.Task("a", answer), max_running_tasks=1)
    scheduler.start()
    scheduler.run_task("busy")
    work.await_begin()
    waiting = scheduler.run_task("a", "the event")
    scheduler.view("a")
    assert ["busy"] == scheduler.stop(drain=0, cancel="5ms")
    work.open()
    with pytest.raises(ShuttingDown):
        waiting.wait("1s")
    scheduler = restarted(dms.Task("a", lambda run: run.event.payload))
    seen = witness(scheduler)
    with scheduler:
        assert "the event" == seen.until("ended", "a")[0].execution.results


def test_a_retry_that_waits_stays_over_restarts(restarted: Make, witness: Make) -> None:
    def task() -> dms.Task:
        return dms.Task("a", lambda run: 1 / (run.attempt - 1), retry_policy=dms.RetryPolicy(1, "1h"))

    clock = FakeClock()
    with restarted(task(), clock=clock) as scheduler:
        seen = witness(scheduler)
        scheduler.run_task("a")
        first = seen.until("ended", "a")[0].execution
    with restarted(task(), clock=clock) as scheduler:
        clock.woken = scheduler.wake
        seen = witness(scheduler)
        assert "retrying" == scheduler.view("a").state
        clock.advance("1h")
        second = seen.until("ended", "a")[0].execution
        assert (first.run_id, 2, "success") == (second.run_id, second.attempt, second.status)


def test_a_task_that_only_the_store_knows_goes_on_by_itself(restarted: Make, module: ModuleType) -> None:
    with restarted(dms.Task("a", "gone:work", priority=3, description="the work")):
        pass
    with restarted() as scheduler:
        view = scheduler.view("a")
        assert ("ready", 3, "the work") == (view.state, view.priority, view.description)
        assert 42 == scheduler.run_task("a").wait("5s").results


def test_a_program_that_only_the_store_knows_goes_on_by_itself(restarted: Make) -> None:
    with restarted(dms.Task("a", dms.Program(("echo", "hello")))):
        pass
    with restarted() as scheduler:
        assert "hello\n" == scheduler.run_task("a").wait("5s").results["output"]


# ── parked ──


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (lambda module: sys.modules.pop("gone"), "gone can't be imported: ModuleNotFoundError"),
        (lambda module: delattr(module, "work"), "gone has no function work"),
        (lambda module: setattr(module, "work", 3), "gone has no function work"),
    ],
)
def test_a_function_that_is_gone_parks_its_task_and_a_good_one_repairs_it(
    restarted: Make, module: ModuleType, witness: Make, broken: Callable[[ModuleType], None], reason: str
) -> None:
    every = [dms.PeriodicTrigger("1h")]
    clock = FakeClock()
    with restarted(dms.Task("a", "gone:work", triggers=every), clock=clock) as scheduler:
        due = scheduler.view("a").next_fire
    broken(module)
    for _ in range(2):
        with restarted(clock=clock) as scheduler:
            view = scheduler.view("a")
            assert ("parked", 1) == (view.state, view.id)
            assert reason in view.reason
            with pytest.raises(Conflict, match="a is parked"):
                scheduler.run_task("a").wait("5s")
    with restarted(clock=clock) as scheduler:
        clock.woken = scheduler.wake
        seen = witness(scheduler)
        task = scheduler.add_task(dms.Task("a", answer, triggers=every))
        assert ("ready", 1, due) == (scheduler.view("a").state, task.id, scheduler.view("a").next_fire)
        clock.advance("1h")
        assert 42 == seen.until("ended", "a")[0].execution.results


def test_a_function_that_can_not_be_found_again_is_parked_until_its_program_adds_it(restarted: Make) -> None:
    with restarted(dms.Task("a", lambda: 1)):
        pass
    with restarted() as scheduler:
        assert "it belongs to the program that added the task" in scheduler.view("a").reason
        scheduler.add_task(dms.Task("a", lambda: 2))
        assert 2 == scheduler.run_task("a").wait("5s").results


def test_a_module_that_ends_the_process_when_it_is_imported_parks_its_task(
    restarted: Make, module: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with restarted(dms.Task("a", "gone:work")):
        pass
    sys.modules.pop("gone")
    (tmp_path / "gone.py").write_text("raise SystemExit('wrong machine')")
    monkeypatch.syspath_prepend(tmp_path)
    with restarted() as scheduler:
        assert "gone can't be imported: SystemExit: wrong machine" in scheduler.view("a").reason


def test_a_task_may_come_again_while_the_scheduler_starts_and_is_there_once(restarted: Make) -> None:
    with restarted(dms.Task("a", answer)):
        pass
    scheduler = restarted()
    restore = scheduler._restore

    def add_meanwhile(memory: Any) -> None:
        scheduler.add_task(dms.Task("a", lambda: "anew"))
        restore(memory)

    scheduler._restore = add_meanwhile
    with scheduler:
        assert [("a", 1)] == [(view.name, view.id) for view in scheduler.tasks()]
        assert "anew" == scheduler.run_task("a").wait("5s").results


def test_what_is_declared_no_longer_is_forgotten(restarted: Make) -> None:
    def declared(name: str) -> dms.Task:
        return dms.Task(name, answer, origin="declared")

    with restarted(declared("a"), declared("b"), dms.Task("c", answer)):
        pass
    with restarted(declared("a")) as scheduler:
        scheduler.drop_undeclared("declared")
        assert ["a", "c"] == [view.name for view in scheduler.tasks()]
    with restarted(declared("a"), declared("b")) as scheduler:
        assert [("a", 1), ("c", 3), ("b", 4)] == [(v.name, v.id) for v in sorted(scheduler.tasks(), key=lambda v: v.id)]


def test_what_is_declared_and_can_not_run_for_now_is_not_forgotten(restarted: Make) -> None:
    every = [dms.PeriodicTrigger("1h")]

    def declared(**fields: Any) -> dms.Task:
        return dms.Task("a", answer, triggers=every, origin="declared", **fields)

    clock = FakeClock()
    with restarted(declared(), clock=clock) as scheduler:
        due = scheduler.view("a").next_fire
    clock.advance("10m")
    with restarted(declared(parked="gone.py can't be read"), clock=clock) as scheduler:
        scheduler.drop_undeclared("declared")
        view = scheduler.view("a")
        assert ("parked", "gone.py can't be read", 1) == (view.state, view.reason, view.id)
        scheduler.pause("a", reason="repairs")
    with restarted(declared(), clock=clock) as scheduler:
        scheduler.drop_undeclared("declared")
        assert ("paused", "repairs", 1) == (
            scheduler.view("a").state,
            scheduler.view("a").reason,
            scheduler.view("a").id,
        )
        scheduler.resume("a")
        assert due == scheduler.view("a").next_fire


# ── a store that fails ──


class Disk(dms.MemoryStore):
    """A store whose saves fail while it is `full`."""

    def __init__(self) -> None:
        super().__init__()
        self.full = False
        self.refused = Event()
        self.raising = False

    def save(self, changes: Sequence[Change]) -> "Future[None]":
        if self.raising:
            raise RuntimeError("a broken store")
        if not self.full:
            return super().save(changes)
        failed: Future[None] = Future()
        failed.set_exception(StoreError("no room left on the disk"))
        self.refused.set()
        return failed


def test_while_the_disk_is_full_durable_tasks_wait_and_the_others_go_on(witness: Make) -> None:
    disk, clock, alerts = Disk(), FakeClock(), []
    told, withdrawn = Event(), Event()

    def alert(alert: Alert) -> None:
        alerts.append(alert)
        (told if alert.message else withdrawn).set()

    with Scheduler(store=disk, clock=clock, host=Host(alert=alert)) as scheduler:
        clock.woken = scheduler.wake
        seen = witness(scheduler)
        scheduler.add_tasks([dms.Task("durable", answer), dms.Task("fleeting", answer, durability="none")])
        scheduler.wake()
        disk.full = True
        handle = scheduler.run_task("durable")
        assert disk.refused.wait(5)
        assert told.wait(5)
        message = "no room left on the disk; durable tasks wait until it works again"
        assert Alert("store", "executions", message) == alerts[0]
        assert 42 == scheduler.run_task("fleeting").wait("5s").results
        assert [] == seen.of("started", "durable")
        assert "waiting" == scheduler.view("durable").state
        assert 0 == scheduler.running_tasks_count()
        disk.full = False
        clock.advance("1s")
        assert 42 == handle.wait("5s").results
        assert withdrawn.wait(5)
        assert "" == alerts[-1].message


def test_an_end_that_the_disk_does_not_take_is_told_once_it_does(gate: Make) -> None:
    disk, clock, work = Disk(), FakeClock(), gate()
    with Scheduler(store=disk, clock=clock) as scheduler:
        clock.woken = scheduler.wake
        scheduler.add_task(dms.Task("a", work))
        handle = scheduler.run_task("a")
        work.await_begin()
        disk.full = True
        work.open()
        assert disk.refused.wait(5)
        assert handle.execution is None
        disk.full = False
        clock.advance("1s")
        assert "let go" == handle.wait("5s").results


def test_whoever_waits_for_an_end_that_is_never_on_disk_is_told_at_the_stop(gate: Make) -> None:
    disk, work = Disk(), gate()
    with Scheduler(store=disk, clock=FakeClock()) as scheduler:
        scheduler.add_task(dms.Task("a", work))
        handle = scheduler.run_task("a")
        work.await_begin()
        disk.full = True
        work.open()
        assert disk.refused.wait(5)
    with pytest.raises(ShuttingDown):
        handle.wait("5s")


def test_a_store_that_raises_instead_of_failing_is_a_failing_store() -> None:
    disk, clock = Disk(), FakeClock()
    with Scheduler(store=disk, clock=clock) as scheduler:
        clock.woken = scheduler.wake
        scheduler.add_task(dms.Task("a", answer))
        scheduler.wake()
        disk.raising = True
        handle = scheduler.run_task("a")
        scheduler.wake()
        disk.raising = False
        clock.advance("1s")
        assert 42 == handle.wait("5s").results


@pytest.mark.parametrize("cancelled", [False, True])
async def test_a_scheduler_has_started_once_its_first_batch_is_on_disk(cancelled: bool) -> None:
    class Held(dms.MemoryStore):
        def save(self, changes: Sequence[Change]) -> "Future[None]":
            super().save(changes)
            asked.set()
            return saved

    asked, saved = asyncio.Event(), Future[None]()
    scheduler = Scheduler(store=Held())
    scheduler.add_task(dms.Task("a", answer))
    start = asyncio.create_task(scheduler.astart())
    await asyncio.wait_for(asked.wait(), 5)
    assert not start.done()
    if cancelled:
        start.cancel()
        with pytest.raises(asyncio.CancelledError):
            await start
        with pytest.raises(ShuttingDown):
            scheduler.run_task("a")
    saved.set_result(None)
    if not cancelled:
        await asyncio.wait_for(start, 5)
    await scheduler.astop()


def test_a_durable_start_is_on_disk_before_the_function_runs() -> None:
    saved: list[str] = []

    class Watched(dms.MemoryStore):
        def save(self, changes: Sequence[Change]) -> "Future[None]":
            saved.extend(change.execution.status for change in changes if isinstance(change, PutExecution))
            return super().save(changes)

    with Scheduler(store=Watched()) as scheduler:
        scheduler.add_task(dms.Task("a", lambda: list(saved)))
        assert ["starting"] == scheduler.run_task("a").wait("5s").results
    assert ["starting", "success"] == saved


def test_a_disk_that_does_not_answer_is_told_and_no_longer_once_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stuck(dms.MemoryStore):
        stuck: "Future[None] | None" = None

        def save(self, changes: Sequence[Change]) -> "Future[None]":
            saved = super().save(changes)
            return saved if self.stuck is None else self.stuck

    def alert(alert: Alert) -> None:
        alerts.append(alert)
        (told if alert.message else withdrawn).set()

    monkeypatch.setattr("dms.background_tasks.loop.slow_disk.PATIENCE", 0.05)
    store, alerts, told, withdrawn = Stuck(), list[Alert](), Event(), Event()
    with Scheduler(store=store, host=Host(alert=alert)) as scheduler:
        scheduler.add_tasks([dms.Task("durable", answer), dms.Task("fleeting", answer, durability="none")])
        scheduler.wake()
        store.stuck = Future()
        handle = scheduler.run_task("durable")
        assert told.wait(5)
        why = "the disk has not taken what it was given for 0.05 s; durable tasks wait until it does"
        assert [Alert("store", "executions", why)] == alerts
        assert 42 == scheduler.run_task("fleeting").wait("5s").results
        saved, store.stuck = store.stuck, None
        saved.set_result(None)
        assert 42 == handle.wait("5s").results
        assert withdrawn.wait(5)
    assert "" == alerts[-1].message


def test_a_slow_disk_holds_up_nobody_but_those_that_need_it() -> None:
    class Slow(dms.MemoryStore):
        def __init__(self) -> None:
            super().__init__()
            self.futures: list[Future[None]] = []
            self.slow = False

        def save(self, changes: Sequence[Change]) -> "Future[None]":
            done = super().save(changes)
            if not self.slow:
                return done
            self.futures.append(Future())
            return self.futures[-1]

    disk = Slow()
    with Scheduler(store=disk) as scheduler:
        scheduler.add_tasks([dms.Task("durable", answer), dms.Task("fleeting", answer, durability="none")])
        scheduler.wake()
        disk.slow = True
        handle = scheduler.run_task("durable")
        assert 42 == scheduler.run_task("fleeting").wait("5s").results
        assert handle.execution is None
        disk.slow = False
        for future in disk.futures:
            future.set_result(None)
        assert 42 == handle.wait("5s").results


def test_results_that_no_file_can_hold_are_kept_as_near_as_can_be(restarted: Make) -> None:
    with restarted(
        dms.Task("a", object), dms.Task("b", lambda: {"when": datetime(2026, 1, 1, tzinfo=UTC)})
    ) as scheduler:
        assert ["success"] * 2 == [scheduler.run_task(name).wait("5s").status for name in "ab"]
        assert "<object object at" in scheduler.get_task("a").execution_history[0].results
