"""The scheduler as a program uses it: every row of the specification's table, before and after the start, from any
thread, and what each misuse is answered with."""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier, Thread, get_ident
from typing import Any

import pytest

import dms
from dms.background_tasks.asking.view import RunEvent
from dms.background_tasks.scheduler import Scheduler
from dms.errors import (
    Conflict,
    InvalidInput,
    InvalidTask,
    InvalidTrigger,
    Misuse,
    NotFound,
    ShuttingDown,
    WaitTimeout,
)
from dms.testing import FakeClock

Make = Callable[..., Any]


def nothing() -> None:
    pass


def answer() -> int:
    return 42


# ── the twelve lines ──


def test_the_twelve_lines_of_the_first_five_minutes_do_what_they_say() -> None:
    def collect(run: dms.Run) -> int:
        for done in range(100):
            run.progress(done, 100)
        return 42

    with dms.Scheduler(max_running_tasks=4) as scheduler:
        scheduler.add_task(
            dms.Task(
                "collect",
                collect,
                triggers=[dms.PeriodicTrigger(interval="5m")],
                retry_policy=dms.RetryPolicy(max_retries=3, delay="2s"),
            )
        )
        execution = scheduler.run_task("collect").wait(timeout="10s")
        assert ("success", 42) == (execution.status, execution.results)


async def test_a_scheduler_runs_on_the_callers_loop_with_async_with() -> None:
    loops = []

    async def where() -> None:
        loops.append(asyncio.get_running_loop())

    async with Scheduler() as scheduler:
        scheduler.add_task(dms.Task("where", where))
        await scheduler.run_task("where")
    assert [asyncio.get_running_loop()] == loops


def test_a_scheduler_without_a_loop_runs_in_a_thread_of_its_own() -> None:
    threads = []

    async def where() -> None:
        threads.append(get_ident())

    with Scheduler() as scheduler:
        scheduler.add_task(dms.Task("where", where))
        scheduler.run_task("where").wait("5s")
    assert threads != [get_ident()]


# ── adding, removing, finding ──


def test_add_task_gives_the_task_back_with_its_id() -> None:
    scheduler, task = Scheduler(), dms.Task("a", nothing)
    assert task is scheduler.add_task(task)
    assert 1 == task.id


def test_ids_are_never_given_twice() -> None:
    scheduler = Scheduler()
    first = scheduler.add_task(dms.Task("a", nothing))
    scheduler.remove_task("a")
    assert 1 == first.id
    assert 2 == scheduler.add_task(dms.Task("a", nothing)).id


def test_a_task_is_found_by_id_and_by_name() -> None:
    scheduler = Scheduler()
    task = scheduler.add_task(dms.Task("a", nothing))
    assert [task, task] == [scheduler.get_task("a"), scheduler.get_task(1)]


def test_a_task_that_is_not_there_is_not_found_and_the_nearest_name_is_told() -> None:
    scheduler = Scheduler()
    scheduler.add_task(dms.Task("backup", nothing))
    with pytest.raises(NotFound, match=r"there is no task called bakcup\. Did you mean backup\?"):
        scheduler.run_task("bakcup")
    with pytest.raises(NotFound, match=r"^there is no task with ID 7$"):
        scheduler.run_task(7)


@pytest.mark.parametrize("call", ["remove_task", "get_task", "run_task", "pause", "resume", "view"])
def test_every_call_that_names_a_task_says_that_it_is_not_there(call: str) -> None:
    with pytest.raises(NotFound, match="there is no task called ghost"):
        getattr(Scheduler(), call)("ghost")


def test_a_name_is_taken_once() -> None:
    scheduler = Scheduler()
    scheduler.add_task(dms.Task("a", nothing))
    with pytest.raises(Conflict, match="a task called a is there already"):
        scheduler.add_task(dms.Task("a", nothing))


def test_a_task_is_registered_once() -> None:
    scheduler, task = Scheduler(), dms.Task("a", nothing)
    scheduler.add_task(task)
    with pytest.raises(Conflict, match="registered already; make another Task"):
        Scheduler().add_task(task)


