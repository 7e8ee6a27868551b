"""Every attempt that is not over: from waiting for a slot to its end. Pure; the agenda says what is to run.

    waiting ──► starting ──► running ──► success | failed | timed_out | cancelled | interrupted | abandoned
       │            │            │
       │            └─ until its start is on disk
       └─► cancelled             └─ failed, timed_out: waiting again, as the next attempt

A task without durability goes from waiting to running at once.
"""

from collections.abc import Callable
from typing import Any

from dms.background_tasks.agenda.abandoned import Abandoned
from dms.background_tasks.agenda.alarms import Act, Alarms
from dms.background_tasks.agenda.decision import (
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
    Start,
    Succeeded,
)
from dms.background_tasks.agenda.entry import Entry
from dms.background_tasks.agenda.holding import Holding
from dms.background_tasks.agenda.ledger import Ledger
from dms.background_tasks.agenda.ready import Slots
from dms.background_tasks.agenda.turnstile import Turnstiles
from dms.background_tasks.tasks.retry import RETRY, RETRY_LATER, kinds_of
from dms.background_tasks.tasks.task import Durability, Execution, Lane, Status, Task
from dms.instant import SECOND, Instant, duration_text, microseconds

KILL_PATIENCE = 5 * SECOND
"""How long a killed program may take to be gone before its run is abandoned."""

SAVE_AGAIN = SECOND
"""How long after a failed save the next one is tried."""

Ended = Callable[[Entry, Execution, Instant], None]
Late = Callable[[Attempt, Instant], bool]


