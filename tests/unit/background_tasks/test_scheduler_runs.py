"""How runs go: bounded concurrency with nothing lost, retries, timeouts, failures of every kind, progress and logs."""

import asyncio
import logging
import re
import sys
from collections.abc import Callable
from threading import Event, Lock
from threading import enumerate as threads_now
from typing import Any

import pytest

import dms
from dms.background_tasks.scheduler import Scheduler
from dms.testing import FakeClock

Make = Callable[..., Any]


def answer() -> int:
    return 42


# ── bounded concurrency ──


async def test_a_thousand_coroutine_tasks_share_four_slots_and_none_is_lost() -> None:
    ran: list[int] = []
    now = highest = 0

    async def work(number: int) -> int:
        nonlocal now, highest
        now += 1
        highest = max(highest, now)
        await asyncio.sleep(0)
        now -= 1
        ran.append(number)
        return number

    async with Scheduler(max_running_tasks=4) as scheduler:
        scheduler.add_tasks([dms.Task(f"t{number}", work, (number,)) for number in range(1000)])
        handles = [scheduler.run_task(f"t{number}") for number in range(1000)]
        results = [(await handle).results for handle in handles]
    assert list(range(1000)) == results == sorted(ran)
    assert 4 == highest


def test_a_thousand_tasks_in_threads_share_four_slots_and_none_is_lost() -> None:
    before, lock = set(threads_now()), Lock()
    now = highest = 0

    def work(number: int) -> int:
        nonlocal now, highest
        with lock:
            now += 1
            highest = max(highest, now)
        with lock:
            now -= 1
        return number

    with Scheduler(max_running_tasks=4) as scheduler:
        scheduler.add_tasks([dms.Task(f"t{number}", work, (number,)) for number in range(1000)])
        handles = [scheduler.run_task(f"t{number}") for number in range(1000)]
        assert list(range(1000)) == [handle.wait("30s").results for handle in handles]
        assert 4 >= sum(thread.name.startswith("dms-task") for thread in set(threads_now()) - before)
    assert highest <= 4


def test_fires_wait_for_a_slot_in_the_order_of_their_priority(gate: Make) -> None:
    work, order = gate(), []
    with Scheduler(max_running_tasks=1) as scheduler:
        scheduler.add_task(dms.Task("busy", work))
        scheduler.run_task("busy")
        work.await_begin()
        handles = []
        for name, priority in (("late", 5), ("soon", 0), ("first", -5)):
            scheduler.add_task(dms.Task(name, lambda n=name: order.append(n), priority=priority))
            handles.append(scheduler.run_task(name))
        work.open()
        for handle in handles:
            handle.wait("5s")
    assert ["first", "soon", "late"] == order


# ── retries ──


def test_a_task_that_waits_to_be_tried_again_holds_no_slot_and_no_thread(gate: Make, witness: Make) -> None:
    def fail() -> None:
        raise OSError("refused")

    clock = FakeClock()
    with Scheduler(max_running_tasks=1, clock=clock) as scheduler:
        clock.woken = scheduler.wake
        seen = witness(scheduler)
        scheduler.add_tasks([dms.Task("flaky", fail, retry_policy=dms.RetryPolicy(1, "1h")), dms.Task("other", answer)])
        run = scheduler.run_task("flaky")
        seen.until("ended", "flaky")
        view = scheduler.view("flaky")
        assert ("retrying", "attempt 2 waits for its time") == (view.state, view.reason)
        assert (0, 0) == (scheduler.running_tasks_count(), scheduler.waiting_count())
        assert 42 == scheduler.run_task("other").wait("5s").results
        clock.advance("1h")
        last = run.wait("5s")
        assert ("failed", 2) == (last.status, last.attempt)


def test_attempts_of_one_run_share_its_run_id() -> None:
    def third_time(run: dms.Run) -> int:
        if run.attempt < 3:
            raise OSError("refused")
        return run.attempt

    with Scheduler() as scheduler:
        task = scheduler.add_task(dms.Task("a", third_time, retry_policy=dms.RetryPolicy(5, "1ms")))
        end = scheduler.run_task("a").wait("5s")
        assert ("success", 3, 3) == (end.status, end.attempt, end.results)
        history = task.execution_history
        assert [(3, "success"), (2, "failed"), (1, "failed")] == [(each.attempt, each.status) for each in history]
        assert {end.run_id} == {each.run_id for each in history}
        assert 3 == len({each.id for each in history})