def test_a_function_given_as_text_is_found_when_it_is_added() -> None:
    with Scheduler() as scheduler:
        scheduler.add_task(dms.Task("here", "os:getcwd"))
        assert os.getcwd() == scheduler.run_task("here").wait("5s").results


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("no_such_module:f", "no_such_module can't be imported: ModuleNotFoundError"),
        ("os:no_such_function", "os has no function no_such_function"),
        ("os:path", "os has no function path"),
    ],
)
def test_a_function_that_is_not_there_is_refused_when_its_task_is_added(reference: str, message: str) -> None:
    with pytest.raises(InvalidTask, match=message):
        Scheduler().add_task(dms.Task("a", reference))


def test_a_task_is_added_run_and_removed_while_the_scheduler_runs() -> None:
    with Scheduler() as scheduler:
        scheduler.add_task(dms.Task("a", answer))
        assert 42 == scheduler.run_task("a").wait("5s").results
        scheduler.remove_task("a")
        assert [] == scheduler.tasks()
        with pytest.raises(NotFound):
            scheduler.run_task("a")


def test_add_tasks_adds_each() -> None:
    tasks = Scheduler().add_tasks([dms.Task("a", nothing), dms.Task("b", nothing)])
    assert [("a", 1), ("b", 2)] == [(task.name, task.id) for task in tasks]


def test_a_removed_task_lets_its_run_finish(gate: Make, witness: Make) -> None:
    work = gate()
    with Scheduler() as scheduler:
        seen = witness(scheduler)
        scheduler.add_task(dms.Task("a", work))
        handle = scheduler.run_task("a")
        work.await_begin()
        scheduler.remove_task("a")
        work.open()
        assert "success" == handle.wait("5s").status
        seen.until("ended", "a")


def test_a_removed_task_takes_back_what_waits_of_it(gate: Make) -> None:
    work = gate()
    with Scheduler(max_running_tasks=1) as scheduler:
        scheduler.add_tasks([dms.Task("busy", work), dms.Task("a", nothing)])
        scheduler.run_task("busy")
        work.await_begin()
        waiting = scheduler.run_task("a")
        scheduler.remove_task("a")
        assert ("cancelled", "the task was removed") == (waiting.wait("5s").status, waiting.wait().error)
        work.open()


def test_a_task_whose_triggers_are_all_one_time_goes_once_it_has_run(witness: Make) -> None:
    with Scheduler() as scheduler:
        seen = witness(scheduler)
        scheduler.add_task(dms.Task("once", answer, triggers=[dms.OneTimeTrigger(delay="1ms")]))
        seen.until("ended", "once")
        assert [] == scheduler.tasks()
        with pytest.raises(NotFound):
            scheduler.get_task("once")


def test_the_name_of_a_task_that_has_gone_is_free_once_its_run_is_told() -> None:
    with Scheduler() as scheduler:
        for _ in range(50):
            scheduler.add_task(dms.Task("once", answer, triggers=[dms.OneTimeTrigger(delay="1h")]))
            scheduler.remove_task("once")


# ── before the start ──


def test_what_is_asked_for_before_the_start_is_done_at_the_start() -> None:
    scheduler = Scheduler()
    scheduler.add_task(dms.Task("a", answer))
    scheduler.add_task(dms.Task("b", lambda run: run.event.payload, triggers=[dms.EventTrigger("door.opened")]))
    scheduler.pause("a", reason="not now")
    handle = scheduler.run_task("a")
    scheduler.emit("door.opened", "front")
    assert [] == scheduler.tasks()
    assert 0 == scheduler.running_tasks_count()
    with scheduler:
        assert 42 == handle.wait("5s").results
        assert ("paused", "not now") == (scheduler.view("a").state, scheduler.view("a").reason)


def test_who_waits_where_nothing_was_started_is_told_so() -> None:
    scheduler = Scheduler()
    scheduler.add_task(dms.Task("a", lambda: 1))
    handle = scheduler.run_task("a")
    with pytest.raises(Misuse, match="the scheduler has not been started, so nothing runs; use: with scheduler"):
        handle.wait()
    with pytest.raises(WaitTimeout, match="the run has not ended within 1ms; the scheduler has not been started"):
        handle.wait("1ms")
    with scheduler:
        assert 1 == handle.wait().results


