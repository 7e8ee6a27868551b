"""What is due, and what may run. Pure: `now` comes in, decisions go out; nothing here reads a clock or waits.

    a time, an event, an operator ──► fire ──► an attempt (attempts.py) ──► its end ──► an event, the next in the queue
                                        └──► skipped: missed, overlap, paused, limit, gate, skipped by an operator

Every method takes `now`; `advance` closes a turn and gives all that was decided in it, in the order in which it must be
carried out.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, tzinfo
from typing import Any

from msgspec.structs import replace

from dms.background_tasks.agenda.alarms import Alarms
from dms.background_tasks.agenda.attempts import Attempts
from dms.background_tasks.agenda.books import Books
from dms.background_tasks.agenda.decision import (
    BACKFILL,
    Accept,
    Attempt,
    Decision,
    Refuse,
    Remove,
)
from dms.background_tasks.agenda.entry import Entry
from dms.background_tasks.agenda.ledger import Ledger
from dms.background_tasks.agenda.listeners import Listeners
from dms.background_tasks.agenda.missed import has_waited_too_long, held, outlived, why_not_all, why_too_late
from dms.background_tasks.agenda.orders import Orders
from dms.background_tasks.agenda.overlap import may_queue, overtaken_by, why_busy
from dms.background_tasks.agenda.planning import Planning
from dms.background_tasks.agenda.ready import Slots
from dms.background_tasks.agenda.recovery import Memory
from dms.background_tasks.agenda.saved_state import with_state
from dms.background_tasks.agenda.tombstones import Tombstones
from dms.background_tasks.agenda.watching import Watching
from dms.background_tasks.store import Life, Pause, Skipped, StoredTask
from dms.background_tasks.tasks.retry import RETRY, RETRY_LATER
from dms.background_tasks.tasks.task import CatchUp, Event, Execution, Lane, Overlap, Status, Task
from dms.background_tasks.times.asked_calendar import Ask, ask_here
from dms.background_tasks.times.bounds import Bounds, allowed
from dms.background_tasks.times.doubt import fired
from dms.background_tasks.times.spread import Spread
from dms.background_tasks.times.timetable import SHORT_STEP, Timetable
from dms.background_tasks.triggers.exclusion import Calendar
from dms.instant import SECOND, Instant

GRACE = 60 * SECOND
"""A fire that starts less than this late, in a running process, is on time and not missed."""

MOST_BACKFILLED = 1000
"""Runs for past fires that one task may have waiting."""

Decisions = list[Decision]


class Agenda:
    """Every registered task, and when it comes due; its `attempts` are those that are not over."""

    def __init__(
        self,
        now: Instant,
        *,
        slots: int = 4,
        node_slots: int = 4,
        zone: tzinfo = UTC,
        calendars: Mapping[str, Calendar] | None = None,
        seed: str = "",
        boot_id: str = "",
        stored: bool = False,
        aging_quantum: int = 60 * SECOND,
        quarantine_after: int = 0,
        catch_up_spread: int = 0,
        memory: Memory | None = None,
        ask: Ask = ask_here,
    ) -> None:
        """`memory` is what the store still knew (see `recovery`); `stored` whether there is one; `quarantine_after` in
        how many crashes in a row a task may be running until it is held back (0: in any number); over how many
        microseconds from now what was missed before is spread; `seed` and `boot_id` tell this node and this boot of the
        machine from others; `ask` is how third parties' calendars are asked."""
        self.entries: dict[int, Entry] = {}
        self._memory = memory or Memory()
        self._boot_id, self._stored, self._began = boot_id, stored, now.boot
        self._ledger = Ledger(boot_id)
        self._alarms = Alarms(now)
        self._decisions: Decisions = []
        self._books = Books(self._ledger, self._decisions, stored)
        self.planning = Planning(
            self.entries,
            self._alarms,
            self._books,
            zone=zone,
            calendars=calendars,
            seed=seed,
            boot_id=boot_id,
            ask=ask,
            trusted=now.trusted,
            due=self._timetable_due,
            due_in_doubt=self._due_in_doubt,
        )
        self._spread = Spread(catch_up_spread, seed, now) if catch_up_spread else None
        self.attempts = Attempts(
            {Lane.USER: Slots(slots, aging_quantum), Lane.NODE: Slots(node_slots, aging_quantum)},
            self._ledger,
            self._alarms,
            self._decisions,
            starts=self._memory.starts,
            aging_quantum=aging_quantum,
            ended=self._ended,
            retry_due=self._retry_due,
            late=self._late,
        )
        self.orders = Orders(self.entries, self._alarms, self._books, self._memory.pause, self._retry_what_waited)
        self._listeners = Listeners(self._alarms, self._fire_on_event, self.paused)
        self._watching = Watching(
            self._alarms,
            self._decisions,
            hold=self.orders.hold,
            let_go=self.orders.let_go,
            touch=self._books.touch,
            tell=lambda topic, payload, now: self.emit(Event(topic, payload, now.wall), now),
        )
        self._tombstones = Tombstones(self._memory.tasks.values())
        self._begin_life(quarantine_after, now)

    def _begin_life(self, quarantine_after: int, now: Instant) -> None:
        """What the store has to know of this start, and of the end of the process before it."""
        self.lives = tuple(self._memory.lives)
        self.life = Life(self._memory.starts, now.wall, now.wall)
        if self._stored:
            self._ledger.lives(self.life)
        self._drop_surplus()
        for met in self._memory.count_crash(quarantine_after, now):
            self._ledger.keep(met)
        for execution in self._memory.interrupted(now):
            self._ledger.execution(execution)

    # ── tasks ──

    def add(self, task: Task, task_id: int, now: Instant) -> None:
        """Register a task under its ID. One that the store remembers goes on where it was, as far as its definition is
        the same; a changed trigger starts anew."""
        entry = Entry(task, task_id, self._stored)
        self.entries[task_id] = entry
        entry.come_by(self.planning.timetables(entry))
        changed = self._memory.restore(entry, now, self._boot_id)
        self.attempts.turnstiles.join(entry, now)
        if entry.ended:
            self._forget(entry)
            self._bury(entry)
            self._decisions.append(Remove(task_id, task.name))
            return
        buried = self._tombstones.open(task.name)
        if buried is not None and buried != task_id:
            self._ledger.drop(buried)
        if changed and self._stored:
            self._ledger.task(entry)
        if changed and entry.one_time and self._spread is not None:
            self._spread.new.add(task_id)
        self._take_up(entry, now)

    def follow(self, other: "Agenda", now: Instant) -> None:
        """Be as another agenda is, but for its tasks: begun when it was, with the same calendars, and held back as a
        whole where it is."""
        self._began, self._spread = other._began, other._spread
        self.planning.exclusion = other.planning.exclusion
        of_all = other.orders.of_all
        if of_all is not None:
            self.pause(None, of_all.until, of_all.reason, now)

    def take_over(self, other: Entry, now: Instant) -> None:
        """Go on with a task of another agenda as it stands there, but for its attempts."""
        entry = Entry(other.task, other.id, self._stored)
        entry.pause, entry.skip_next, entry.last = other.pause, other.skip_next, other.last
        entry.come_by(tuple(timetable.copied(entry) for timetable in other.timetables))
        self.entries[entry.id] = entry
        self.attempts.turnstiles.join(entry, now)
        self._plan_ahead(entry)
        self._watching.begin(entry, now)

    def replace(self, task: Task, task_id: int, now: Instant) -> None:
        """Give a task another definition. Unchanged triggers keep their phase and marks, changed ones start anew; what
        waits will run the new definition, what runs is left to finish."""
        entry = self.entries[task_id]
        self._listeners.forget(entry)
        if task.parked and not entry.task.parked:
            self._park(entry)
        before, entry.task = entry.task, task
        self._share_key(entry, before, now)
        entry.durable = entry.durable_as(self._stored)
        if before.parked and not task.parked:
            self.planning.come_by_anew(entry)
            self._memory.repair(entry, now, self._boot_id)
        elif list(before.triggers) != list(task.triggers) or (task.enabled and not before.enabled):
            self.planning.come_by_others(entry, before, now)
        if not task.parked:
            for attempt in entry.unfinished():
                if attempt.status is Status.WAITING:
                    self.attempts.give_task(attempt, task, now)
            if self._stored:
                self._ledger.task(entry)
        self._take_up(entry, now)
        self._next_of(entry, now)

    def _share_key(self, entry: Entry, before: Task, now: Instant) -> None:
        """It has the key that it has now, and no other one any more."""
        key = None if entry.task.concurrency is None else entry.task.concurrency.key
        if before.concurrency is not None and before.concurrency.key != key:
            self.attempts.turnstiles.part(entry, before.concurrency)
        self.attempts.turnstiles.join(entry, now)

    def resize(self, slots: int, now: Instant) -> None:
        """Let so many of the users' tasks run at once from now on."""
        self.attempts.resize(slots)

    def age_by(self, quantum: int, now: Instant) -> None:
        """Let whoever waits for a slot gain a step of priority each so many microseconds."""
        self.attempts.age_by(quantum)

    def _park(self, entry: Entry) -> None:
        """A task can't run for now: its marks are kept for the good one that comes again, and what waits of it still
        runs as it was."""
        kept = entry.stored(self._boot_id)
        entry.parked_marks = kept.state.marks
        self._memory.remember(kept)

    def _take_up(self, entry: Entry, now: Instant) -> None:
        """Plan what a task has before it, and go on with its unfinished runs."""
        self._plan_ahead(entry)
        self._watching.begin(entry, now)
        if not entry.task.parked:
            self._take_up_unfinished(entry, now)
            self._remove_if_over(entry)

    def _plan_ahead(self, entry: Entry) -> None:
        """Its times, its events, the end of its pause."""
        self.planning.plan_all(entry)
        if entry.topics:
            self._listeners.add(entry)
        if entry.pause is not None:
            self.orders.go_on_holding(entry)

    def _take_up_unfinished(self, entry: Entry, now: Instant) -> None:
        for attempt, cut in self._memory.unfinished(entry, now):
            if cut is not None:
                self._ledger.execution(cut)
            if attempt is None:
                continue
            if cut is not None:
                attempt.id, attempt.in_store = self.attempts.next_id(), False
            if entry.quarantined:
                self.attempts.wait_to_retry(attempt, now.boot)
            elif attempt.cause in (RETRY, RETRY_LATER):
                self.attempts.wait_to_retry(attempt, now.boot + _rest_of_wait(attempt, now))
            else:
                self.attempts.admit(entry, attempt, now)

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
                    self.attempts.end(attempt, Status.CANCELLED, now, error="the task was removed")
            self._decisions.append(Remove(task_id, entry.task.name))

    def _forget(self, entry: Entry) -> None:
        del self.entries[entry.id]
        entry.removed = True
        self._ledger.forget(entry)
        if entry.watch is not None:
            self._watching.forget(entry)
        for timetable in entry.timetables:
            timetable.token = 0
        if entry.topics:
            self._listeners.forget(entry)
        self.attempts.turnstiles.part(entry, entry.task.concurrency)

    def go_by(self, zone: tzinfo, now: Instant) -> None:
        """Another time zone counts for the triggers that name none: they begin anew, as changed ones do."""
        self.planning.go_by(zone, now)

    def keep_to(self, calendars: Mapping[str, Calendar], now: Instant) -> None:
        """These calendars leave fires out from now on. A task that names one which is not there is told of."""
        self.planning.keep_to(calendars)

    def drop_undeclared(self, origin: str, now: Instant) -> None:
        """Forget the tasks of that origin which the store remembers and nobody has added; what waits is cancelled."""
        for task_id, waiting in self._memory.discard(origin, self.entries, now):
            self._ledger.drop(task_id)
            for execution in waiting:
                self._ledger.execution(execution)

    def pause(self, task_id: int | None, until: int | None, reason: str, now: Instant) -> None:
        """Hold a task back (None: every task of the users' lane): its fires are skipped and counted, retries wait. One
        that is quarantined stays so."""
        entry = None if task_id is None else self.entries.get(task_id)
        if entry is not None or task_id is None:
            self.orders.pause(entry, until, reason, now)

    def resume(self, task_id: int | None, now: Instant) -> None:
        """Let it go on; what was skipped meanwhile stays skipped."""
        entry = None if task_id is None else self.entries.get(task_id)
        if entry is not None and entry.watch is not None:
            self._watching.freed(entry, now)
        if entry is not None or task_id is None:
            self.orders.let_go(entry, now)

    def _retry_what_waited(self, entry: Entry, now: Instant) -> None:
        for attempt in tuple(entry.retries or ()):
            if attempt.ready <= now.boot:
                self._retry_due(attempt, now)

    def skip_next(self, task_id: int, skip: bool, now: Instant) -> None:
        """Leave out the next fire of a task that would run, or (False) do not after all."""
        entry = self.entries.get(task_id)
        if entry is not None:
            self.orders.skip_next(entry, skip, now)

    def paused(self, entry: Entry) -> bool:
        """Whether it is held back, by itself or with all others."""
        return bool(self.orders.pauses(entry))

    # ── time ──

    def advance(self, now: Instant) -> Decisions:
        """Take what has come due until `now`, start what can start, and give all that was decided since last time."""
        if self.planning.look_at_clocks(now):
            self._drop_early(now)
        for act, what in self._alarms.due(now):
            act(what, now)
        self.attempts.dispatch(now)
        self.attempts.record_waiting()
        save = self._ledger.flush(now=now.wall) if self._stored else None
        if save is not None:
            self._decisions.append(save)
        decisions = self._decisions.copy()
        self._decisions.clear()
        return decisions

    def _drop_early(self, now: Instant) -> None:
        """What waits because it came in a future that turned out wrong waits no longer: its time is still to come."""
        for entry in [each for each in self.entries.values() if not each.idle]:
            if not all(timetable.on_wall for timetable in entry.timetables):
                continue
            for attempt in entry.unfinished():
                waits = attempt.status is Status.WAITING and attempt.cause in _BY_TIME
                if waits and attempt.due > now.wall + SHORT_STEP:
                    why = "its time is still to come: the clock was wrong"
                    self.attempts.end(attempt, Status.CANCELLED, now, error=why)

    def next_wakeup(self) -> Instant | None:
        """When `advance` has something to do next, by the clocks as they were last read; None: never."""
        return self._alarms.next()

    def _timetable_due(self, timetable: Timetable, now: Instant) -> None:
        """Some fires of a timetable have come: run those that the task's policies let, skip and count the rest."""
        if self.attempts.stopping or (self._spread is not None and self._is_put_off(self._spread, timetable, now)):
            return
        entry: Entry = timetable.owner
        task = entry.task
        first, bounds = timetable.first(now), timetable.bounds
        wanted = task.catch_up_limit if task.catch_up is CatchUp.ALL else 1
        if bounds is None:
            came, count = timetable.take(now, wanted)
        else:
            came, count = self._take_within(bounds, timetable, wanted, now)
        if entry.durable:
            self._books.touch(entry)
        pauses = self.orders.pauses(entry)
        labels = came
        if pauses or task.catch_up_window is not None or task.catch_up is CatchUp.NONE:
            labels = [each for each in came if not held(each, pauses) and not self._why_missed(timetable, each, now)]
        if count > len(labels):
            last = labels[0] - 1 if labels else came[-1]
            left_out = Skipped("", min(first, last), last, count - len(labels), now.wall)
            self._books.skip(entry, self._left_out(timetable, pauses, came[-1], left_out, now))
        if labels and entry.skip_next is not None and self.orders.skips(entry, labels[0], now):
            labels = labels[1:]
        for label in labels:
            cause = "schedule" if self._on_time(timetable.delayed(label, now), now) else "catch_up"
            if self._fire(entry, label, cause, None, now, queue_anyway=len(labels) > 1) and bounds is not None:
                bounds.runs += 1
                self._books.touch(entry)
        if entry.idle:
            timetable.run_ended(now)
            self._remove_if_over(entry)
        self.planning.plan(timetable)

    def _is_put_off(self, spread: Spread, timetable: Timetable, now: Instant) -> bool:
        """Whether what was missed before the start of the process waits for its turn."""
        if now.boot >= spread.end:
            self._spread = None
            return False
        until = spread.put_off(timetable, now)
        if until is not None:
            self.planning.put_off(timetable, until)
        return until is not None

    def _due_in_doubt(self, timetable: Timetable, now: Instant) -> None:
        fired(timetable)
        self._timetable_due(timetable, now)

    def _take_within(self, bounds: Bounds, timetable: Timetable, wanted: int, now: Instant) -> tuple[list[int], int]:
        """Take what has come of a timetable that has bounds. Where calendars leave fires out, the latest count as
        excluded; those before the latest that may run have been missed as well."""
        first = timetable.first(now)
        came, count = timetable.take(now, bounds.at_most(wanted))
        last = came[-1]
        if not any(self.planning.exclusion.by(bounds.exclude, label) for label in came):
            return came, count
        came = allowed(timetable, bounds, came, min(first, came[0]), self.planning.exclusion, now)
        after = came[-1] if came else first - 1
        left_out = timetable.count(after, last, now) if came else count
        if left_out:
            why = f"the calendar {self.planning.exclusion.by(bounds.exclude, last)} leaves it out"
            self._books.skip(timetable.owner, Skipped("excluded", after + 1, last, left_out, now.wall, why))
        return came, count - left_out

    def _on_time(self, meant: int, now: Instant) -> bool:
        """Whether a fire came in this process, and only just; told in boot time, for the wall clock may be set."""
        return now.wall - meant <= min(GRACE, now.boot - self._began)

    def _why_missed(self, timetable: Timetable, label: int, now: Instant) -> str:
        meant = timetable.delayed(label, now)
        return why_too_late(timetable.owner.task, now.wall - meant, self._on_time(meant, now))

    def _left_out(
        self, timetable: Timetable, pauses: Sequence[Pause], last: int, left_out: Skipped, now: Instant
    ) -> Skipped:
        """Fires that came and don't run, with why; `last` is the latest that came."""
        if pauses:
            return _held_back(pauses[0], left_out)
        why = self._why_missed(timetable, last, now)
        return replace(left_out, reason="missed", why=why or why_not_all(timetable.owner.task))

    # ── fires ──

    def fire(
        self, task_id: int, event: Event | None, now: Instant, ticket: Any = None, overlap: Overlap | None = None
    ) -> None:
        """An operator asks for a run. It obeys the overlap policy, or for this once another one, without its limits; a
        paused or disabled task runs all the same."""
        entry = self.entries.get(task_id)
        refusal = self._why_not(entry)
        if entry is None or refusal:
            self._decisions.append(Refuse(ticket, refusal))
        else:
            self._fire(entry, now.wall, "operator", event, now, ticket, overlap=overlap)
            if entry.quarantined:
                self.resume(task_id, now)

    def backfill(self, task_id: int, due: int, now: Instant, ticket: Any = None) -> None:
        """An operator wants a run for a past fire; such runs wait for each other, and for whatever comes due meanwhile.
        A paused or disabled task runs all the same."""
        entry = self.entries.get(task_id)
        refusal = self._why_not(entry)
        if entry is not None and not refusal and len(entry.queue or ()) >= MOST_BACKFILLED:
            refusal = f"{entry.task.name} has {MOST_BACKFILLED} runs waiting; more are taken on when those are done"
        if entry is None or refusal:
            self._decisions.append(Refuse(ticket, refusal))
            return
        attempt = Attempt(entry, self.attempts.next_id(), due, BACKFILL, None, ticket)
        self.attempts.admit(entry, attempt, now)
        if ticket is not None:
            self.attempts.accept(Accept(ticket, attempt.execution()), entry)

    def _why_not(self, entry: Entry | None) -> str:
        """Why nobody can have a run of it; empty where one can."""
        if entry is None:
            return "the task is gone"
        if self.attempts.stopping:
            return "the scheduler is stopping"
        return f"{entry.task.name} is parked: {entry.task.parked}" if entry.task.parked else ""

    def emit(self, event: Event, now: Instant) -> None:
        """Something has happened: fire every task that waits for its topic."""
        self._listeners.hear(event, now)

    def _fire_on_event(self, entry: Entry, event: Event, now: Instant) -> None:
        self._fire_unless_held(entry, "event", event, now)

    def poll_fired(self, task_id: int, now: Instant) -> None:
        """A third party's trigger says that it is ready."""
        entry = self.entries.get(task_id)
        if entry is not None:
            self._fire_unless_held(entry, "trigger", None, now)

    def _fire_unless_held(self, entry: Entry, cause: str, event: Event | None, now: Instant) -> None:
        if self.attempts.stopping or not entry.task.enabled or entry.task.parked:
            return
        pauses = self.orders.pauses(entry)
        if pauses:
            came = Skipped("", now.wall, now.wall, 1, now.wall)
            self._books.skip(entry, _held_back(pauses[0], came))
        elif not self.orders.skips(entry, now.wall, now):
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
        overlap: Overlap | None = None,
    ) -> bool:
        """A run is wanted: let it wait for a slot, or do what the overlap policy says where the task is busy. Whether
        it was taken on."""
        task = entry.task
        is_busy = entry.active >= task.max_instances and not queue_anyway
        if is_busy and self._leaves_out(entry, due, overlap, ticket, now):
            return False
        if entry.skips is not None:
            entry.skips.end_stretch()
        superseded = tuple(entry.retries) if entry.retries and task.retry_policy.supersede else ()
        overtaken = overtaken_by(entry, overlap) if entry.active and not queue_anyway else ()
        attempt = Attempt(entry, self.attempts.next_id(), due, cause, event, ticket)
        self.attempts.admit(entry, attempt, now, beside=overlap is Overlap.ALLOW)
        for retry in superseded:
            self.attempts.end(retry, Status.CANCELLED, now, error="superseded by the next fire")
        for other in overtaken:
            self.attempts.cancel(other, Status.CANCELLED, "overtaken by the next fire", now)
        if ticket is not None:
            self.attempts.accept(Accept(ticket, attempt.execution()), entry)
        return True

    def _leaves_out(self, entry: Entry, due: int, overlap: Overlap | None, ticket: Any, now: Instant) -> bool:
        """Whether the policy of a busy task, or the `overlap` that somebody wants for once, leaves the fire out; it is
        counted then."""
        if may_queue(entry) if overlap is None else overlap is not Overlap.SKIP:
            return False
        why = why_busy(entry.task, self.attempts.waits_for(entry))
        self._books.skip(entry, Skipped("overlap", due, due, 1, now.wall, why))
        if ticket is not None:
            self._decisions.append(Refuse(ticket, why))
        return True

    def save_state(self, execution_id: str, packed: bytes | None, ticket: Any, now: Instant) -> None:
        """An execution saves how far its work has come; `ticket` is told once that is on disk."""
        attempt = self.attempts.get(execution_id)
        if attempt is None:
            self._decisions.append(Refuse(ticket, "the run is over; what it saves is not kept"))
            return
        entry: Entry = attempt.entry
        entry.saved = with_state(entry.saved, attempt.run_id, packed)
        self._books.touch(entry)
        accept = Accept(ticket, attempt.execution())
        if self._stored and not entry.removed:
            self._ledger.accept(accept)
        else:
            self._decisions.append(accept)

    # ── ends ──

    def _ended(self, entry: Entry, execution: Execution, now: Instant) -> None:
        """An attempt has ended: what follows from it, for others and for the task itself."""
        if entry.saved is not None and execution.status is Status.SUCCESS and execution.run_id in entry.saved:
            entry.saved = with_state(entry.saved, execution.run_id, None)
            self._books.touch(entry)
        if entry.watch is not None:
            self._watching.ended(entry, execution, now, self.attempts.stopping)
        if execution.retry_at is None:
            self._run_over(entry, execution, now)
        if entry.queue:
            self._next_of(entry, now)
        self._remove_if_over(entry)

    def _retry_due(self, attempt: Attempt, now: Instant) -> None:
        entry: Entry = attempt.entry
        if attempt in (entry.retries or ()) and not self.attempts.stopping and not self.paused(entry):
            entry.leave(attempt)
            self.attempts.admit(entry, attempt, now)

    def _run_over(self, entry: Entry, execution: Execution, now: Instant) -> None:
        """A run has its final state: that is an event, and what a delay is counted from."""
        topics = self._listeners.topics
        ending = _ENDINGS.get(execution.status) if topics else None
        if ending is not None and (topic := f"task.{entry.task.name}.{ending}") in topics:
            self.emit(Event(topic, _told(execution), now.wall), now)
        for timetable in entry.timetables:
            if timetable.run_ended(now) and not entry.removed and entry.task.enabled:
                self.planning.plan(timetable)
                self._books.touch(entry)

    def _next_of(self, entry: Entry, now: Instant) -> None:
        """The task is free for the next of its own queue, where that is still worth running."""
        while entry.queue and not self.attempts.stopping and entry.active < entry.task.max_instances:
            attempt = entry.queue[0]
            if self._late(attempt, now, "missed"):
                return
            entry.leave(attempt)
            self.attempts.admit(entry, attempt, now)

    def observe(self, conditions: Mapping[str, bool], now: Instant) -> None:
        """Gates are open, or (False) are not; those that nobody waits for are not looked at."""
        self.attempts.holding.observe(conditions, now)

    def _late(self, attempt: Attempt, now: Instant, reason: str = "") -> bool:
        """Whether a waiting attempt is not worth running any more; it is skipped then."""
        if not has_waited_too_long(attempt, now):
            return False
        due, window = attempt.due, attempt.task.catch_up_window
        assert window is not None
        why = outlived(window)
        if not reason:
            reason = "gate" if self.attempts.holding.holds(attempt) else "limit"
            why = f"{why}; {self.attempts.why_waiting(attempt)}"
        self._books.skip(attempt.entry, Skipped(reason, due, due, 1, now.wall, why))
        self.attempts.end(attempt, Status.CANCELLED, now, error=_TOO_LONG)
        return True

    def _remove_if_over(self, entry: Entry) -> None:
        """A task whose triggers are all one-time goes once they have fired and run."""
        if entry.removed or self.attempts.stopping or not entry.over():
            return
        if entry.durable:
            over = self._bury(entry)
            if entry.task.restored:
                self._memory.remember(over)
        elif self._stored:
            self._ledger.drop(entry.id)
        self._forget(entry)
        self._decisions.append(Remove(entry.id, entry.task.name))

    def _bury(self, entry: Entry) -> StoredTask:
        """A one-time task is over; what stays of it, as long as there are not too many such."""
        over = entry.stored(self._boot_id, finished=self._memory.starts)
        self._ledger.keep(over)
        self._tombstones.bury(entry.task.name, entry.id)
        self._drop_surplus()
        return over

    def _drop_surplus(self) -> None:
        for task_id in self._tombstones.surplus():
            self._ledger.drop(task_id)

    def stop(self, now: Instant) -> None:
        """Nothing new starts from here on; what runs may finish, what waits stays in the store."""
        self.attempts.stop(now)
        if self._stored:
            self._ledger.stops(now.wall)


_TOO_LONG = "waited longer than its catch_up_window"

_BY_TIME = ("schedule", "catch_up")

_ENDINGS = {
    Status.SUCCESS: "success",
    Status.FAILED: "failed",
    Status.TIMED_OUT: "failed",
    Status.ABANDONED: "failed",
}


def _rest_of_wait(attempt: Attempt, now: Instant) -> int:
    """How long an attempt that the store brought back has still to wait for its retry: never longer than it had to at
    first, nor than the policy lets it now, for the clock may have been set back."""
    rest = max(0, attempt.due - now.wall)
    if attempt.wait is not None:
        rest = min(rest, attempt.wait)
    if attempt.cause == RETRY_LATER:
        return rest
    return min(rest, attempt.task.retry_policy.longest_wait(attempt.failures) if attempt.failures else 0)


def _told(execution: Execution) -> dict[str, Any]:
    """What the event of a run's end says of it."""
    return {
        "execution": execution.id,
        "run_id": execution.run_id,
        "status": execution.status.value,
        "error": execution.error,
        "results": execution.results,
    }


def _held_back(pause: Pause, left_out: Skipped) -> Skipped:
    return replace(left_out, reason="paused", why=pause.reason, since=pause.since)