def test_retries_end_when_the_policy_says_so() -> None:
    def fail() -> None:
        raise OSError("refused")

    with Scheduler() as scheduler:
        scheduler.add_task(dms.Task("a", fail, retry_policy=dms.RetryPolicy(2, "1ms")))
        end = scheduler.run_task("a").wait("5s")
        assert ("failed", 3, None) == (end.status, end.attempt, end.retry_at)


# ── timeouts ──


def test_a_coroutine_that_takes_too_long_is_cancelled(witness: Make) -> None:
    ended = []

    async def endless() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    with Scheduler() as scheduler:
        scheduler.add_task(dms.Task("a", endless, timeout="10ms"))
        end = scheduler.run_task("a").wait("5s")
        assert ("timed_out", "it ran longer than its timeout of 10ms") == (end.status, end.error)
        assert [True] == ended


def test_a_coroutine_that_swallows_its_cancellation_has_timed_out_all_the_same() -> None:
    async def stubborn() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "made it"
        return "never"

    with Scheduler() as scheduler:
        scheduler.add_task(dms.Task("a", stubborn, timeout="10ms"))
        assert "timed_out" == scheduler.run_task("a").wait("5s").status


def test_a_function_in_a_thread_sees_that_it_was_told_to_end() -> None:
    seen = []

    def patient(run: dms.Run) -> None:
        while not run.cancelled:
            pass
        seen.append(run.cancelled)

    with Scheduler() as scheduler:
        scheduler.add_task(dms.Task("a", patient, timeout="10ms"))
        assert "timed_out" == scheduler.run_task("a").wait("5s").status
        assert [True] == seen


def test_a_thread_that_never_ends_is_abandoned_and_its_slot_is_free(gate: Make) -> None:
    stuck = gate()
    with Scheduler(max_running_tasks=1) as scheduler:
        scheduler.add_tasks([dms.Task("a", stuck, timeout="5ms", kill_after="5ms"), dms.Task("b", answer)])
        end = scheduler.run_task("a").wait("5s")
        assert "abandoned" == end.status
        assert "it ran longer than its timeout of 5ms, and it did not stop when told to" == end.error
        assert 42 == scheduler.run_task("b").wait("5s").results
        assert {"a": 1} == scheduler.abandoned()
        stuck.open()


def test_what_an_abandoned_thread_says_later_changes_nothing(gate: Make, witness: Make) -> None:
    stuck, let_go = gate(), Event()

    def late() -> str:
        result = stuck()
        let_go.set()
        return result

    with Scheduler() as scheduler:
        seen = witness(scheduler)
        scheduler.add_tasks([dms.Task("a", late, timeout="5ms", kill_after="5ms"), dms.Task("b", answer)])
        scheduler.run_task("a").wait("5s")
        stuck.open()
        assert let_go.wait(5)
        scheduler.run_task("b").wait("5s")
        assert ["abandoned"] == [event.execution.status for event in seen.of("ended", "a")]
        assert 0 == scheduler.running_tasks_count()


def test_a_timeout_counts_from_the_start_and_not_from_the_wait_for_a_slot(gate: Make, witness: Make) -> None:
    work, clock = gate(), FakeClock()
    with Scheduler(max_running_tasks=1, clock=clock) as scheduler:
        clock.woken = scheduler.wake
        scheduler.add_tasks([dms.Task("busy", work), dms.Task("a", answer, timeout="1m")])
        scheduler.run_task("busy")
        work.await_begin()
        waiting = scheduler.run_task("a")
        clock.advance("1h")
        work.open()
        assert 42 == waiting.wait("5s").results


# ── failures ──


def raises(error: BaseException) -> Callable[[], None]:
    def function() -> None:
        raise error

    return function


def raises_in_a_coroutine(error: BaseException) -> Callable[[], Any]:
    async def function() -> None:
        raise error

    return function


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise ValueError("no words")


@pytest.mark.parametrize("make", [raises, raises_in_a_coroutine])
@pytest.mark.parametrize(
    ("error", "text"),
    [
        (OSError("no route"), "OSError: no route (test_scheduler_runs.py:"),
        (SystemExit(3), "SystemExit: 3 (test_scheduler_runs.py:"),
        (KeyboardInterrupt(), "KeyboardInterrupt (test_scheduler_runs.py:"),
        (Unspeakable(), "Unspeakable: <exception str() failed> (test_scheduler_runs.py:"),
        (ValueError("x" * 5000), "ValueError: " + "x" * 1988 + " (test_scheduler_runs.py:"),
        (ValueError("first\n\n  second\n"), "ValueError: first second (test_scheduler_runs.py:"),
    ],
)
def test_whatever_a_task_raises_is_its_own_failure(make: Make, error: BaseException, text: str) -> None:
    with Scheduler() as scheduler:
        scheduler.add_tasks([dms.Task("a", make(error)), dms.Task("b", answer)])
        end = scheduler.run_task("a").wait("5s")
        assert "failed" == end.status
        assert text == (end.error or "").removeprefix(f"{Unspeakable.__module__}.")[: len(text)]
        assert 42 == scheduler.run_task("b").wait("5s").results