def test_a_task_added_and_removed_before_the_start_is_not_there() -> None:
    scheduler = Scheduler(store=dms.MemoryStore())
    scheduler.add_task(dms.Task("a", nothing))
    handle = scheduler.run_task("a")
    scheduler.pause("a")
    scheduler.resume("a")
    scheduler.remove_task("a")
    scheduler.add_task(dms.Task("b", answer))
    with scheduler:
        assert ["b"] == [view.name for view in scheduler.tasks()]
        assert "ready" == scheduler.view("b").state
        with pytest.raises(Conflict, match="the task is gone"):
            handle.wait("5s")


def test_the_next_fire_is_known_as_soon_as_a_task_is_added() -> None:
    with Scheduler() as scheduler:
        for number in range(200):
            task = scheduler.add_task(dms.Task(f"t{number}", nothing, triggers=[dms.PeriodicTrigger("1h")]))
            assert task.next_fire is not None
            assert scheduler.view(task.name).next_fire is not None


def test_next_fire_is_a_time_in_utc_and_none_before_the_start() -> None:
    scheduler = Scheduler()
    task = scheduler.add_task(dms.Task("a", nothing, triggers=[dms.OneTimeTrigger(at="2100-01-01T00:00+02:00")]))
    assert task.next_fire is None
    with scheduler:
        assert datetime(2099, 12, 31, 22, tzinfo=UTC) == task.next_fire


def test_a_view_before_the_start_is_refused() -> None:
    scheduler = Scheduler()
    scheduler.add_task(dms.Task("a", nothing))
    with pytest.raises(Misuse, match="start the scheduler first"):
        scheduler.view("a")


# ── running ──


def test_the_event_given_to_run_task_reaches_the_run() -> None:
    with Scheduler() as scheduler:
        scheduler.add_task(dms.Task("a", lambda run: (run.event.topic, run.event.payload, run.attempt, run.task)))
        assert ("operator", {"n": 1}, 1, "a") == scheduler.run_task("a", {"n": 1}).wait("5s").results


def test_arguments_reach_the_function() -> None:
    with Scheduler() as scheduler:
        scheduler.add_task(dms.Task("a", lambda *args, **kwargs: (args, kwargs), (1, 2), {"three": 3}))
        assert ((1, 2), {"three": 3}) == scheduler.run_task("a").wait("5s").results


def test_the_configuration_as_it_is_at_the_start_reaches_the_run() -> None:
    snapshots = iter(["first", "second"])
    with Scheduler(snapshot=lambda: next(snapshots)) as scheduler:
        scheduler.add_task(dms.Task("a", lambda run: run.config))
        assert ["first", "second"] == [scheduler.run_task("a").wait("5s").results for _ in range(2)]


def test_a_snapshot_that_raises_fails_the_run_and_nothing_else() -> None:
    def broken() -> None:
        raise KeyError("no configuration")

    with Scheduler(snapshot=broken) as scheduler:
        scheduler.add_tasks([dms.Task("a", answer), dms.Task("b", answer)])
        handles = [scheduler.run_task(name) for name in "ab"]
        assert ["failed", "failed"] == [handle.wait("5s").status for handle in handles]
        assert "it could not be started: KeyError: 'no configuration'" in str(handles[0].wait().error)
        assert 0 == scheduler.running_tasks_count()


async def test_a_run_is_accepted_before_it_ends(gate: Make) -> None:
    work = gate()
    async with Scheduler(max_running_tasks=1) as scheduler:
        scheduler.add_tasks([dms.Task("a", work), dms.Task("b", answer)])
        handles = [scheduler.run_task(name) for name in "ab"]
        accepted = [await handle.accepted() for handle in handles]
        assert [("a", "running"), ("b", "waiting")] == [(each.task, each.status) for each in accepted]
        with pytest.raises(Conflict, match="a is running already"):
            await scheduler.run_task("a").accepted()
        work.open()
        assert accepted[1].id == (await handles[1]).id


