"""What is due, what waits, what runs. Pure: `now` comes in, decisions go out; nothing here reads a clock or waits.

    fire ──► waiting ──► starting ──► running ──► success | failed | timed_out | cancelled | interrupted | abandoned
                │            │                        │
                │            └─ until its start       └─ failed, timed_out: waiting again, as the next attempt
                └─► cancelled   is on disk

A task without durability goes from waiting to running at once. Every method takes `now`; `advance` closes a turn and
gives all that was decided in it, in the order in which it must be carried out.
"""

from datetime import UTC, tzinfo
from typing import Any

from dms.background_tasks.alarms import Alarms
from dms.background_tasks.decision import (
    Accept,
    Alert,
    Attempt,
    Cancel,
    Cancelled,
    Decision,
    End,
    Failed,
    Kill,
    Outcome,
    Refuse,
    Remove,
    Skip,
    Start,
    Succeeded,
)
from dms.background_tasks.entry import Entry
from dms.background_tasks.ledger import Ledger
from dms.background_tasks.ready import Slots
from dms.background_tasks.recovery import Memory
from dms.background_tasks.store import Pause
from dms.background_tasks.task import CatchUp, Durability, Event, Execution, Lane, Overlap, Program, Status, Task
from dms.background_tasks.timetable import Timetable, timetable_of
from dms.instant import SECOND, Instant, duration_text, microseconds

GRACE = 60 * SECOND
"""A fire that starts less than this late, in a running process, is on time and not missed."""

KILL_PATIENCE = 5 * SECOND
"""How long a killed program may take to be gone before its run is abandoned."""

SAVE_AGAIN = SECOND
"""How long after a failed save the next one is tried."""

Decisions = list[Decision]