def test_sys_exit_in_a_task_ends_the_task_and_not_the_process() -> None:
    with Scheduler() as scheduler:
        scheduler.add_task(dms.Task("a", sys.exit, ("bye",)))
        end = scheduler.run_task("a").wait("5s")
        assert ("failed", "SystemExit: bye") == (end.status, end.error)


def test_arguments_that_do_not_fit_are_a_failure() -> None:
    async def of_none() -> None:
        pass

    with Scheduler() as scheduler:
        scheduler.add_tasks([dms.Task("a", answer, (1,)), dms.Task("b", of_none, (1,))])
        for name in "ab":
            end = scheduler.run_task(name).wait("5s")
            assert "failed" == end.status
            assert "takes 0 positional arguments but 1 was given" in str(end.error)


def test_a_function_that_gives_back_a_coroutine_has_failed() -> None:
    async def work() -> int:
        return 42

    with Scheduler() as scheduler:
        scheduler.add_task(dms.Task("a", lambda: work()))
        end = scheduler.run_task("a").wait("5s")
        assert ("failed", None) == (end.status, end.results)
        assert "give the task the coroutine function itself" in str(end.error)


def test_a_coroutine_that_cancels_itself_is_cancelled_and_not_tried_again() -> None:
    async def give_up() -> None:
        raise asyncio.CancelledError

    with Scheduler() as scheduler:
        scheduler.add_task(dms.Task("a", give_up, retry_policy=dms.RetryPolicy(3, "1ms")))
        end = scheduler.run_task("a").wait("5s")
        assert ("cancelled", 1) == (end.status, end.attempt)


def test_a_run_that_is_overtaken_before_it_began_is_cancelled(witness: Make) -> None:
    async def work(run: dms.Run) -> int:
        return int(run.event.payload) if run.event else 0

    with Scheduler() as scheduler:
        scheduler.add_task(dms.Task("a", work, overlap="cancel_running"))
        handles = [scheduler.run_task("a", number) for number in range(20)]
        ends = [handle.wait("5s") for handle in handles]
        assert ("success", 19) == (ends[-1].status, ends[-1].results)
        assert {"cancelled", "success"} >= {end.status for end in ends}
        assert 0 == scheduler.running_tasks_count()


# ── what a run tells ──


def test_progress_is_coalesced_and_the_latest_always_arrives(witness: Make) -> None:
    def work(run: dms.Run) -> None:
        for done in range(10_001):
            run.progress(done, 10_000, f"{done} files")
        assert told.wait(5)

    told = Event()
    with Scheduler() as scheduler:
        seen = witness(scheduler)
        scheduler.subscribe(lambda event: told.set() if event.progress and event.progress.done == 10_000 else None)
        scheduler.add_task(dms.Task("a", work))
        assert "success" == scheduler.run_task("a").wait("10s").status
        heard = [event.progress.done for event in seen.of("progress", "a")]
        assert sorted(heard) == heard
        assert 10_000 == heard[-1]


def test_progress_is_seen_while_the_run_lasts(gate: Make, witness: Make) -> None:
    work = gate()

    def told(run: dms.Run) -> None:
        run.progress(3, 8, "3 of 8 MB")
        work()

    with Scheduler() as scheduler:
        seen = witness(scheduler)
        scheduler.add_task(dms.Task("a", told))
        handle = scheduler.run_task("a")
        event = seen.until("progress", "a")[0]
        assert ((3, 8, "3 of 8 MB"), "3 of 8 MB") == (event.progress, event.text)
        assert (3, 8, "3 of 8 MB") == scheduler.view("a").progress
        work.open()
        handle.wait("5s")
        assert scheduler.view("a").progress is None


def test_a_runs_log_goes_to_logging_under_the_tasks_name(caplog: pytest.LogCaptureFixture) -> None:
    def work(run: dms.Run) -> None:
        run.log.info("copied 100 %s", event="x", files=3)
        run.log.debug("quietly")
        run.log.error("lost")

    with caplog.at_level(logging.INFO, "dms.task"), Scheduler() as scheduler:
        scheduler.add_task(dms.Task("copy", work))
        assert "success" == scheduler.run_task("copy").wait("5s").status
    assert [
        ("dms.task.copy", logging.INFO, "copied 100 %s event='x' files=3"),
        ("dms.task.copy", logging.ERROR, "lost"),
    ] == [record for record in caplog.record_tuples if record[0] == "dms.task.copy"]