def test_a_running_task_is_not_run_again_where_its_overlap_is_skip(gate: Make) -> None:
    work = gate()
    with Scheduler() as scheduler:
        scheduler.add_task(dms.Task("a", work))
        scheduler.run_task("a")
        work.await_begin()
        with pytest.raises(Conflict, match="a is running already; its overlap is skip"):
            scheduler.run_task("a").wait("5s")
        work.open()


def test_a_paused_and_a_disabled_task_run_when_an_operator_asks() -> None:
    with Scheduler() as scheduler:
        scheduler.add_tasks([dms.Task("paused", answer), dms.Task("disabled", answer, enabled=False)])
        scheduler.pause("paused")
        assert 42 == scheduler.run_task("paused").wait("5s").results
        assert 42 == scheduler.run_task("disabled").wait("5s").results
        assert "disabled" == scheduler.view("disabled").state


def test_running_and_waiting_are_counted(gate: Make, witness: Make) -> None:
    work = gate()
    with Scheduler(max_running_tasks=1) as scheduler:
        seen = witness(scheduler)
        scheduler.add_tasks([dms.Task("a", work), dms.Task("b", answer)])
        scheduler.run_task("a")
        waiting = scheduler.run_task("b")
        work.await_begin()
        assert "waiting" == scheduler.view("b").state
        assert (1, 1) == (scheduler.running_tasks_count(), scheduler.waiting_count())
        work.open()
        waiting.wait("5s")
        seen.until("ended", "b")
        assert (0, 0) == (scheduler.running_tasks_count(), scheduler.waiting_count())


# ── events ──


def test_an_event_reaches_every_task_that_waits_for_it(witness: Make) -> None:
    with Scheduler() as scheduler:
        seen = witness(scheduler)
        for name in "ab":
            scheduler.add_task(
                dms.Task(name, lambda run: run.event.payload, triggers=[dms.EventTrigger("door.opened")])
            )
        scheduler.emit("door.opened", "front")
        scheduler.emit("door.closed", "back")
        ends = [seen.until("ended", name)[0].execution for name in "ab"]
        assert [("front", "event")] * 2 == [(end.results, end.cause) for end in ends]


def test_a_topic_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidTrigger, match="is not words joined by dots"):
        Scheduler().emit("door opened")


def test_tasks_are_chained_by_the_ends_of_others(witness: Make) -> None:
    def fail() -> None:
        raise OSError("no route")

    with Scheduler() as scheduler:
        seen = witness(scheduler)
        scheduler.add_tasks(
            [
                dms.Task("good", answer),
                dms.Task("bad", fail),
                dms.Task("next", lambda run: run.event.payload, triggers=[dms.EventTrigger("task.good.success")]),
                dms.Task("mend", lambda run: run.event.payload, triggers=[dms.EventTrigger("task.bad.failed")]),
            ]
        )
        good = scheduler.run_task("good").wait("5s")
        scheduler.run_task("bad").wait("5s")
        told = seen.until("ended", "next")[0].execution.results
        assert (good.id, good.run_id, "success", None, 42) == tuple(told.values())
        assert "OSError: no route" in seen.until("ended", "mend")[0].execution.results["error"]


# ── pause and resume ──


def test_a_paused_task_skips_its_fires_and_counts_them(witness: Make) -> None:
    with Scheduler() as scheduler:
        seen = witness(scheduler)
        scheduler.add_task(dms.Task("a", answer, triggers=[dms.EventTrigger("go")]))
        scheduler.pause("a", reason="repairs")
        scheduler.emit("go")
        assert "paused" == seen.until("skipped", "a")[0].text
        assert {"paused": 1} == scheduler.view("a").skipped
        scheduler.resume("a")
        scheduler.emit("go")
        seen.until("ended", "a")
        assert ("ready", "") == (scheduler.view("a").state, scheduler.view("a").reason)


