"""Executors run one attempt and deliver its outcome, whatever happens to it, from whatever thread."""

import asyncio
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from queue import SimpleQueue
from threading import Event, Thread
from typing import Any

import pytest

from dms.background_tasks.agenda.decision import Attempt, Cancelled, Failed, Outcome, Succeeded
from dms.background_tasks.agenda.entry import Entry
from dms.background_tasks.running.calling import Arguments
from dms.background_tasks.running.executor import (
    LONGEST_ERROR,
    LONGEST_VARIABLE,
    CoroutineExecutor,
    LoopThreadExecutor,
    ProgramExecutor,
    ThreadExecutor,
    error_text,
)
from dms.background_tasks.running.executors import make_executors
from dms.background_tasks.running.launching import Launcher
from dms.background_tasks.running.process_executor import ProcessExecutor
from dms.background_tasks.running.run import Run, Sinks
from dms.background_tasks.tasks.task import Event as TaskEvent
from dms.background_tasks.tasks.task import Program, Task
from dms.clock import thread_cpu

PATIENCE = 10
QUIET = Sinks(lambda run, level, line, fields: None, lambda run: None)


class Delivered:
    """Takes outcomes; `next()` waits for one."""

    def __init__(self) -> None:
        self._outcomes: SimpleQueue[tuple[str, Outcome]] = SimpleQueue()

    def __call__(self, execution_id: str, outcome: Outcome) -> None:
        self._outcomes.put((execution_id, outcome))

    def next(self) -> Outcome:
        execution_id, outcome = self._outcomes.get(timeout=PATIENCE)
        assert execution_id == "1-1"
        return outcome

    def empty(self) -> bool:
        return self._outcomes.empty()


@pytest.fixture
def delivered() -> Delivered:
    return Delivered()


def attempt_of(function: Any, *args: Any, event: TaskEvent | None = None) -> Attempt:
    return Attempt(Entry(Task("a", function, args), 1, False), "1-1", 0, "operator", event)


def run_of(attempt: Attempt) -> Run:
    return Run(attempt, None, QUIET)


def spin(microseconds: int) -> None:
    until = thread_cpu() + microseconds * 1000
    while thread_cpu() < until:
        pass


# ── threads ──


def test_the_processor_time_of_a_threads_function_is_counted_and_its_waiting_is_not(delivered: Delivered) -> None:
    def work() -> None:
        spin(5_000)
        waited.wait(0.1)

    waited, attempt = Event(), attempt_of(work)
    ThreadExecutor().start(attempt, run_of(attempt), Arguments(), delivered)
    delivered.next()
    assert attempt.cpu is not None
    assert 5_000 <= attempt.cpu < 100_000


def test_a_function_runs_in_a_thread_with_its_arguments(delivered: Delivered) -> None:
    executor, attempt = ThreadExecutor(), attempt_of(lambda *args, **kwargs: (args, kwargs))
    executor.start(attempt, run_of(attempt), Arguments((1, 2), {"three": 3}), delivered)
    assert Succeeded(((1, 2), {"three": 3})) == delivered.next()
    executor.close()


def test_cancelling_a_thread_sets_what_its_function_may_look_at(delivered: Delivered) -> None:
    executor, attempt, let_go = ThreadExecutor(), attempt_of(lambda: let_go.wait(PATIENCE)), Event()
    run = run_of(attempt)
    running = executor.start(attempt, run, Arguments(), delivered)
    running.cancel()
    running.kill()
    assert run.cancelled
    let_go.set()
    assert Succeeded(True) == delivered.next()
    executor.close()


class Hung:
    """Work that does not end until it is let go."""

    def __init__(self) -> None:
        self.begun, self.let_go = Event(), Event()

    def __call__(self) -> Outcome:
        self.begun.set()
        return Succeeded(self.let_go.wait(PATIENCE))

    def await_begin(self) -> None:
        assert self.begun.wait(PATIENCE)


def test_a_thread_that_hangs_is_replaced() -> None:
    executor, hung = ThreadExecutor(), Hung()
    names: SimpleQueue[Outcome] = SimpleQueue()
    executor.submit(hung, names.put)
    hung.await_begin()
    executor.submit(lambda: Succeeded(threading.current_thread().name), names.put)
    assert Succeeded("dms-task-2") == names.get(timeout=PATIENCE)
    hung.let_go.set()
    assert Succeeded(True) == names.get(timeout=PATIENCE)
    executor.close()


def test_a_thread_that_has_delivered_is_free_for_the_next_attempt() -> None:
    executor, names = ThreadExecutor(), SimpleQueue[Outcome]()
    for _ in range(100):
        executor.submit(lambda: Succeeded(threading.current_thread().name), names.put)
        assert Succeeded("dms-task-1") == names.get(timeout=PATIENCE)
    executor.close()


