"""Carries out what the agenda decided: saves, starts, cancels, answers, tells whoever listens."""

from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from functools import partial
from threading import Lock
from typing import Any, NamedTuple

from dms.background_tasks.agenda.agenda import Agenda
from dms.background_tasks.agenda.decision import (
    Accept,
    Alert,
    AskGate,
    Attempt,
    Cancel,
    Decision,
    End,
    Failed,
    Kill,
    LeaveGate,
    Notice,
    Refuse,
    Remove,
    Save,
    Skip,
    Start,
)
from dms.background_tasks.asking.view import RunEvent, summary
from dms.background_tasks.loop.gate_keeper import GateKeeper
from dms.background_tasks.loop.slow_disk import SlowDisk
from dms.background_tasks.running.calling import arguments_of
from dms.background_tasks.running.executor import Deliver, Executor, Running, error_text
from dms.background_tasks.running.run import LogSink, Progress, ProgressSink, Run, SaveSink, Sinks
from dms.background_tasks.running.transcript import Transcript, Transcripts
from dms.background_tasks.store import ExecutionStore
from dms.background_tasks.tasks.task import Execution
from dms.errors import NotFound
from dms.trace import begin

REMEMBERED = 1000
"""Executions of all tasks together that are remembered where there is no store."""

Listener = Callable[[RunEvent], None]


class Messages(NamedTuple):
    """Where the world's answers go; each may be called from any thread."""

    delivered: Deliver
    written: Callable[[int, "Future[None]"], None]
    progressed: ProgressSink
    beat: Callable[[Run], None]
    save: SaveSink