def test_the_whole_scheduler_is_paused_and_resumed(witness: Make) -> None:
    with Scheduler() as scheduler:
        seen = witness(scheduler)
        scheduler.add_tasks([dms.Task(name, answer, triggers=[dms.EventTrigger("go")]) for name in "ab"])
        scheduler.pause()
        scheduler.emit("go")
        assert ["paused", "paused"] == [view.state for view in scheduler.tasks()]
        scheduler.resume("a")
        assert "paused" == scheduler.view("a").state
        scheduler.resume()
        scheduler.emit("go")
        seen.until("ended", "a")
        seen.until("ended", "b")
        assert [1, 1] == [len(seen.of("skipped", name)) for name in "ab"]


def test_resuming_a_task_that_was_just_removed_does_not_resume_the_others() -> None:
    with Scheduler() as scheduler:
        scheduler.add_tasks([dms.Task("a", nothing), dms.Task("b", nothing)])
        scheduler.pause()
        task = scheduler.get_task("a")
        scheduler.remove_task("a")
        scheduler._registry.restore(task, 1)  # as it looks to a thread that found it just before
        scheduler.resume("a")
        assert "paused" == scheduler.view("b").state


def test_a_pause_until_a_moment_without_an_offset_is_refused() -> None:
    scheduler = Scheduler()
    with pytest.raises(InvalidInput, match="until: 2100-01-01T00:00:00 has no UTC offset"):
        scheduler.pause(until=datetime(2100, 1, 1))


def test_a_moment_that_is_text_is_refused_with_what_is_wanted() -> None:
    with Scheduler() as scheduler:
        scheduler.add_task(dms.Task("a", nothing))
        for wrong in (
            lambda: scheduler.pause(until="2126-01-01"),  # type: ignore[arg-type]
            lambda: scheduler.backfill("a", "2026-01-01"),  # type: ignore[arg-type]
            lambda: scheduler.explain("a", "2026-01-01"),  # type: ignore[arg-type]
        ):
            with pytest.raises(InvalidInput, match=r"'2\d26-01-01' is not a datetime, such as datetime\(2026, 12"):
                wrong()


def test_a_pause_ends_at_its_moment() -> None:
    clock = FakeClock(datetime(2026, 1, 1, tzinfo=UTC))
    with Scheduler(clock=clock) as scheduler:
        clock.woken = scheduler.wake
        scheduler.add_task(dms.Task("a", nothing))
        scheduler.pause("a", until=datetime(2026, 1, 2, tzinfo=UTC))
        clock.advance("23h59m")
        assert "paused" == scheduler.view("a").state
        clock.advance("1m")
        assert "ready" == scheduler.view("a").state


def test_a_pause_until_a_moment_that_is_past_is_refused() -> None:
    with Scheduler() as scheduler:
        scheduler.add_task(dms.Task("a", nothing))
        with pytest.raises(InvalidInput, match=r"^until: 2020-01-01 00:00:00\+00:00 is past; name a moment"):
            scheduler.pause("a", until=datetime(2020, 1, 1, tzinfo=UTC))
        assert "ready" == scheduler.view("a").state


# ── history ──


async def test_the_history_is_newest_first_and_can_be_paged() -> None:
    async with Scheduler() as scheduler:
        task = scheduler.add_task(dms.Task("a", answer))
        ids = [(await scheduler.run_task("a")).id for _ in range(3)][::-1]
        assert ids == [execution.id for execution in await scheduler.history("a")]
        assert ids[:1] == [execution.id for execution in await scheduler.history("a", limit=1)]
        assert ids[1:] == [execution.id for execution in await scheduler.history("a", before=ids[0])]
        assert ids == [execution.id for execution in task.execution_history]


async def test_the_history_of_what_never_was_is_not_found() -> None:
    async with Scheduler() as scheduler:
        scheduler.add_task(dms.Task("a", answer))
        assert [] == await scheduler.history("a")
        with pytest.raises(NotFound, match="there is no task called b"):
            await scheduler.history("b")
        await scheduler.run_task("a")
        with pytest.raises(NotFound, match="there is no execution 9-9 of a"):
            await scheduler.history("a", before="9-9")


async def test_the_history_is_bounded_and_outlives_its_task() -> None:
    async with Scheduler(history_limit=2) as scheduler:
        scheduler.add_task(dms.Task("a", answer))
        ids = [(await scheduler.run_task("a")).id for _ in range(3)]
        assert ids[:0:-1] == [execution.id for execution in await scheduler.history("a")]
        scheduler.remove_task("a")
        scheduler.tasks()
        assert ids[2] == (await scheduler.history("a"))[0].id


