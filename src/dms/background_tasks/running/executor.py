"""Executors run one attempt and deliver its outcome: as a coroutine, in a thread, or as a program. They only obey."""

import asyncio
import inspect
import os
import traceback
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any, NamedTuple, Protocol

import msgspec

from dms.background_tasks.agenda.decision import Attempt, Cancelled, Failed, Outcome, Succeeded
from dms.background_tasks.running.accounting import NANOSECONDS, counted
from dms.background_tasks.running.calling import Arguments
from dms.background_tasks.running.launching import Launcher
from dms.background_tasks.running.loop_thread import end_loop, run_until_stopped
from dms.background_tasks.running.program import ProgramRun
from dms.background_tasks.running.run import Run
from dms.background_tasks.tasks.limits import NO_LIMITS
from dms.background_tasks.tasks.retry import GiveUp, RetryLater, kinds_of
from dms.background_tasks.tasks.task import Program
from dms.clock import thread_cpu
from dms.instant import duration_text
from dms.trace import CURRENT, read_traceparent

LONGEST_ERROR = 2_000
"""Characters of an error that are kept."""

LONGEST_VARIABLE = 65_536
"""Bytes of an event that a program finds in its environment; Linux starts none with a variable of 128 KiB."""

Deliver = Callable[[str, Outcome], None]


class Running(Protocol):
    """Something that was started and can be told to end. Both calls may come late, twice, or in vain."""

    def cancel(self) -> None:
        """Ask it to end."""
        ...

    def kill(self) -> None:
        """End it by force, where that can be done."""
        ...


class Executor(Protocol):
    """Starts attempts. `start` never blocks; `deliver(execution_id, outcome)` may come from any thread, and not at all
    where the attempt never ends. What comes after the first counts for nothing."""

    def start(self, attempt: Attempt, run: Run, arguments: Arguments, deliver: Deliver) -> Running:
        """Call the attempt's function with these arguments."""
        ...

    def close(self) -> None:
        """Start nothing any more; what does not end by itself is left behind."""
        ...


class CoroutineExecutor:
    """Runs coroutine functions on the loop it is started from."""

    def start(self, attempt: Attempt, run: Run, arguments: Arguments, deliver: Deliver) -> Running:
        """Call the function in a task of its own."""
        work = _conduct(attempt, run, arguments, deliver)
        task = asyncio.get_running_loop().create_task(work, name=attempt.task.name)
        return _RunningCoroutine(task, run, attempt.id, deliver)

    def close(self) -> None:
        """Nothing to do: the loop is the caller's."""


def _enter(run: Run) -> None:
    """What this thread, or this task of an event loop, does from now on belongs to the run, and is part of its
    trace."""
    run.enter()
    if run.traceparent:
        CURRENT.set(read_traceparent(run.traceparent))


async def _conduct(attempt: Attempt, run: Run, arguments: Arguments, deliver: Deliver) -> None:
    _enter(run)
    try:
        outcome: Outcome = Succeeded(await counted(attempt.task.target(*arguments.args, **arguments.kwargs), attempt))
    except asyncio.CancelledError:
        outcome = Cancelled()
    except BaseException as error:  # noqa: BLE001 - whatever a task raises, SystemExit too, is its own failure
        outcome = failure_of(error)
    if run.unfinished is not None:
        run.finish_lines()
    deliver(attempt.id, outcome)


class _RunningCoroutine:
    __slots__ = ("_deliver", "_execution_id", "_run", "_task")

    def __init__(self, task: "asyncio.Task[None]", run: Run, execution_id: str, deliver: Deliver) -> None:
        self._task, self._run, self._execution_id, self._deliver = task, run, execution_id, deliver

    def cancel(self) -> None:
        """Cancel it; one that had not begun yet delivers nothing by itself."""
        self._run.cancel()
        self._task.cancel()
        self._task.add_done_callback(lambda _: self._deliver(self._execution_id, Cancelled()))

    def kill(self) -> None:
        """Cancel it once more: no coroutine can be ended by force."""
        self._task.cancel()