class Attempts:
    """Gives slots, saves starts and ends, sees retries and cancellations through.

    `ended` hears of each end, `retry_due` when an attempt is to be tried again, `late` of one that waited for too long
    to be worth starting. Decisions are added to `decisions`,
    alarms set in `alarms`, both of which are the agenda's. `starts` is the number of this process start.
    """

    def __init__(
        self,
        lanes: dict[Lane, Slots],
        ledger: Ledger,
        alarms: Alarms,
        decisions: list[Decision],
        *,
        starts: int,
        aging_quantum: int,
        ended: Ended,
        retry_due: Act,
        late: Late,
    ) -> None:
        self._lanes, self.ledger, self._alarms, self._decisions = lanes, ledger, alarms, decisions
        self._starts, self._ended, self._retry_due, self._late = starts, ended, retry_due, late
        self.turnstiles = Turnstiles(lanes, alarms, ledger, aging_quantum)
        self.holding = Holding(decisions, self._past_gates)
        self.live: dict[str, Attempt] = {}
        self.abandoned = Abandoned(decisions)
        self._held: list[Attempt] = []
        self._fresh: list[Attempt] = []
        self._counter = 0
        self.stopping = False

    def next_id(self) -> str:
        """The next execution's ID: the number of this process start, and a counter."""
        self._counter += 1
        return f"{self._starts}-{self._counter}"

    def accept(self, accept: Accept, entry: Entry) -> None:
        """What was promised to somebody has to be on disk, where its start has to be."""
        if entry.durable:
            self.ledger.accept(accept)
        else:
            self._decisions.append(accept)

    def admit(self, entry: Entry, attempt: Attempt, now: Instant, beside: bool = False) -> None:
        """It waits for a slot, which counts as running for the overlap policy; or for its task, where that is busy and
        it may not run `beside` what runs."""
        self._register(attempt)
        if beside or entry.active < entry.task.max_instances:
            entry.begin(attempt)
            attempt.lane, attempt.ready = entry.task.lane, now.boot
            self._line_up(attempt, now)
        else:
            entry.enqueue(attempt)

    def _line_up(self, attempt: Attempt, now: Instant) -> None:
        if attempt.task.hold_until and not self.holding.passes(attempt):
            self._wait_within_window(attempt)
        elif attempt.task.concurrency is None:
            self._lanes[attempt.lane].wait(attempt)
        elif not self.turnstiles.line_up(attempt, now):
            self._wait_within_window(attempt)

    def _past_gates(self, attempt: Attempt, now: Instant) -> None:
        """What it waited for is there; it may start as of now."""
        attempt.ready = now.boot
        self._line_up(attempt, now)

    def _wait_within_window(self, attempt: Attempt) -> None:
        """Nobody knows for how long it has to wait; it is told when that is for too long."""
        window = attempt.task.catch_up_window
        if window is not None:
            self._alarms.at_wall(attempt.due + microseconds(window) + 1, self._window_over, attempt)

    def _window_over(self, attempt: Attempt, now: Instant) -> None:
        if attempt.status is Status.WAITING:
            self._late(attempt, now)

    def give_task(self, attempt: Attempt, task: Task, now: Instant) -> None:
        """A waiting attempt is to run another definition."""
        before = attempt.task
        waited = False
        if before.hold_until and before.hold_until != task.hold_until:
            waited = self.holding.holds(attempt)
            self.holding.leave(attempt)
        if before.concurrency is not None and (
            task.concurrency is None or task.concurrency.key != before.concurrency.key
        ):
            waited |= self.turnstiles.take_out(attempt, now)
        attempt.task = task
        if waited:
            self._line_up(attempt, now)

    # ── starts ──

    def resize(self, slots: int) -> None:
        """Let so many of the users' attempts run at once."""
        self._lanes[Lane.USER].resize(slots)

    def age_by(self, quantum: int) -> None:
        """Let whoever waits gain a step of priority each so many microseconds."""
        for slots in self._lanes.values():
            slots.age_by(quantum)
        self.turnstiles.age_by(quantum)

    def dispatch(self, now: Instant) -> None:
        """Give free slots to those who wait; what is durable starts once that is on disk."""
        if self.stopping:
            return
        for slots in self._lanes.values():
            while (attempt := slots.next()) is not None:
                entry: Entry = attempt.entry
                task = attempt.task
                if entry.saved is not None:
                    entry.inherit(attempt)
                may_wait = (task.hold_until or task.concurrency or task.catch_up_window) is not None
                if may_wait and not self._may_start(attempt, now):
                    slots.release()
                elif not entry.durable:
                    attempt.status, attempt.started = Status.RUNNING, now.wall
                    self._started(attempt, now)
                elif self.ledger.failing:
                    slots.release()
                    self._hold(attempt, now)
                else:
                    attempt.status, attempt.started = Status.STARTING, now.wall
                    attempt.in_store = True
                    self.ledger.start(attempt, attempt.execution())

    def _may_start(self, attempt: Attempt, now: Instant) -> bool:
        """Whether what its task says of its window, its gates and its key lets it start now."""
        task = attempt.task
        if self._late(attempt, now):
            return False
        if task.hold_until and not self.holding.passes(attempt):
            if task.concurrency is not None:
                self.turnstiles.left(attempt, False, now)
            self._wait_within_window(attempt)
            return False
        if task.concurrency is not None and not self.turnstiles.enter(attempt, now):
            self._wait_within_window(attempt)
            return False
        if task.hold_until:
            self.holding.leave(attempt)
        return True

    def _hold(self, attempt: Attempt, now: Instant) -> None:
        """It could not start; it waits, without a slot, until the store works again or the next process."""
        self._held.append(attempt)
        if attempt.task.concurrency is not None:
            self.turnstiles.came_to_nothing(attempt, now)

    def record_waiting(self) -> None:
        """Durable attempts that could not start at once are kept too, so that a crash does not lose them."""
        for attempt in self._fresh:
            if attempt.status is Status.WAITING and attempt.entry.durable and not attempt.in_store:
                attempt.in_store = True
                self.ledger.execution(attempt.execution())
        self._fresh.clear()

    def _started(self, attempt: Attempt, now: Instant) -> None:
        attempt.began = now.boot
        self._decisions.append(Start(attempt))
        timeout = attempt.task.timeout
        if timeout is not None:
            self._alarms.at_boot(now.boot + microseconds(timeout), self._timed_out, attempt)
        heartbeat_timeout = attempt.task.heartbeat_timeout
        if heartbeat_timeout is not None:
            attempt.beat = now.boot
            self._alarms.at_boot(now.boot + microseconds(heartbeat_timeout), self._listen_for_heartbeat, attempt)

    def saved(self, batch: int, now: Instant) -> None:
        """A batch is on disk: what waited for it goes on."""
        if self.ledger.failing:
            self._works_again(now)
        done = self.ledger.saved(batch)
        self._decisions += [*done.accepts, *done.ends]
        for attempt in done.starts:
            if self.stopping:
                self._unstart(attempt, now)
            elif not attempt.over:
                attempt.status, attempt.started = Status.RUNNING, now.wall
                self._started(attempt, now)

    def save_failed(self, batch: int, message: str, now: Instant) -> None:
        """A batch could not be written: its starts wait again, the rest is kept and tried again; whatever needs no
        disk goes on."""
        for attempt in self.ledger.failed(batch):
            self._unstart(attempt, now)
        self._decisions.append(Alert("store", "executions", f"{message}; durable tasks wait until it works again"))
        self._alarms.at_boot(now.boot + SAVE_AGAIN, self._save_again, None)

    def _unstart(self, attempt: Attempt, now: Instant) -> None:
        """It did not start after all."""
        if attempt.status is Status.STARTING:
            attempt.status, attempt.started = Status.WAITING, None
            self._lanes[attempt.lane].release()
            self._hold(attempt, now)
            self.ledger.execution(attempt.execution())

    def stop(self, now: Instant) -> None:
        """Nothing starts any more; what a failing store has refused is tried once more, now."""
        self.stopping = True
        self._save_again(None, now)

    def _save_again(self, _: None, now: Instant) -> None:
        if not self.ledger.failing or self.ledger.busy:
            return
        save = self.ledger.flush(again=True)
        if save is not None:
            self._decisions.append(save)
        else:
            self._works_again(now)

    def _works_again(self, now: Instant) -> None:
        """The store takes what it is given: what was held back for it waits for a slot again, at its old place."""
        self._decisions.append(Alert("store", "executions", ""))
        held, self._held = self._held, []
        for attempt in held:
            if not attempt.over:
                self._line_up(attempt, now)

    # ── ends ──

    def finished(self, execution_id: str, outcome: Outcome, now: Instant) -> None:
        """A function has ended. One that was given up before is not heard any more."""
        attempt = self.live.get(execution_id)
        if attempt is None:
            self.abandoned.ended(execution_id)
        else:
            attempt.failed = outcome if isinstance(outcome, Failed) else None
            status, error = _judge(attempt, outcome)
            self.end(attempt, status, now, error, outcome.results)

    def end(
        self, attempt: Attempt, status: Status, now: Instant, error: str | None = None, results: Any = None
    ) -> None:
        """An attempt is over: free what it held, record it, see what follows from it."""
        entry: Entry = attempt.entry
        begun = attempt.status is not Status.WAITING
        if begun:
            self._lanes[attempt.lane].release()
        attempt.status, attempt.over = status, True
        if attempt.task.concurrency is not None:
            self.turnstiles.left(attempt, begun, now)
        if attempt.task.hold_until:
            self.holding.leave(attempt)
        del self.live[attempt.id]
        entry.leave(attempt)
        again = None if status is Status.SUCCESS else self._next_attempt(attempt, status, now)
        retry_at = None if again is None else again.due
        execution = attempt.execution(now.wall, error, results, retry_at, now.boot)
        entry.last = execution
        self._record(End(execution, again is None, attempt.ticket), attempt)
        if again is not None:
            self.wait_to_retry(again, now.boot + again.due - now.wall)
        self._ended(entry, execution, now)

    def _record(self, end: End, attempt: Attempt) -> None:
        """An end counts once it is on disk, where its start is or had to be."""
        if attempt.in_store or attempt.entry.durable:
            self.ledger.end(end)
        else:
            self._decisions.append(end)

    def _next_attempt(self, attempt: Attempt, status: Status, now: Instant) -> Attempt | None:
        """What follows an attempt that did not succeed: the next one, the same again after a stop, or nothing."""
        wait, failures, attempts = None, 0, 1
        if status in (Status.FAILED, Status.TIMED_OUT):
            wait, failures = _wait_and_use(attempt, status)
        elif attempt.ending is Status.INTERRUPTED and attempt.task.durability is Durability.AT_LEAST_ONCE:
            wait, attempts = 0, 0
        if wait is None or attempt.entry.removed:
            return None
        cause = RETRY_LATER if attempts and not failures else RETRY
        again = Attempt(attempt.entry, self.next_id(), now.wall + wait, cause, attempt.event, attempt.ticket)
        again.occurrence, again.wait = attempt.occurrence, wait
        again.run_id, again.link = attempt.run_id, attempt.traceparent or attempt.link
        again.attempt, again.failures = attempt.attempt + attempts, attempt.failures + failures
        return again

    def wait_to_retry(self, attempt: Attempt, boot: int) -> None:
        """It waits, without a slot, until it is to be tried again at `boot`."""
        self._register(attempt)
        attempt.ready = boot
        attempt.entry.wait_to_retry(attempt)
        self._alarms.at_boot(boot, self._retry_due, attempt)

    def _register(self, attempt: Attempt) -> None:
        self.live[attempt.id] = attempt
        if attempt.entry.durable:
            self._fresh.append(attempt)

    # ── cancelling ──

    def cancel(self, attempt: Attempt, ending: Status, reason: str, now: Instant) -> None:
        """Tell an attempt to end; one that has not begun ends here."""
        if attempt.over or attempt.ending is not None:
            return
        if attempt.status is not Status.RUNNING:
            return self.end(attempt, ending, now, error=reason)
        attempt.ending, attempt.reason = ending, reason
        self._decisions.append(Cancel(attempt.id))
        self._alarms.at_boot(now.boot + attempt.entry.kill_after(), self._patience_over, attempt)

    def _timed_out(self, attempt: Attempt, now: Instant) -> None:
        timeout = attempt.task.timeout
        if not attempt.over and attempt.ending is None and timeout is not None:
            self.cancel(
                attempt,
                Status.TIMED_OUT,
                f"it ran longer than its timeout of {duration_text(microseconds(timeout))}",
                now,
            )

    def beat(self, execution_id: str, now: Instant) -> None:
        """An attempt has given a sign of life."""
        attempt = self.live.get(execution_id)
        if attempt is not None:
            attempt.beat = now.boot

    def _listen_for_heartbeat(self, attempt: Attempt, now: Instant) -> None:
        """It has given no sign of life for too long; or it has, and there is time until it would have been silent for
        so long since."""
        if attempt.over or attempt.ending is not None or attempt.task.heartbeat_timeout is None:
            return
        patience = microseconds(attempt.task.heartbeat_timeout)
        if attempt.beat + patience > now.boot:
            self._alarms.at_boot(attempt.beat + patience, self._listen_for_heartbeat, attempt)
        else:
            silent = f"it gave no sign of life for its heartbeat_timeout of {duration_text(patience)}"
            self.cancel(attempt, Status.TIMED_OUT, silent, now)

    def _patience_over(self, attempt: Attempt, now: Instant) -> None:
        """It did not end when told to: kill what can be killed, give up the rest."""
        if attempt.over:
            return
        if attempt.task.killable and not attempt.killed:
            attempt.killed = True
            self._decisions.append(Kill(attempt.id))
            self._alarms.at_boot(now.boot + KILL_PATIENCE, self._patience_over, attempt)
            return
        self.abandoned.add(attempt)
        self.end(attempt, Status.ABANDONED, now, error=f"{attempt.reason}, and it did not stop when told to")

    def cancel_running(self, reason: str, now: Instant) -> None:
        """Tell everything that runs to end; the attempt is not used up."""
        for attempt in list(self.live.values()):
            if attempt.status is Status.RUNNING:
                self.cancel(attempt, Status.INTERRUPTED, reason, now)

    def abandon(self, now: Instant) -> None:
        """Give up what did not end when told to: the process is about to."""
        for attempt in self.unfinished():
            if attempt.status is Status.STARTING:
                self._unstart(attempt, now)
            else:
                reason = attempt.reason or "the scheduler stopped"
                self.end(attempt, Status.ABANDONED, now, error=f"{reason}, and it did not stop when told to")

    # ── answers ──

    def running_count(self, lane: Lane = Lane.USER) -> int:
        """How many slots of a lane are taken."""
        return self._lanes[lane].running

    def waiting(self, lane: Lane = Lane.USER) -> list[Attempt]:
        """What waits for a slot of a lane, in the order in which it will start."""
        return self._lanes[lane].waiting()

    def waits_for(self, entry: Entry, closely: bool = False) -> str:
        """What the first of its attempts waits for; empty where one of them runs. `closely` tells how many go before it
        too, which takes as long as there are others. Any thread may ask."""
        attempts = list(entry.attempts or ())
        if not attempts or any(attempt.status is not Status.WAITING for attempt in attempts):
            return ""
        why = self.why_waiting(attempts[0])
        ahead = self._lanes[attempts[0].lane].ahead_of(attempts[0]) if closely and why == _NO_SLOT else 0
        return f"{why}, {ahead} run{'' if ahead == 1 else 's'} ahead" if ahead else why

    def why_waiting(self, attempt: Attempt) -> str:
        """What a waiting attempt waits for. Any thread may ask."""
        return self.holding.why(attempt) or self.turnstiles.why(attempt) or _NO_SLOT

    def unfinished(self) -> list[Attempt]:
        """Every attempt that runs or is about to."""
        return [attempt for attempt in self.live.values() if attempt.status is not Status.WAITING]

    def tickets(self) -> list[Any]:
        """The tickets of all runs that are not over, or whose end is not on disk yet."""
        live = [attempt.ticket for attempt in self.live.values()]
        return [ticket for ticket in live + self.ledger.tickets() if ticket is not None]

    def get(self, execution_id: str) -> Attempt | None:
        """An attempt that is not over."""
        return self.live.get(execution_id)


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


def _wait_and_use(attempt: Attempt, status: Status) -> tuple[int | None, int]:
    """How long a failed attempt waits before the next (None: there is none), and how many retries that uses up."""
    failed = attempt.failed if status is Status.FAILED else _TIMED_OUT
    if failed is not None and failed.retry_after is not None:
        return failed.retry_after, 0
    if failed is not None and failed.gives_up:
        return None, 0
    kinds = () if failed is None else failed.kinds
    return attempt.task.retry_policy.wait_before_retry(attempt.failures + 1, kinds, attempt.run_id), 1


_NO_SLOT = "no free slot"
_TIMED_OUT = Failed("", kinds=kinds_of(TimeoutError()))