class Agenda:
    """Every registered task, when it comes due, and every attempt that is not over."""

    def __init__(
        self,
        now: Instant,
        *,
        slots: int = 4,
        node_slots: int = 4,
        zone: tzinfo = UTC,
        seed: str = "",
        boot_id: str = "",
        stored: bool = False,
        aging_quantum: int = 60 * SECOND,
        memory: Memory | None = None,
    ) -> None:
        """`memory` is what the store still knew (see `recovery`); `stored` whether there is one;
        `seed` and `boot_id` tell this node and this boot of the machine from others."""
        self.entries: dict[int, Entry] = {}
        self.pause_state = memory.pause if memory else None
        self._memory = memory or Memory()
        self._lanes = {Lane.USER: Slots(slots, aging_quantum), Lane.NODE: Slots(node_slots, aging_quantum)}
        self._zone, self._seed, self._boot_id, self._stored = zone, seed, boot_id, stored
        self._ledger = Ledger(boot_id)
        self._live: dict[str, Attempt] = {}
        self._held: list[Attempt] = []
        self._fresh: list[Attempt] = []
        self._topics: dict[str, dict[int, Entry]] = {}
        self._alarms = Alarms(now)
        self._counter = 0
        self._began = now.boot
        self._stopping = False
        self._decisions: Decisions = []
        for execution in self._memory.interrupted(now):
            self._ledger.execution(execution)
        if self.pause_state is not None and self.pause_state.until is not None:
            self._alarms.at_wall(self.pause_state.until, self._pause_over, None)

    # ── tasks ──

    def add(self, task: Task, task_id: int, now: Instant) -> None:
        """Register a task under its ID. One that the store remembers goes on where it was, as far as its definition is
        the same; a changed trigger starts anew."""
        entry = Entry(task, task_id, self._stored)
        self.entries[task_id] = entry
        entry.come_by(self._timetables(entry))
        changed = self._memory.restore(entry, now, self._boot_id)
        if entry.ended:
            self._forget(entry)
            self._decisions.append(Remove(task_id, task.name))
            return
        if changed and self._stored:
            self._ledger.task(entry)
        self._take_up(entry, now)

    def replace(self, task: Task, task_id: int, now: Instant) -> None:
        """Give a task another definition. Unchanged triggers keep their phase and marks, changed ones start anew; what
        waits will run the new definition, what runs is left to finish."""
        entry = self.entries[task_id]
        self._unlisten(entry)
        if task.parked and not entry.task.parked:
            self._park(entry)
        before, entry.task = entry.task, task
        entry.durable = entry.durable_as(self._stored)
        if before.parked and not task.parked:
            self._come_by_anew(entry)
            self._memory.repair(entry, now, self._boot_id)
        elif list(before.triggers) != list(task.triggers) or (task.enabled and not before.enabled):
            self._come_by_anew(entry)
            for timetable in entry.timetables:
                timetable.begin_again(now, self._boot_id)
        if not task.parked:
            for attempt in entry.unfinished():
                if attempt.status is Status.WAITING:
                    attempt.task = task
            if self._stored:
                self._ledger.task(entry)
        self._take_up(entry, now)

    def _park(self, entry: Entry) -> None:
        """A task can't run for now: its marks are kept for the good one that comes again, and what waits of it still
        runs as it was."""
        kept = entry.stored(self._boot_id)
        entry.parked_marks = kept.state.marks
        self._memory.remember(kept)

    def _come_by_anew(self, entry: Entry) -> None:
        for timetable in entry.timetables:
            timetable.token = 0
        entry.come_by(self._timetables(entry))

    def _timetables(self, entry: Entry) -> tuple[Timetable, ...]:
        seed = f"{self._seed}:{entry.task.name}"
        found = (timetable_of(entry, trigger, self._zone, seed) for trigger in entry.task.triggers)
        return tuple(timetable for timetable in found if timetable is not None)

    def _take_up(self, entry: Entry, now: Instant) -> None:
        """Plan what a task has before it: its times, its events, the end of its pause, its unfinished runs."""
        for timetable in entry.timetables:
            if entry.runs_by_itself:
                self._plan(timetable)
            else:
                timetable.token = 0
        for topic in entry.topics:
            self._topics.setdefault(topic, {})[entry.id] = entry
        if entry.pause is not None and entry.pause.until is not None:
            self._alarms.at_wall(entry.pause.until, self._pause_over, entry)
        if not entry.task.parked:
            self._take_up_unfinished(entry, now)
            self._remove_if_over(entry, now)

    def _take_up_unfinished(self, entry: Entry, now: Instant) -> None:
        for attempt, cut in self._memory.unfinished(entry, now):
            if cut is not None:
                self._ledger.execution(cut)
            if attempt is None:
                continue
            if cut is not None:
                attempt.id, attempt.in_store = self._next_id(), False
            self._live[attempt.id] = attempt
            if attempt.cause == "retry":
                self._wait_to_retry(attempt, now.boot + max(0, attempt.due - now.wall))
            else:
                self._admit(entry, attempt, now)

    def remove(self, task_id: int, now: Instant) -> None:
        """Forget a task. What waits is cancelled; what runs is left to finish and is recorded."""
        entry = self.entries.get(task_id)
        if entry is not None:
            self._forget(entry)
            if self._stored:
                self._ledger.drop(task_id)
            for execution in self._memory.forget(entry, now):
                self._ledger.execution(execution)
            for attempt in entry.unfinished():
                if attempt.status is not Status.RUNNING and not attempt.over:
                    self._end(attempt, Status.CANCELLED, now, error="the task was removed")
            self._decisions.append(Remove(task_id, entry.task.name))

    def _forget(self, entry: Entry) -> None:
        del self.entries[entry.id]
        entry.removed = True
        self._ledger.forget(entry)
        for timetable in entry.timetables:
            timetable.token = 0
        self._unlisten(entry)

    def _unlisten(self, entry: Entry) -> None:
        for topic in entry.topics:
            listeners = self._topics.get(topic, {})
            listeners.pop(entry.id, None)
            if not listeners:
                self._topics.pop(topic, None)

    def drop_undeclared(self, origin: str, now: Instant) -> None:
        """Forget the tasks of that origin which the store remembers and nobody has added; what waits is cancelled."""
        for task_id, waiting in self._memory.discard(origin, self.entries, now):
            self._ledger.drop(task_id)
            for execution in waiting:
                self._ledger.execution(execution)

    def pause(self, task_id: int | None, until: int | None, reason: str, now: Instant) -> None:
        """Hold a task back (None: every task of the users' lane): its fires are skipped and counted, retries wait."""
        pause = Pause(now.wall, until, reason)
        entry = None if task_id is None else self.entries.get(task_id)
        if entry is not None:
            entry.pause = pause
            self._touch(entry)
        elif task_id is None:
            self._hold_all(pause)
        else:
            return
        if until is not None:
            self._alarms.at_wall(until, self._pause_over, entry)

    def _hold_all(self, pause: Pause | None) -> None:
        self.pause_state = pause
        if self._stored:
            self._ledger.pause(pause)

    def resume(self, task_id: int | None, now: Instant) -> None:
        """Let it go on; what was skipped meanwhile stays skipped."""
        entry = None if task_id is None else self.entries.get(task_id)
        if entry is not None or task_id is None:
            self._resume(entry, now)

    def _resume(self, entry: Entry | None, now: Instant) -> None:
        if entry is None:
            self._hold_all(None)
        else:
            entry.pause = None
            self._touch(entry)
        for resumed in list(self.entries.values()) if entry is None else [entry]:
            for attempt in tuple(resumed.retries or ()):
                if attempt.ready <= now.boot:
                    self._retry_due(attempt, now)

    def _pause_over(self, entry: Entry | None, now: Instant) -> None:
        pause = self.pause_state if entry is None else entry.pause
        if pause is not None and pause.until is not None and pause.until <= now.wall:
            self._resume(entry, now)

    def paused(self, entry: Entry) -> bool:
        """Whether it is held back, by itself or with all others."""
        return bool(self._pauses(entry))

    def _pauses(self, entry: Entry) -> list[Pause]:
        of_all = self.pause_state if entry.task.lane is Lane.USER else None
        return [pause for pause in (entry.pause, of_all) if pause is not None]

    # ── time ──

    def advance(self, now: Instant) -> Decisions:
        """Take what has come due until `now`, start what can start, and give all that was decided since last time."""
        if self._alarms.stepped_back(now):
            self._wall_stepped_back(now)
        for act, what in self._alarms.due(now):
            act(what, now)
        self._dispatch(now)
        self._record_waiting()
        save = self._ledger.flush()
        if save is not None:
            self._decisions.append(save)
        decisions, self._decisions = self._decisions, []
        return decisions

    def next_wakeup(self) -> Instant | None:
        """When `advance` has something to do next, by the clocks as they were last read; None: never."""
        return self._alarms.next()

    def _plan(self, timetable: Timetable) -> None:
        self._alarms.plan(timetable, self._timetable_due)
        if timetable.due is None and timetable.fault:
            self._decisions.append(Alert("trigger", timetable.owner.task.name, timetable.fault))

    def _wall_stepped_back(self, now: Instant) -> None:
        for entry in self.entries.values():
            for timetable in entry.timetables if entry.runs_by_itself else ():
                if timetable.wall_stepped_back(now):
                    self._plan(timetable)
        self._alarms.clear_away()

    def _timetable_due(self, timetable: Timetable, now: Instant) -> None:
        """Some fires of a timetable have come: run those that the task's policies let, skip and count the rest."""
        if self._stopping:
            return
        entry: Entry = timetable.owner
        task = entry.task
        labels, count = timetable.take(now, task.catch_up_limit if task.catch_up is CatchUp.ALL else 1)
        if entry.durable:
            self._touch(entry)
        pauses = self._pauses(entry)
        labels = [label for label in labels if not _held(label, pauses) and self._worth_running(task, label, now)]
        self._skip(entry, "paused" if pauses else "missed", count - len(labels))
        for label in labels:
            cause = "schedule" if self._on_time(label, now) else "catch_up"
            self._fire(entry, label, cause, None, now, queue_anyway=len(labels) > 1)
        if entry.idle:
            timetable.run_ended(now)
        self._plan(timetable)
        self._remove_if_over(entry, now)

    def _on_time(self, label: int, now: Instant) -> bool:
        """Whether a fire came in this process, and only just; told in boot time, for the wall clock may be set."""
        return now.wall - label <= min(GRACE, now.boot - self._began)

    def _worth_running(self, task: Task, label: int, now: Instant) -> bool:
        window = task.catch_up_window
        if window is not None and now.wall - label > microseconds(window):
            return False
        return task.catch_up is not CatchUp.NONE or self._on_time(label, now)

    # ── fires ──

    def fire(self, task_id: int, event: Event | None, now: Instant, ticket: Any = None) -> None:
        """An operator asks for a run. It obeys the overlap policy; a paused or disabled task runs all the same."""
        entry = self.entries.get(task_id)
        if entry is None or self._stopping:
            self._decisions.append(Refuse(ticket, "the task is gone" if entry is None else "the scheduler is stopping"))
        elif entry.task.parked:
            self._decisions.append(Refuse(ticket, f"{entry.task.name} is parked: {entry.task.parked}"))
        else:
            self._fire(entry, now.wall, "operator", event, now, ticket)

    def emit(self, event: Event, now: Instant) -> None:
        """Something has happened: fire every task that waits for its topic."""
        self._emit(event, now)

    def poll_fired(self, task_id: int, now: Instant) -> None:
        """A third party's trigger says that it is ready."""
        entry = self.entries.get(task_id)
        if entry is not None:
            self._fire_unless_held(entry, "trigger", None, now)

    def _emit(self, event: Event, now: Instant) -> None:
        for entry in tuple(self._topics.get(event.topic, {}).values()):
            self._fire_unless_held(entry, "event", event, now)

    def _fire_unless_held(self, entry: Entry, cause: str, event: Event | None, now: Instant) -> None:
        if self._stopping or not entry.task.enabled or entry.task.parked:
            return
        if self.paused(entry):
            self._skip(entry, "paused", 1)
            self._touch(entry)
        else:
            self._fire(entry, now.wall, cause, event, now)

    def _fire(
        self,
        entry: Entry,
        due: int,
        cause: str,
        event: Event | None,
        now: Instant,
        ticket: Any = None,
        queue_anyway: bool = False,
    ) -> None:
        """A run is wanted: let it wait for a slot, or do what the overlap policy says where the task is busy."""
        task = entry.task
        if entry.active >= task.max_instances and not queue_anyway and not _may_queue(entry):
            self._skip(entry, "overlap", 1)
            self._touch(entry)
            if ticket is not None:
                self._decisions.append(Refuse(ticket, f"{task.name} is running already; its overlap is {task.overlap}"))
            return
        superseded = tuple(entry.retries or ())
        overtaken = (*(entry.attempts or ()), *(entry.queue or ())) if _overtakes(entry, queue_anyway) else ()
        attempt = Attempt(entry, self._next_id(), due, cause, event, ticket)
        self._live[attempt.id] = attempt
        self._admit(entry, attempt, now)
        for retry in superseded:
            self._end(retry, Status.CANCELLED, now, error="superseded by the next fire")
        for other in overtaken:
            self._cancel(other, Status.CANCELLED, "overtaken by the next fire", now)
        if ticket is not None:
            self._accept(Accept(ticket, attempt.execution()), entry)

    def _accept(self, accept: Accept, entry: Entry) -> None:
        """What was promised to somebody has to be on disk, where its start has to be."""
        if entry.durable:
            self._ledger.accept(accept)
        else:
            self._decisions.append(accept)

    def _next_id(self) -> str:
        self._counter += 1
        return f"{self._memory.starts}-{self._counter}"

    def _admit(self, entry: Entry, attempt: Attempt, now: Instant) -> None:
        """It waits for a slot, which counts as running for the overlap policy; or for its task, where that is busy."""
        self._fresh.append(attempt)
        if entry.active < entry.task.max_instances:
            entry.begin(attempt)
            attempt.lane, attempt.ready = entry.task.lane, now.boot
            self._lanes[attempt.lane].wait(attempt)
        else:
            entry.enqueue(attempt)

    # ── starts ──

    def _dispatch(self, now: Instant) -> None:
        """Give free slots to those who wait; what is durable starts once that is on disk."""
        if self._stopping:
            return
        for slots in self._lanes.values():
            while (attempt := slots.next()) is not None:
                entry: Entry = attempt.entry
                if not entry.durable:
                    attempt.status, attempt.started = Status.RUNNING, now.wall
                    self._started(attempt, now)
                elif self._ledger.failing:
                    slots.release()
                    self._held.append(attempt)
                else:
                    attempt.status, attempt.started = Status.STARTING, now.wall
                    attempt.in_store = True
                    self._ledger.start(attempt, attempt.execution())

    def _started(self, attempt: Attempt, now: Instant) -> None:
        self._decisions.append(Start(attempt))
        timeout = attempt.task.timeout
        if timeout is not None:
            self._alarms.at_boot(now.boot + microseconds(timeout), self._timed_out, attempt)

    def saved(self, batch: int, now: Instant) -> None:
        """A batch is on disk: what waited for it goes on."""
        if self._ledger.failing:
            self._works_again()
        done = self._ledger.saved(batch)
        self._decisions += [*done.accepts, *done.ends]
        for attempt in done.starts:
            if self._stopping:
                self._unstart(attempt)
            elif not attempt.over:
                attempt.status, attempt.started = Status.RUNNING, now.wall
                self._started(attempt, now)

    def save_failed(self, batch: int, message: str, now: Instant) -> None:
        """A batch could not be written: its starts wait again, the rest is kept and tried again; whatever needs no
        disk goes on."""
        for attempt in self._ledger.failed(batch):
            self._unstart(attempt)
        self._decisions.append(Alert("store", "executions", f"{message}; durable tasks wait until it works again"))
        self._alarms.at_boot(now.boot + SAVE_AGAIN, self._save_again, None)

    def _unstart(self, attempt: Attempt) -> None:
        """It did not start after all; it waits, without a slot, until the store works again or the next process."""
        if attempt.status is Status.STARTING:
            attempt.status, attempt.started = Status.WAITING, None
            self._lanes[attempt.lane].release()
            self._held.append(attempt)
            self._ledger.execution(attempt.execution())

    def _save_again(self, _: None, now: Instant) -> None:
        if not self._ledger.failing:
            return
        save = self._ledger.flush(again=True)
        if save is not None:
            self._decisions.append(save)
        else:
            self._works_again()

    def _works_again(self) -> None:
        """The store takes what it is given: what was held back for it waits for a slot again, at its old place."""
        self._decisions.append(Alert("store", "executions", ""))
        for attempt in self._held:
            self._lanes[attempt.lane].wait(attempt)
        self._held.clear()

    # ── ends ──

    def finished(self, execution_id: str, outcome: Outcome, now: Instant) -> None:
        """A function has ended. One that was given up before is not heard any more."""
        attempt = self._live.get(execution_id)
        if attempt is not None:
            status, error = _judge(attempt, outcome)
            self._end(attempt, status, now, error, outcome.results)

    def _end(
        self, attempt: Attempt, status: Status, now: Instant, error: str | None = None, results: Any = None
    ) -> None:
        """An attempt is over: free what it held, record it, see what follows from it."""
        entry: Entry = attempt.entry
        if attempt.status is not Status.WAITING:
            self._lanes[attempt.lane].release()
        attempt.status, attempt.over = status, True
        del self._live[attempt.id]
        entry.leave(attempt)
        again = self._next_attempt(attempt, status, now)
        execution = attempt.execution(now.wall, error, results, None if again is None else again.due)
        entry.last = execution
        self._record(End(execution, again is None, attempt.ticket), attempt)
        if again is not None:
            self._live[again.id] = again
            self._fresh.append(again)
            self._wait_to_retry(again, now.boot + again.due - now.wall)
        else:
            self._run_over(entry, execution, now)
        self._next_of(entry, now)
        self._remove_if_over(entry, now)

    def _record(self, end: End, attempt: Attempt) -> None:
        """An end counts once it is on disk, where its start is."""
        if attempt.in_store:
            self._ledger.end(end)
        else:
            self._decisions.append(end)

    def _next_attempt(self, attempt: Attempt, status: Status, now: Instant) -> Attempt | None:
        """What follows an attempt that did not succeed: the next one, the same again after a stop, or nothing."""
        wait, used = None, 1
        if status in (Status.FAILED, Status.TIMED_OUT):
            wait = attempt.task.retry_policy.wait_before_retry(attempt.failures + 1)
        elif attempt.ending is Status.INTERRUPTED and attempt.task.durability is Durability.AT_LEAST_ONCE:
            wait, used = (None if status is Status.SUCCESS else 0), 0
        if wait is None or attempt.entry.removed:
            return None
        again = Attempt(attempt.entry, self._next_id(), now.wall + wait, "retry", attempt.event, attempt.ticket)
        again.run_id = attempt.run_id
        again.attempt, again.failures = attempt.attempt + used, attempt.failures + used
        return again

    def _wait_to_retry(self, attempt: Attempt, boot: int) -> None:
        attempt.ready = boot
        attempt.entry.wait_to_retry(attempt)
        self._alarms.at_boot(boot, self._retry_due, attempt)

    def _retry_due(self, attempt: Attempt, now: Instant) -> None:
        entry: Entry = attempt.entry
        if attempt in (entry.retries or ()) and not self._stopping and not self.paused(entry):
            entry.leave(attempt)
            self._admit(entry, attempt, now)

    def _run_over(self, entry: Entry, execution: Execution, now: Instant) -> None:
        """A run has its final state: that is an event, and what a delay is counted from."""
        ending = _ENDINGS.get(execution.status)
        topic = f"task.{entry.task.name}.{ending}"
        if ending is not None and topic in self._topics:
            self._emit(Event(topic, _told(execution), now.wall), now)
        for timetable in entry.timetables:
            if timetable.run_ended(now) and not entry.removed and entry.task.enabled:
                self._plan(timetable)
                self._touch(entry)

    def _next_of(self, entry: Entry, now: Instant) -> None:
        """The task is free for the next of its own queue, where that is still worth running."""
        while entry.queue and not self._stopping and entry.active < entry.task.max_instances:
            attempt = entry.queue[0]
            window = entry.task.catch_up_window
            if window is not None and now.wall - attempt.due > microseconds(window):
                self._skip(entry, "missed", 1)
                return self._end(attempt, Status.CANCELLED, now, error="waited longer than its catch_up_window")
            entry.leave(attempt)
            self._admit(entry, attempt, now)

    def _remove_if_over(self, entry: Entry, now: Instant) -> None:
        """A task whose triggers are all one-time goes once they have fired and run."""
        if entry.removed or self._stopping or not entry.over():
            return
        if entry.durable:
            over = entry.stored(self._boot_id, finished=self._memory.starts)
            self._ledger.finished(over)
            if entry.task.restored:
                self._memory.remember(over)
        elif self._stored:
            self._ledger.drop(entry.id)
        self._forget(entry)
        self._decisions.append(Remove(entry.id, entry.task.name))

    # ── cancelling ──

    def _timed_out(self, attempt: Attempt, now: Instant) -> None:
        timeout = attempt.task.timeout
        if not attempt.over and attempt.ending is None and timeout is not None:
            self._cancel(
                attempt,
                Status.TIMED_OUT,
                f"it ran longer than its timeout of {duration_text(microseconds(timeout))}",
                now,
            )

    def _cancel(self, attempt: Attempt, ending: Status, reason: str, now: Instant) -> None:
        """Tell an attempt to end; one that has not begun ends here."""
        if attempt.over or attempt.ending is not None:
            return
        if attempt.status is not Status.RUNNING:
            return self._end(attempt, ending, now, error=reason)
        attempt.ending, attempt.reason = ending, reason
        self._decisions.append(Cancel(attempt.id))
        self._alarms.at_boot(now.boot + attempt.entry.kill_after(), self._patience_over, attempt)

    def _patience_over(self, attempt: Attempt, now: Instant) -> None:
        """It did not end when told to: kill what can be killed, give up the rest."""
        if attempt.over:
            return
        if isinstance(attempt.task.function, Program) and not attempt.killed:
            attempt.killed = True
            self._decisions.append(Kill(attempt.id))
            self._alarms.at_boot(now.boot + KILL_PATIENCE, self._patience_over, attempt)
            return
        self._end(attempt, Status.ABANDONED, now, error=f"{attempt.reason}, and it did not stop when told to")

    def stop(self, now: Instant) -> None:
        """Nothing new starts from here on; what runs may finish, what waits stays in the store."""
        self._stopping = True

    def cancel_running(self, reason: str, now: Instant) -> None:
        """Tell everything that runs to end; the attempt is not used up."""
        for attempt in list(self._live.values()):
            if attempt.status is Status.RUNNING:
                self._cancel(attempt, Status.INTERRUPTED, reason, now)

    def abandon(self, now: Instant) -> None:
        """Give up what did not end when told to: the process is about to."""
        for attempt in self.unfinished():
            if attempt.status is Status.STARTING:
                self._unstart(attempt)
            else:
                reason = attempt.reason or "the scheduler stopped"
                self._end(attempt, Status.ABANDONED, now, error=f"{reason}, and it did not stop when told to")

    # ── answers ──

    def running_count(self, lane: Lane = Lane.USER) -> int:
        """How many slots of a lane are taken."""
        return self._lanes[lane].running

    def waiting(self, lane: Lane = Lane.USER) -> list[Attempt]:
        """What waits for a slot of a lane, in the order in which it will start."""
        return self._lanes[lane].waiting()

    def unfinished(self) -> list[Attempt]:
        """Every attempt that runs or is about to."""
        return [attempt for attempt in self._live.values() if attempt.status is not Status.WAITING]

    def tickets(self) -> list[Any]:
        """The tickets of all runs that are not over, or whose end is not on disk yet."""
        live = [attempt.ticket for attempt in self._live.values()]
        return [ticket for ticket in live + self._ledger.tickets() if ticket is not None]

    def attempt(self, execution_id: str) -> Attempt | None:
        """An attempt that is not over."""
        return self._live.get(execution_id)

    def next_due(self, entry: Entry) -> int | None:
        """When a task next comes due by itself, in wall microseconds."""
        dues = [
            due if t.on_wall else due + self._alarms.offset
            for t in entry.timetables
            if (due := t.due) is not None and t.token
        ]
        return min(dues, default=None)

    # ── bookkeeping ──

    def _skip(self, entry: Entry, reason: str, count: int) -> None:
        if count > 0:
            entry.count_skipped(reason, count)
            self._decisions.append(Skip(entry.task.name, reason, count))

    def _touch(self, entry: Entry) -> None:
        if self._stored and not entry.removed:
            self._ledger.state(entry)

    def _record_waiting(self) -> None:
        """Durable attempts that could not start at once are kept too, so that a crash does not lose them."""
        for attempt in self._fresh:
            if attempt.status is Status.WAITING and attempt.entry.durable and not attempt.in_store:
                attempt.in_store = True
                self._ledger.execution(attempt.execution())
        self._fresh.clear()