def test_where_the_system_gives_no_thread_the_work_waits_for_those_there_are(
    delivered: Delivered, monkeypatch: pytest.MonkeyPatch
) -> None:
    executor, hung = ThreadExecutor(), Hung()
    executor.submit(hung, lambda outcome: None)
    hung.await_begin()

    def refuse(thread: Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(Thread, "start", refuse)
    attempt = attempt_of(lambda: 42)
    executor.start(attempt, run_of(attempt), Arguments(), delivered)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        ThreadExecutor().submit(hung, lambda outcome: None)
    assert delivered.empty()
    hung.let_go.set()
    assert Succeeded(42) == delivered.next()
    executor.close()


def _generator() -> Iterator[int]:
    yield 1


async def _asynchronous_generator() -> AsyncIterator[int]:
    yield 1


@pytest.mark.parametrize("function", [_generator, _asynchronous_generator])
def test_a_function_that_yields_is_a_failure_since_none_of_it_runs(delivered: Delivered, function: Any) -> None:
    """dbader/schedule#150, node-schedule/node-schedule#325: the run was said to have gone well."""
    executor, attempt = ThreadExecutor(), attempt_of(function)
    executor.start(attempt, run_of(attempt), Arguments(), delivered)
    assert "it holds a yield, so that calling it ran none of it" in delivered.next().error
    executor.close()


# ── coroutines ──


async def outcome_of(function: Any, then: Callable[[Any], None] = lambda running: None) -> list[Outcome]:
    """Every outcome that a coroutine delivers, `then` being done to it right after its start."""
    outcomes: list[Outcome] = []
    attempt = attempt_of(function)
    running = CoroutineExecutor().start(
        attempt, run_of(attempt), Arguments(), lambda _, outcome: outcomes.append(outcome)
    )
    then(running)
    await asyncio.wait([running._task], timeout=PATIENCE)  # type: ignore[attr-defined]
    await asyncio.sleep(0)
    return outcomes


async def test_a_coroutine_runs_on_the_loop() -> None:
    async def work() -> object:
        return asyncio.get_running_loop()

    assert [Succeeded(asyncio.get_running_loop())] == await outcome_of(work)


async def test_the_steps_of_a_coroutine_are_counted() -> None:
    async def work() -> None:
        spin(5_000)

    attempt = attempt_of(work)
    ended = asyncio.get_running_loop().create_future()
    CoroutineExecutor().start(attempt, run_of(attempt), Arguments(), lambda *_: ended.set_result(None))
    await ended
    assert attempt.cpu is not None
    assert attempt.cpu >= 5_000


async def test_a_coroutine_that_is_cancelled_before_it_began_is_cancelled() -> None:
    async def work() -> None:
        raise AssertionError("it began")

    assert [Cancelled()] == await outcome_of(work, lambda running: running.cancel())


async def test_a_coroutine_may_be_cancelled_and_killed_more_than_once() -> None:
    async def work() -> None:
        await asyncio.Event().wait()

    def end(running: Any) -> None:
        running.cancel()
        running.kill()
        running.cancel()

    assert {Cancelled()} == set(await outcome_of(work, end))


@pytest.mark.parametrize("error", [SystemExit(1), KeyboardInterrupt(), GeneratorExit(), ValueError("bad")])
async def test_whatever_a_coroutine_raises_is_its_failure(error: BaseException) -> None:
    async def work() -> None:
        raise error

    outcomes = await outcome_of(work)
    assert isinstance(outcomes[0], Failed)
    assert type(error).__name__ in outcomes[0].error


async def test_an_object_whose_call_is_a_coroutine_function_is_awaited() -> None:
    class Work:
        async def __call__(self) -> int:
            return 42

    assert [Succeeded(42)] == await outcome_of(Work())


def test_a_loop_of_its_own_runs_coroutines_in_another_thread_and_closes(delivered: Delivered) -> None:
    async def where() -> str:
        return threading.current_thread().name

    executor, attempt = LoopThreadExecutor(), attempt_of(where)
    executor.start(attempt, run_of(attempt), Arguments(), delivered)
    assert Succeeded("dms-coroutines") == delivered.next()
    executor.close()
    for thread in threading.enumerate():
        if thread.name == "dms-coroutines":
            thread.join(PATIENCE)
    assert "dms-coroutines" not in {thread.name for thread in threading.enumerate()}


def test_a_task_within_a_coroutine_that_exits_leaves_the_loop_to_the_others(delivered: Delivered) -> None:
    """spotify/luigi#440: whatever left by way of `sys.exit` took the worker with it."""

    async def leave() -> None:
        raise SystemExit(3)

    async def gather() -> None:
        await asyncio.gather(leave())

    async def answer() -> int:
        return 42

    executor = LoopThreadExecutor()
    first, second = attempt_of(gather), attempt_of(answer)
    executor.start(first, run_of(first), Arguments(), delivered)
    assert "SystemExit: 3" in delivered.next().error
    executor.start(second, run_of(second), Arguments(), delivered)
    assert Succeeded(42) == delivered.next()
    executor.close()


def test_a_coroutine_on_a_loop_of_its_own_is_cancelled_even_while_that_loop_is_busy(delivered: Delivered) -> None:
    begun, let_go = Event(), Event()

    async def block() -> None:
        begun.set()
        let_go.wait(PATIENCE)

    async def never() -> None:
        raise AssertionError("it began")

    executor = LoopThreadExecutor()
    blocking, waiting = attempt_of(block), attempt_of(never)
    executor.start(blocking, run_of(blocking), Arguments(), Delivered())
    assert begun.wait(PATIENCE)
    running = executor.start(waiting, run_of(waiting), Arguments(), delivered)
    running.cancel()
    running.kill()
    let_go.set()
    assert Cancelled() == delivered.next()
    executor.close()


# ── programs ──


@pytest.fixture
def programs() -> Iterator[ProgramExecutor]:
    threads = ThreadExecutor()
    programs = ProgramExecutor(threads, Launcher())
    yield programs
    programs.close()
    threads.close()


def test_a_program_is_told_about_its_run_in_its_environment(programs: ProgramExecutor, delivered: Delivered) -> None:
    event = TaskEvent("door.opened", {"door": "front", "odd": {1, 2}.__class__}, at=5, count=3)
    variables = "$DMS_TASK $DMS_EXECUTION $DMS_ATTEMPT $DMS_DUE $DMS_EVENT_TOPIC $DMS_EVENT_COUNT $DMS_EVENT"
    program = Program(("sh", "-c", f'echo "{variables}"'))
    attempt = attempt_of(program, event=event)
    programs.start(attempt, run_of(attempt), Arguments(), delivered)
    output = delivered.next().results["output"]
    assert 'a 1-1 1 1970-01-01T00:00:00+00:00 door.opened 3 {"door":"front","odd":"<class \'set\'>"}\n' == output


def test_the_processor_time_of_a_program_is_counted_with_those_it_waited_for(
    programs: ProgramExecutor, delivered: Delivered
) -> None:
    spinning = "import time\nwhile time.process_time() < 0.1: pass"
    program = Program(
        (sys.executable, "-c", f"import subprocess, sys; subprocess.run([sys.executable, '-c', {spinning!r}])")
    )
    attempt = attempt_of(program)
    programs.start(attempt, run_of(attempt), Arguments(), delivered)
    delivered.next()
    assert attempt.cpu is not None
    assert attempt.cpu >= 100_000


def test_a_program_without_an_event_is_told_of_none(programs: ProgramExecutor, delivered: Delivered) -> None:
    attempt = attempt_of(Program(("sh", "-c", "env | grep -c ^DMS_EVENT")))
    programs.start(attempt, run_of(attempt), Arguments(), delivered)
    assert "0\n" == delivered.next().results["output"]


@pytest.mark.parametrize("size", [LONGEST_VARIABLE, LONGEST_VARIABLE + 1, 3_000_000])
def test_a_program_gets_an_event_of_any_size(programs: ProgramExecutor, delivered: Delivered, size: int) -> None:
    """jenkinsci/generic-webhook-trigger-plugin#219: with 128 KiB in its environment nothing could start."""
    script = 'if [ "$DMS_EVENT_FILE" ]; then cat "$DMS_EVENT_FILE"; else printf %s "$DMS_EVENT"; fi | wc -c'
    attempt = attempt_of(Program(("sh", "-c", script)), event=TaskEvent("a", "x" * (size - 2), at=5))
    programs.start(attempt, run_of(attempt), Arguments(), delivered)
    assert f"{size}\n" == delivered.next().results["output"]


# ── all ──


def test_there_is_an_executor_for_each_way_of_running() -> None:
    for own, kind in ((False, CoroutineExecutor), (True, LoopThreadExecutor)):
        executors = make_executors(own)
        assert [kind, ThreadExecutor, ProcessExecutor, ProgramExecutor] == [
            type(executor) for executor in executors.values()
        ]
        for executor in executors.values():
            executor.close()


def _raised(error: Exception) -> Exception:
    try:
        raise error
    except (ValueError, KeyError) as caught:
        return caught


def test_an_error_is_told_in_one_line_with_its_place() -> None:
    assert "ValueError: first second (test_executor.py:" in error_text(_raised(ValueError("first\n second")))
    assert "KeyError: 'a'" == error_text(KeyError("a"))
    assert LONGEST_ERROR + 50 > len(error_text(_raised(ValueError("x" * 10_000))))