@pytest.mark.parametrize("setting", [{"history_limit": 0}, {"max_running_tasks": 0}, {"max_running_tasks": True}])
def test_a_bound_that_can_not_be_is_refused(setting: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match=r"is not a whole number from 1 to \d+"):
        Scheduler(**setting)


# ── listeners ──


def test_a_listener_hears_each_attempt_start_and_end(witness: Make) -> None:
    def fail_once(run: dms.Run) -> str:
        if run.attempt == 1:
            raise OSError("refused")
        return "well"

    with Scheduler() as scheduler:
        seen = witness(scheduler)
        scheduler.add_task(dms.Task("a", fail_once, retry_policy=dms.RetryPolicy(1, "1ms")))
        final = scheduler.run_task("a").wait("5s")
        first, second = seen.until("ended", "a", 2)
        started = [event.execution.attempt for event in seen.of("started", "a")]
        assert [1, 2] == started
        assert (False, True) == (first.final, second.final)
        assert first.text.startswith("OSError: refused (test_scheduler.py:")
        assert ("well", final) == (second.text, second.execution)
        assert first.execution.retry_at == second.execution.due


def test_a_listener_that_raises_stops_nobody_and_is_reported(caplog: pytest.LogCaptureFixture, witness: Make) -> None:
    def broken(event: RunEvent) -> None:
        raise ValueError("no room")

    with Scheduler() as scheduler:
        scheduler.subscribe(broken)
        seen = witness(scheduler)
        scheduler.add_task(dms.Task("a", answer))
        assert 42 == scheduler.run_task("a").wait("5s").results
        assert 42 == scheduler.run_task("a").wait("5s").results
        seen.until("ended", "a", 2)
    assert "it raised ValueError: no room" in caplog.text


def test_a_listener_that_has_ended_hears_nothing_more(witness: Make) -> None:
    heard: list[RunEvent] = []
    with Scheduler() as scheduler:
        end = scheduler.subscribe(heard.append)
        seen = witness(scheduler)
        scheduler.add_task(dms.Task("a", answer))
        end()
        end()
        scheduler.run_task("a").wait("5s")
        seen.until("ended", "a")
    assert [] == heard


def test_a_listener_may_ask_and_change_anything(witness: Make) -> None:
    views = []
    with Scheduler() as scheduler:

        def listen(event: RunEvent) -> None:
            if (event.kind, event.task) == ("ended", "a"):
                scheduler.add_task(dms.Task("b", answer))
                views.append(scheduler.view("b").state)
                scheduler.run_task("b")
                scheduler.remove_task("a")
                views.append(scheduler.running_tasks_count())

        scheduler.subscribe(listen)
        seen = witness(scheduler)
        scheduler.add_task(dms.Task("a", answer))
        scheduler.run_task("a")
        seen.until("ended", "b")
        assert ["ready", 0] == views
        assert ["b"] == [view.name for view in scheduler.tasks()]


# ── from other threads and from inside ──


def test_a_task_may_add_run_and_await_others_from_inside() -> None:
    async def outer() -> int:
        scheduler.add_task(dms.Task("inner", answer))
        return int((await scheduler.run_task("inner")).results)

    with Scheduler() as scheduler:
        scheduler.add_task(dms.Task("outer", outer))
        assert 42 == scheduler.run_task("outer").wait("5s").results


def test_a_task_in_a_thread_may_wait_for_another() -> None:
    with Scheduler() as scheduler:
        scheduler.add_task(dms.Task("inner", answer))
        scheduler.add_task(dms.Task("outer", lambda: scheduler.run_task("inner").wait("5s").results))
        assert 42 == scheduler.run_task("outer").wait("5s").results