class Dispatcher:
    """The agenda's hands. All of it happens on the loop; what comes back, from whatever thread, goes to `messages`.

    `gates` is told which gates are waited for, `removed` and `alert` of tasks that are gone and of what wants a look.
    """

    def __init__(
        self,
        agenda: Agenda,
        executors: Mapping[str, Executor],
        messages: Messages,
        *,
        store: ExecutionStore | None,
        snapshot: Callable[[], Any] | None,
        log: LogSink,
        transcripts: Transcripts | None = None,
        traces: bool = False,
        history_limit: int,
        listeners: list[Listener],
        gates: GateKeeper,
        removed: Callable[[Remove], None],
        alert: Callable[[Alert], None],
    ) -> None:
        self._agenda, self._executors, self._messages, self._store = agenda, executors, messages, store
        transcript = None if transcripts is None else partial(_transcript_of, transcripts)
        self._snapshot = snapshot
        self._sinks = Sinks(log, messages.progressed, messages.beat, transcript, messages.save)
        self._traces, self._history_limit, self.alert = traces, history_limit, alert
        self._listeners = listeners
        self.progress: dict[str, Progress] = {}
        self.saving = 0
        self._slow_disk = SlowDisk(alert)
        self._running: dict[str, Running] = {}
        self._recent: deque[Execution] = deque(maxlen=REMEMBERED)
        self._histories: dict[str, deque[Execution]] = {}
        self._carry_out: dict[type[Any], Callable[[Any], None]] = {
            Start: self._start,
            Cancel: self._cancel,
            Kill: self._kill,
            Save: self._save,
            End: self._end,
            Accept: self._accept,
            Refuse: self._refuse,
            Skip: self._skip,
            Notice: self._notice,
            AskGate: lambda decision: gates.ask(decision.gate),
            LeaveGate: lambda decision: gates.leave(decision.gate),
            Remove: removed,
            Alert: alert,
        }

    def carry_out(self, decisions: list[Decision]) -> None:
        """Do what was decided, in that order."""
        carry_out = self._carry_out
        for decision in decisions:
            carry_out[type(decision)](decision)

    def history(self, name: str, limit: int, before: str | None) -> list[Execution]:
        """What is remembered of a task without a store, newest first. NotFound where `before` names none of it."""
        known = self._histories.get(name) or [each for each in list(self._recent) if each.task == name]
        newest = list(known)[::-1]
        if before is not None:
            ids = [execution.id for execution in newest]
            if before not in ids:
                raise NotFound(f"there is no execution {before} of {name}; give the ID of one, such as 1-345")
            newest = newest[ids.index(before) + 1 :]
        return newest[:limit]

    def forget_history(self, name: str) -> None:
        """A task is gone; its executions stay among the recent ones."""
        self._histories.pop(name, None)

    def kill_all(self) -> None:
        """End by force whatever can be ended."""
        for running in self._running.values():
            running.kill()

    def _start(self, decision: Start) -> None:
        attempt = decision.attempt
        try:
            self._running[attempt.id] = self._begin(attempt)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - a snapshot that raises, no thread to be had: the run's failure
            self._messages.delivered(attempt.id, Failed(f"it could not be started: {error_text(error)}"))
        if self._listeners:
            started = attempt.execution()
            self.tell(RunEvent("started", started.task, started, waited=attempt.waited, link=attempt.link))

    def _begin(self, attempt: Attempt) -> Running:
        task = attempt.task
        if self._traces:
            attempt.trace_id = begin().id
        run = Run(attempt, None if self._snapshot is None else self._snapshot(), self._sinks)
        executor = self._executors[task.calling.executor]
        return executor.start(attempt, run, arguments_of(task, run), self._messages.delivered)

    def let_go(self, execution_id: str) -> None:
        """An execution has ended by itself."""
        self._running.pop(execution_id, None)

    def _cancel(self, decision: Cancel) -> None:
        running = self._running.get(decision.execution_id)
        if running is not None:
            running.cancel()

    def _kill(self, decision: Kill) -> None:
        running = self._running.get(decision.execution_id)
        if running is not None:
            running.kill()

    def _save(self, decision: Save) -> None:
        assert self._store is not None
        self.saving += 1
        self._slow_disk.asked()
        try:
            written = self._store.save(decision.changes)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - a third party's store that raises at once is one that fails
            written = Future()
            written.set_exception(error)
        written.add_done_callback(partial(self._messages.written, decision.batch))

    def saved(self, works: bool) -> None:
        """A save has ended."""
        self.saving -= 1
        self._slow_disk.answered(works)

    def _end(self, decision: End) -> None:
        execution = decision.execution
        self.progress.pop(execution.id, None)
        if self._store is None:
            self._remember(execution)
        if decision.final and decision.ticket is not None:
            decision.ticket.end(execution)
        if self._listeners:
            text = summary(execution)
            self.tell(RunEvent("ended", execution.task, execution, text, final=decision.final))

    def _remember(self, execution: Execution) -> None:
        self._recent.append(execution)
        if execution.task_id in self._agenda.entries:
            history = self._histories.get(execution.task)
            if history is None:
                history = self._histories[execution.task] = deque(maxlen=self._history_limit)
            history.append(execution)

    def keep(self, history_limit: int) -> None:
        """Remember so many executions of each task from now on, where there is no store."""
        self._history_limit = history_limit
        for task, history in self._histories.items():
            self._histories[task] = deque(history, maxlen=history_limit)

    def _accept(self, decision: Accept) -> None:
        attempt = self._agenda.attempts.get(decision.execution.id)
        decision.ticket.accept(decision.execution if attempt is None else attempt.execution())

    def _refuse(self, decision: Refuse) -> None:
        if decision.ticket is not None:
            decision.ticket.refuse(decision.message)

    def _skip(self, decision: Skip) -> None:
        if self._listeners:
            self.tell(RunEvent("skipped", decision.task, None, decision.reason))

    def _notice(self, decision: Notice) -> None:
        if self._listeners:
            self.tell(RunEvent(decision.kind, decision.task, None, decision.text))

    def tell(self, event: RunEvent) -> None:
        """Something has happened to a run: let whoever listens know."""
        for listener in tuple(self._listeners):
            try:
                listener(event)
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # noqa: BLE001 - SystemExit too is the listener's fault, and stops nobody
                self.alert(Alert("listener", _name_of(listener), f"it raised {error_text(error)}"))


_OPENING = Lock()


def _transcript_of(transcripts: Transcripts, run: Run) -> Transcript:
    """A run's transcript, opened once: its threads may say their first words at the same moment."""
    with _OPENING:
        if run.transcript is None:
            run.transcript = transcripts.open(run.task, run.run_id, run.id)
        return run.transcript


def _name_of(listener: Listener) -> str:
    return getattr(listener, "__qualname__", None) or type(listener).__qualname__