_ENDINGS = {
    Status.SUCCESS: "success",
    Status.FAILED: "failed",
    Status.TIMED_OUT: "failed",
    Status.ABANDONED: "failed",
}


def _may_queue(entry: Entry) -> bool:
    """Whether another fire of a busy task may wait for it."""
    if entry.task.overlap is Overlap.QUEUE:
        return len(entry.queue or ()) < entry.task.queue_limit
    return entry.task.overlap is Overlap.CANCEL_RUNNING


def _overtakes(entry: Entry, queue_anyway: bool) -> bool:
    """Whether another fire of it ends what runs and waits."""
    return entry.task.overlap is Overlap.CANCEL_RUNNING and not queue_anyway and entry.active > 0


def _held(label: int, pauses: list[Pause]) -> bool:
    """Whether a fire falls into a pause."""
    return any(pause.until is None or label < pause.until for pause in pauses)


def _told(execution: Execution) -> dict[str, Any]:
    """What the event of a run's end says of it."""
    return {
        "execution": execution.id,
        "run_id": execution.run_id,
        "status": execution.status.value,
        "error": execution.error,
        "results": execution.results,
    }


def _judge(attempt: Attempt, outcome: Outcome) -> tuple[Status, str | None]:
    """The final state that an outcome means, and its reason."""
    if attempt.ending is Status.INTERRUPTED and isinstance(outcome, Succeeded):
        return Status.SUCCESS, None
    if attempt.ending is not None:
        return attempt.ending, attempt.reason
    if isinstance(outcome, Failed):
        return Status.FAILED, outcome.error
    if isinstance(outcome, Cancelled):
        return Status.CANCELLED, "it ended by cancelling itself"
    return Status.SUCCESS, None