def test_many_threads_add_and_run_at_once_and_nothing_is_lost() -> None:
    together = Barrier(8)

    def work(thread: int) -> list[Any]:
        together.wait(5)
        found = []
        for number in range(50):
            task = scheduler.add_task(dms.Task(f"t{thread}-{number}", lambda n=number: n))
            found.append((task.id, scheduler.run_task(task.name).wait("10s").results))
            assert scheduler.tasks()
        return found

    with Scheduler() as scheduler, ThreadPoolExecutor(8) as threads:
        results = [result for found in threads.map(work, range(8)) for result in found]
    assert set(range(1, 401)) == {task_id for task_id, _ in results}
    assert sorted(list(range(50)) * 8) == sorted(number for _, number in results)


def test_views_are_whole_while_tasks_come_and_go() -> None:
    ended = False

    def churn() -> None:
        for _ in range(10_000):
            if ended:
                return
            scheduler.add_task(dms.Task("x", answer, triggers=[dms.OneTimeTrigger("1h"), dms.PeriodicTrigger("1ms")]))
            scheduler.remove_task("x")

    with Scheduler() as scheduler:
        thread = Thread(target=churn)
        thread.start()
        try:
            for _ in range(300):
                assert {"x"} >= {view.name for view in scheduler.tasks()}
        finally:
            ended = True
            thread.join(10)


# ── misuse ──


async def test_a_blocking_wait_on_the_loop_is_refused() -> None:
    async with Scheduler() as scheduler:
        scheduler.add_task(dms.Task("a", answer))
        handle = scheduler.run_task("a")
        with pytest.raises(Misuse, match="use: await handle"):
            handle.wait("1s")
        await handle
        assert 42 == handle.wait("1s").results


def test_a_wait_that_is_too_short_says_that_the_run_goes_on(gate: Make) -> None:
    work = gate()
    with Scheduler() as scheduler:
        scheduler.add_task(dms.Task("a", work))
        handle = scheduler.run_task("a")
        work.await_begin()
        with pytest.raises(WaitTimeout, match="the run has not ended within 1ms; it goes on"):
            handle.wait("1ms")
        work.open()
        assert "let go" == handle.wait("5s").results


def test_a_scheduler_starts_once() -> None:
    scheduler = Scheduler()
    with scheduler:
        with pytest.raises(Misuse, match="a scheduler starts once; make another one"):
            scheduler.start()
        scheduler.add_task(dms.Task("a", answer))
        assert 42 == scheduler.run_task("a").wait("5s").results
    with pytest.raises(Misuse, match="starts once"):
        scheduler.start()


async def test_a_scheduler_on_the_callers_loop_is_not_stopped_from_a_thread() -> None:
    async with Scheduler() as scheduler:
        with pytest.raises(Misuse, match=r"await scheduler\.astop\(\)"):
            scheduler.stop()
        with pytest.raises(Misuse, match=r"await scheduler\.astop\(\)"):
            await asyncio.to_thread(scheduler.stop)


def test_the_scheduler_may_not_stop_itself_on_its_own_loop() -> None:
    async def stop() -> str:
        try:
            scheduler.stop()
        except Misuse as error:
            return str(error)
        return "stopped"

    with Scheduler() as scheduler:
        scheduler.add_task(dms.Task("stop", stop))
        assert "would wait for itself" in scheduler.run_task("stop").wait("5s").results


def test_a_stopped_scheduler_takes_nothing_new_and_still_answers() -> None:
    with Scheduler() as scheduler:
        task = scheduler.add_task(dms.Task("a", answer, triggers=[dms.PeriodicTrigger("1h")]))
        scheduler.run_task("a").wait("5s")
    for call in (lambda: scheduler.add_task(dms.Task("b", answer)), lambda: scheduler.run_task("a")):
        with pytest.raises(ShuttingDown, match="the scheduler has stopped"):
            call()
    scheduler.emit("door.opened")
    assert 1 == len(task.execution_history)
    assert ["a"] == [view.name for view in scheduler.tasks()]
    assert 0 == scheduler.running_tasks_count()


def test_whether_there_is_a_task_can_be_asked_by_name() -> None:
    scheduler = Scheduler()
    scheduler.add_task(dms.Task("a", nothing))
    known = scheduler.has_task("a")
    scheduler.remove_task("a")
    assert (True, False) == (known, scheduler.has_task("a"))