class LoopThreadExecutor:
    """Runs coroutine functions on a second loop in a thread of its own, so that one that blocks stops no other."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._inner = CoroutineExecutor()
        Thread(target=self._serve, name="dms-coroutines", daemon=True).start()

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        run_until_stopped(self._loop)
        end_loop(self._loop)

    def start(self, attempt: Attempt, run: Run, arguments: Arguments, deliver: Deliver) -> Running:
        """Call the function over there."""
        running = _RunningThere(self._loop, run, attempt.id, deliver)
        self._loop.call_soon_threadsafe(
            lambda: running.begin(lambda: self._inner.start(attempt, run, arguments, deliver))
        )
        return running

    def close(self) -> None:
        """Let the loop end; what does not end with it is left behind."""
        self._loop.call_soon_threadsafe(self._loop.stop)


class _RunningThere:
    def __init__(self, loop: asyncio.AbstractEventLoop, run: Run, execution_id: str, deliver: Deliver) -> None:
        self._loop, self._run, self._execution_id, self._deliver = loop, run, execution_id, deliver
        self._running: Running | None = None

    def begin(self, start: Callable[[], Running]) -> None:
        if self._run.cancelled:
            self._deliver(self._execution_id, Cancelled())
        else:
            self._running = start()

    def cancel(self) -> None:
        self._run.cancel()
        self._loop.call_soon_threadsafe(self._tell, "cancel")

    def kill(self) -> None:
        self._loop.call_soon_threadsafe(self._tell, "kill")

    def _tell(self, what: str) -> None:
        if self._running is not None:
            getattr(self._running, what)()


class _Job(NamedTuple):
    work: Callable[[], Outcome]
    then: Callable[[Outcome], None]


class ThreadExecutor:
    """Runs functions in daemon threads, as many as there are attempts at once. A thread that never ends is never
    waited for, and is replaced when the next attempt needs one."""

    def __init__(self) -> None:
        self._work: SimpleQueue[_Job | None] = SimpleQueue()
        self._busy = 0
        self._threads = 0
        self._lock = Lock()

    def start(self, attempt: Attempt, run: Run, arguments: Arguments, deliver: Deliver) -> Running:
        """Call the function in a thread."""
        self.submit(lambda: _call_counted(attempt, arguments, run), partial(deliver, attempt.id))
        return _RunningThread(run)

    def submit(self, work: Callable[[], Outcome], then: Callable[[Outcome], None]) -> None:
        """Call `work`, which may not raise, in a thread, and `then` with what it gave, once the thread counts as idle.
        RuntimeError where the system gives none."""
        with self._lock:
            if self._busy >= self._threads:
                self._grow()
            self._busy += 1
            self._work.put(_Job(work, then))

    def _grow(self) -> None:
        """One thread more; where the system gives none, the work waits for those that are there."""
        try:
            Thread(target=self._serve, name=f"dms-task-{self._threads + 1}", daemon=True).start()
        except RuntimeError:
            if not self._threads:
                raise
        else:
            self._threads += 1

    def close(self) -> None:
        """Let idle threads end."""
        for _ in range(self._threads):
            self._work.put(None)

    def _serve(self) -> None:
        while (job := self._work.get()) is not None:
            outcome = job.work()
            with self._lock:
                self._busy -= 1
            job.then(outcome)


class _RunningThread:
    __slots__ = ("_run",)

    def __init__(self, run: Run) -> None:
        self._run = run

    def cancel(self) -> None:
        """Set `run.cancelled`; a function that does not look at it can't be stopped."""
        self._run.cancel()

    def kill(self) -> None:
        """No thread can be ended by force."""


class ProgramExecutor:
    """Runs programs, each watched by a thread of `threads`; what they print goes to the run."""

    def __init__(self, threads: ThreadExecutor, launcher: Launcher) -> None:
        self._threads, self._launcher = threads, launcher

    def start(self, attempt: Attempt, run: Run, arguments: Arguments, deliver: Deliver) -> Running:
        """Start the program."""
        program: Program = attempt.task.target
        event = b"" if run.event is None else _json(run.event.payload)
        limits = attempt.task.limits or NO_LIMITS
        given = event if len(event) > LONGEST_VARIABLE else b""
        running = ProgramRun(self._launcher, program, _environment(run, event), run.printed, given, limits=limits)
        self._threads.submit(lambda: watch(running, attempt), partial(deliver, attempt.id))
        return running

    def close(self) -> None:
        """Let the launcher end, and whatever program is left with it. The threads are closed by themselves."""
        self._launcher.close()