def test_no_thread_is_left_behind_by_a_scheduler_that_has_stopped() -> None:
    before = set(threads_now())
    with Scheduler() as scheduler:
        scheduler.add_task(dms.Task("a", answer))
        scheduler.run_task("a").wait("5s")
    for thread in set(threads_now()) - before:
        thread.join(5)
    assert set() == set(threads_now()) - before


# ── what a function says of its own failure ──


@pytest.mark.parametrize("kind", ["coroutine", "thread"])
async def test_a_function_asks_to_be_tried_again_later_though_its_policy_has_no_retries(kind: str) -> None:
    tries: list[int] = []

    def work(run: dms.Run) -> int:
        tries.append(run.attempt)
        if len(tries) < 3:
            raise dms.RetryLater("1ms", "the printer is\nbusy")
        return 42

    async def awork(run: dms.Run) -> int:
        return work(run)

    async with Scheduler() as scheduler:
        scheduler.add_task(dms.Task("a", awork if kind == "coroutine" else work))
        ended = await scheduler.run_task("a")
        history = await scheduler.history("a", 10, None)
    assert (42, [1, 2, 3]) == (ended.results, tries)
    assert {"the printer is busy; again in 1ms"} == {each.error for each in history if each.error}


async def test_a_function_gives_up_and_what_it_says_is_kept() -> None:
    async def work() -> None:
        raise dms.GiveUp("no such printer")

    async with Scheduler() as scheduler:
        scheduler.add_task(dms.Task("a", work, retry_policy=dms.RetryPolicy(max_retries=3, delay=0)))
        ended = await scheduler.run_task("a")
    assert (1, dms.Status.FAILED) == (ended.attempt, ended.status)
    assert (ended.error or "").startswith("GiveUp: no such printer (test_scheduler_runs.py:")


async def test_where_an_error_came_from_is_the_tasks_own_line_not_one_of_dms_that_it_called() -> None:
    def work() -> None:
        raise dms.RetryLater("soon")

    async with Scheduler() as scheduler:
        scheduler.add_task(dms.Task("a", work))
        ended = await scheduler.run_task("a")
    assert re.fullmatch(r"InvalidDuration: .* \(test_scheduler_runs\.py:\d+\)", ended.error or "")


async def test_a_program_is_tried_again_by_how_it_ended() -> None:
    policy = dms.RetryPolicy(max_retries=2, delay=0, retry_on=["exit 75"])
    async with Scheduler() as scheduler:
        for status in (75, 2):
            program = dms.Program(("sh", "-c", f"exit {status}"))
            scheduler.add_task(dms.Task(f"exit-{status}", program, retry_policy=policy))
        attempts = [(await scheduler.run_task(f"exit-{status}")).attempt for status in (75, 2)]
    assert [3, 1] == attempts


# ── signs of life ──


async def test_progress_and_heartbeats_are_signs_of_life_and_silence_ends_a_coroutine() -> None:
    clock = FakeClock()

    async def beats(run: dms.Run, sign: str) -> str:
        for done in range(4):
            clock.advance("50s")
            if sign == "progress":
                run.progress(done)
            elif sign == "heartbeat":
                run.heartbeat()
            scheduler.wake()
            await asyncio.sleep(0)
        return sign

    async with Scheduler(clock=clock) as scheduler:
        scheduler.add_tasks([dms.Task(sign, beats, kwargs={"sign": sign}, heartbeat_timeout="1m") for sign in SIGNS])
        assert ["success", "success", "timed_out"] == [(await scheduler.run_task(sign)).status for sign in SIGNS]


SIGNS = ("progress", "heartbeat", "silence")


def test_what_is_done_where_the_task_is_busy_may_be_said_for_one_run(gate: Make) -> None:
    work = gate()
    with Scheduler() as scheduler:
        scheduler.add_task(dms.Task("a", work))
        handles = [scheduler.run_task("a", overlap=told) for told in (None, "allow", "queue")]
        work.await_begin()
        view = scheduler.view("a")
        assert (2, 1) == (view.running, view.waiting)
        with pytest.raises(dms.InvalidInput, match=r"^overlap: 'twice' is not one of skip, queue"):
            scheduler.run_task("a", overlap="twice")
        work.open()
        assert ["success"] * 3 == [handle.wait(10).status for handle in handles]