class Watched(Protocol):
    """A run of something that ends by itself or by a signal; what it used is known then."""

    @property
    def cpu(self) -> int | None:
        """Microseconds of processor time."""

    @property
    def memory(self) -> int | None:
        """Bytes that were resident at most."""

    def run(self) -> Outcome:
        """See it to its end."""
        ...

    def kill(self) -> None:
        """End it by force."""
        ...


def watch(running: Watched, attempt: Attempt) -> Outcome:
    """See a run to its end; what it used is the attempt's."""
    try:
        return running.run()
    except Exception as error:  # noqa: BLE001 - a fault in watching must not lose the run
        running.kill()
        return Failed(error_text(error))
    finally:
        attempt.cpu, attempt.memory = running.cpu, running.memory


def identity_of(run: Run) -> dict[str, str]:
    """What a program, or a process, is told about its run by its environment."""
    known = {"DMS_TASK": run.task, "DMS_EXECUTION": run.id, "DMS_ATTEMPT": str(run.attempt)}
    known["DMS_DUE"] = run.due.isoformat()
    if run.traceparent:
        known["TRACEPARENT"] = run.traceparent
    return known


def _environment(run: Run, event: bytes) -> dict[str, str]:
    """What a program is told about its run. An event too long for a variable is its standard input."""
    known = identity_of(run)
    if run.event is None:
        return known
    short = len(event) <= LONGEST_VARIABLE
    told = {"DMS_EVENT": event.decode()} if short else {"DMS_EVENT_FILE": "/dev/stdin"}
    return known | {"DMS_EVENT_TOPIC": run.event.topic, "DMS_EVENT_COUNT": str(run.event.count)} | told


def _json(payload: Any) -> bytes:
    try:
        return msgspec.json.encode(payload, enc_hook=repr)
    except (TypeError, ValueError, RecursionError):
        return repr(payload).encode(errors="backslashreplace")


def _call_counted(attempt: Attempt, arguments: Arguments, run: Run) -> Outcome:
    began = thread_cpu()
    outcome = _call(attempt.task.target, arguments, run)
    if run.unfinished is not None:
        run.finish_lines()
    attempt.cpu = (thread_cpu() - began) // NANOSECONDS
    return outcome


def _call(function: Any, arguments: Arguments, run: Run) -> Outcome:
    _enter(run)
    try:
        results = function(*arguments.args, **arguments.kwargs)
        if inspect.iscoroutine(results):
            results.close()
            return Failed("it gave back a coroutine, which nobody awaits; give the task the coroutine function itself")
        if inspect.isgenerator(results) or inspect.isasyncgen(results):
            return Failed("it holds a yield, so that calling it ran none of it; give the task a function without")
        return Succeeded(results)
    except BaseException as error:  # noqa: BLE001 - whatever a task raises, SystemExit too, is its own failure
        return Cancelled() if run.cancelled and isinstance(error, asyncio.CancelledError) else failure_of(error)


def failure_of(error: BaseException) -> Failed:
    """What a task raised, with what decides whether it is tried again."""
    if isinstance(error, RetryLater):
        told = _in_one_line(str(error))[:LONGEST_ERROR]
        return Failed(f"{told}; again in {duration_text(error.delay)}", retry_after=error.delay)
    return Failed(error_text(error), kinds=kinds_of(error), gives_up=isinstance(error, GiveUp))


def error_text(error: BaseException) -> str:
    """An error in one line: its class, its words, and where in the task's own code it was raised."""
    try:
        words = _in_one_line("".join(traceback.format_exception_only(error)))
    except Exception:  # noqa: BLE001 - an error whose text can't be made is still an error
        words = type(error).__name__
    if (module := type(error).__module__).startswith("dms."):  # where DMS keeps its own classes is nobody's business
        words = words.removeprefix(f"{module}.")
    return f"{words[:LONGEST_ERROR]}{_place(error)}"


def _place(error: BaseException) -> str:
    """Where in the task's own code it was raised; what that called of DMS is not its own."""
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        file, module = frame.f_code.co_filename, str(frame.f_globals.get("__name__"))
        if os.path.dirname(file) != os.path.dirname(__file__) and not module.startswith("dms."):
            return f" ({os.path.basename(file)}:{line})"
    return ""


def _in_one_line(text: str) -> str:
    return " ".join(text.split())
