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

from dms.background_tasks.alarms import Alarms
from dms.background_tasks.asked_calendar import Ask, ask_here
from dms.background_tasks.attempts import Attempts
from dms.background_tasks.bounds import Bounds, allowed, excluded_by, next_allowed
from dms.background_tasks.calendar_timetable import CalendarTimetable
from dms.background_tasks.decision import (
    BACKFILL,
    Accept,
    Alert,
    Attempt,
    Decision,
    Refuse,
    Remove,
    Skip,
)
from dms.background_tasks.doubt import begin_again, fired, set_right
from dms.background_tasks.entry import Entry
from dms.background_tasks.exclusion import Calendar, Exclusion, why_missing
from dms.background_tasks.gathering import Gathering
from dms.background_tasks.ledger import Ledger
from dms.background_tasks.missed import has_waited_too_long, held, outlived, why_not_all, why_too_late
from dms.background_tasks.overlap import may_queue, overtakes, why_busy
from dms.background_tasks.ready import Slots
from dms.background_tasks.recovery import Memory
from dms.background_tasks.retry import RETRY, RETRY_LATER
from dms.background_tasks.saved_state import with_state
from dms.background_tasks.spread import Spread
from dms.background_tasks.store import Life, Pause, Skipped, StoredTask
from dms.background_tasks.task import CatchUp, Event, Execution, Lane, Overlap, Status, Task
from dms.background_tasks.timetable import LONG_STEP, Timetable
from dms.background_tasks.timetables import has_times, paired, timetable_of
from dms.background_tasks.tombstones import Tombstones
from dms.background_tasks.trigger import Trigger
from dms.background_tasks.watching import Watching
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
        self.pause_state = memory.pause if memory else None
        self._memory = memory or Memory()
        self._zone, self._seed, self._boot_id, self._stored = zone, seed, boot_id, stored
        self.exclusion = Exclusion(calendars, zone)
        self._ledger = Ledger(boot_id)
        self._topics: dict[str, dict[int, Entry]] = {}
        self._ask = ask
        self._alarms = Alarms(now)
        self._on_due, self._on_due_in_doubt = self._timetable_due, self._due_in_doubt  # made once: all alarms share it
        self._began = now.boot
        self._spread = Spread(catch_up_spread, seed, now) if catch_up_spread else None
        self._trusted = now.trusted
        self._decisions: Decisions = []
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
        self.lives = tuple(self._memory.lives)
        self.life = Life(self._memory.starts, now.wall, now.wall)
        if stored:
            self._ledger.lives(self.life)
        self._watching = Watching(
            self._alarms,
            self._decisions,
            hold=self._hold,
            let_go=self._resume,
            touch=self._touch,
            tell=lambda topic, payload, now: self.emit(Event(topic, payload, now.wall), now),
        )
        self._tombstones = Tombstones(self._memory.tasks.values())
        self._drop_surplus()
        for met in self._memory.count_crash(quarantine_after, now):
            self._ledger.keep(met)
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
        self._began, self.exclusion = other._began, other.exclusion
        if other.pause_state is not None:
            self.pause(None, other.pause_state.until, other.pause_state.reason, now)

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
        self._unlisten(entry)
        if task.parked and not entry.task.parked:
            self._park(entry)
        before, entry.task = entry.task, task
        self._share_key(entry, before, now)
        entry.durable = entry.durable_as(self._stored)
        if before.parked and not task.parked:
            self._come_by_anew(entry)
            self._memory.repair(entry, now, self._boot_id)
        elif list(before.triggers) != list(task.triggers) or (task.enabled and not before.enabled):
            self._come_by_others(entry, before, now)
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

    def go_by(self, zone: tzinfo, now: Instant) -> None:
        """Another time zone counts for the triggers that name none: they begin anew, as changed ones do."""
        if str(zone) == str(self._zone):
            return
        self._zone = self.exclusion.zone = zone
        for entry in self.entries.values():
            self._begin_in_zone(entry, now)

    def keep_to(self, calendars: Mapping[str, Calendar], now: Instant) -> None:
        """These calendars leave fires out from now on. A task that names one which is not there is told of."""
        if calendars == self.exclusion.calendars:
            return
        self.exclusion = Exclusion(calendars, self._zone)
        for entry in self.entries.values():
            if any(timetable.bounds is not None for timetable in entry.timetables):
                missing = why_missing(entry.task, calendars)
                why = f"nothing is left out by what its exclude names: {missing}" if missing else ""
                self._decisions.append(Alert("calendar", entry.task.name, why))

    def _begin_in_zone(self, entry: Entry, now: Instant) -> None:
        made = [(trigger, self._timetable(entry, trigger)) for trigger in entry.task.triggers]
        timed = [(trigger, timetable) for trigger, timetable in made if timetable is not None]
        begun = {
            before: timetable
            for before, (trigger, timetable) in zip(entry.timetables, timed, strict=True)
            if isinstance(timetable, CalendarTimetable) and getattr(trigger, "timezone", None) is None
        }
        if not begun:
            return
        for before, timetable in begun.items():
            before.token, timetable.bounds = 0, before.bounds
            begin_again(timetable, now, self._boot_id)
            if entry.runs_by_itself:
                self._plan(timetable)
        entry.come_by(tuple(begun.get(timetable, timetable) for timetable in entry.timetables))
        self._touch(entry)

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

    def _come_by_others(self, entry: Entry, before: Task, now: Instant) -> None:
        """Its triggers are others, or it is enabled again, with which all begin anew; but a count of runs goes on."""
        old, again = entry.timetables, entry.task.enabled and not before.enabled
        for timetable in old:
            timetable.token = 0
        pairs = zip(filter(has_times, before.triggers), old, strict=True)
        kept = paired([] if again else pairs, filter(has_times, entry.task.triggers))
        made = [(timetable, had) for timetable, had in zip(self._timetables(entry), kept, strict=True)]
        entry.come_by(tuple(timetable if had is None else had for timetable, had in made))
        for timetable in (timetable for timetable, had in made if had is None):
            begin_again(timetable, now, self._boot_id)
            if timetable.bounds is not None:
                timetable.bounds.carry_on(old)

    def _timetables(self, entry: Entry) -> tuple[Timetable, ...]:
        found: list[Timetable] = []
        for trigger in entry.task.triggers:
            timetable = self._timetable(entry, trigger)
            if timetable is not None:
                found.append(timetable)
        return tuple(found)

    def _timetable(self, entry: Entry, trigger: Trigger) -> Timetable | None:
        return timetable_of(entry, trigger, self._zone, self._seed_of(entry, trigger), self._ask)

    def _seed_of(self, entry: Entry, trigger: Trigger) -> str:
        """What makes a task's jitter its own; nothing is kept where there is none."""
        return f"{self._seed}:{entry.task.name}" if getattr(trigger, "jitter", 0) else ""

    def _take_up(self, entry: Entry, now: Instant) -> None:
        """Plan what a task has before it, and go on with its unfinished runs."""
        self._plan_ahead(entry)
        self._watching.begin(entry, now)
        if not entry.task.parked:
            self._take_up_unfinished(entry, now)
            self._remove_if_over(entry)

    def _plan_ahead(self, entry: Entry) -> None:
        """Its times, its events, the end of its pause."""
        runs_by_itself = entry.runs_by_itself
        for timetable in entry.timetables:
            if runs_by_itself:
                self._plan(timetable)
            else:
                timetable.token = 0
        for topic in entry.topics:
            self._topics.setdefault(topic, {})[entry.id] = entry
        if entry.pause is not None and entry.pause.until is not None:
            self._alarms.at_wall(entry.pause.until, self._pause_over, entry)

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
        self._unlisten(entry)
        self.attempts.turnstiles.part(entry, entry.task.concurrency)

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
        """Hold a task back (None: every task of the users' lane): its fires are skipped and counted, retries wait. One
        that is quarantined stays so."""
        pause = Pause(now.wall, until, reason)
        entry = None if task_id is None else self.entries.get(task_id)
        if entry is not None and not entry.quarantined:
            self._hold(entry, pause)
        elif task_id is None:
            self._hold_all(pause)
            if until is not None:
                self._alarms.at_wall(until, self._pause_over, None)

    def _hold(self, entry: Entry, pause: Pause) -> None:
        entry.pause = pause
        self._touch(entry)
        if pause.until is not None:
            self._alarms.at_wall(pause.until, self._pause_over, entry)

    def _hold_all(self, pause: Pause | None) -> None:
        self.pause_state = pause
        if self._stored:
            self._ledger.pause(pause)

    def resume(self, task_id: int | None, now: Instant) -> None:
        """Let it go on; what was skipped meanwhile stays skipped."""
        entry = None if task_id is None else self.entries.get(task_id)
        if entry is not None and entry.watch is not None:
            self._watching.freed(entry, now)
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

    def skip_next(self, task_id: int, skip: bool, now: Instant) -> None:
        """Leave out the next fire of a task that would run, or (False) do not after all."""
        entry = self.entries.get(task_id)
        if entry is not None and skip != (entry.skip_next is not None):
            entry.skip_next = now.wall if skip else None
            self._touch(entry)

    def _skips(self, entry: Entry, due: int, now: Instant) -> bool:
        """Whether the fire that has come is the one that an operator wants left out."""
        if entry.skip_next is None:
            return False
        asked, entry.skip_next = entry.skip_next, None
        self._skip(entry, Skipped("skipped", due, due, 1, now.wall, "", asked))
        return True

    def paused(self, entry: Entry) -> bool:
        """Whether it is held back, by itself or with all others."""
        return bool(self._pauses(entry))

    def _pauses(self, entry: Entry) -> Sequence[Pause]:
        if entry.pause is None and self.pause_state is None:
            return ()
        of_all = self.pause_state if entry.task.lane is Lane.USER else None
        return [pause for pause in (entry.pause, of_all) if pause is not None]

    # ── time ──

    def advance(self, now: Instant) -> Decisions:
        """Take what has come due until `now`, start what can start, and give all that was decided since last time."""
        step = self._alarms.step(now)
        if abs(step) > SECOND:
            self._wall_stepped(now, step < 0)
        if now.trusted is not self._trusted or (step > LONG_STEP and not now.trusted):
            self._set_right(now)
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

    def next_wakeup(self) -> Instant | None:
        """When `advance` has something to do next, by the clocks as they were last read; None: never."""
        return self._alarms.next()

    def _plan(self, timetable: Timetable) -> None:
        if timetable.bounds is not None and timetable.bounds.used_up:
            timetable.due = None
        self._alarms.plan(timetable, self._on_due if timetable.doubt is None else self._on_due_in_doubt)
        if timetable.due is None and timetable.fault:
            self._decisions.append(Alert("trigger", timetable.owner.task.name, timetable.fault))

    def _wall_stepped(self, now: Instant, back: bool) -> None:
        for entry in self.entries.values():
            for timetable in entry.timetables if entry.runs_by_itself else ():
                if timetable.wall_stepped(now, back):
                    self._plan(timetable)
        self._alarms.clear_away()

    def _set_right(self, now: Instant) -> None:
        """The wall clock is trusted from now on, or not any more, or it has left the past that it woke in."""
        self._trusted = now.trusted
        for entry in self.entries.values():
            for timetable in entry.timetables:
                if set_right(timetable, now, self._boot_id):
                    self._touch(entry)
                    if entry.runs_by_itself:
                        self._plan(timetable)

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
            self._touch(entry)
        pauses = self._pauses(entry)
        labels = came
        if pauses or task.catch_up_window is not None or task.catch_up is CatchUp.NONE:
            labels = [label for label in came if not held(label, pauses) and not self._why_missed(task, label, now)]
        if count > len(labels):
            last = labels[0] - 1 if labels else came[-1]
            left_out = Skipped("", min(first, last), last, count - len(labels), now.wall)
            self._skip(entry, self._left_out(entry, pauses, came[-1], left_out, now))
        if labels and self._skips(entry, labels[0], now):
            labels = labels[1:]
        for label in labels:
            cause = "schedule" if self._on_time(label, now) else "catch_up"
            if self._fire(entry, label, cause, None, now, queue_anyway=len(labels) > 1) and bounds is not None:
                bounds.runs += 1
                self._touch(entry)
        if entry.idle:
            timetable.run_ended(now)
            self._remove_if_over(entry)
        self._plan(timetable)

    def _is_put_off(self, spread: Spread, timetable: Timetable, now: Instant) -> bool:
        """Whether what was missed before the start of the process waits for its turn."""
        if now.boot >= spread.end:
            self._spread = None
            return False
        until = spread.put_off(timetable, now)
        if until is not None:
            act = self._on_due if timetable.doubt is None else self._on_due_in_doubt
            self._alarms.put_off(timetable, until, act)
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
        if not any(self.exclusion.by(bounds.exclude, label) for label in came):
            return came, count
        came = allowed(timetable, bounds, came, min(first, came[0]), self.exclusion, now)
        after = came[-1] if came else first - 1
        left_out = timetable.count(after, last, now) if came else count
        if left_out:
            why = f"the calendar {self.exclusion.by(bounds.exclude, last)} leaves it out"
            self._skip(timetable.owner, Skipped("excluded", after + 1, last, left_out, now.wall, why))
        return came, count - left_out

    def _on_time(self, label: int, now: Instant) -> bool:
        """Whether a fire came in this process, and only just; told in boot time, for the wall clock may be set."""
        return now.wall - label <= min(GRACE, now.boot - self._began)

    def _why_missed(self, task: Task, label: int, now: Instant) -> str:
        return why_too_late(task, now.wall - label, self._on_time(label, now))

    def _left_out(self, entry: Entry, pauses: Sequence[Pause], last: int, left_out: Skipped, now: Instant) -> Skipped:
        """Fires that came and don't run, with why; `last` is the latest that came."""
        if pauses:
            pause = pauses[0]
            return replace(left_out, reason="paused", why=pause.reason, since=pause.since)
        why = self._why_missed(entry.task, last, now)
        return replace(left_out, reason="missed", why=why or why_not_all(entry.task))

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
        for entry in tuple(self._topics.get(event.topic, {}).values()):
            gathering = None if entry.gatherings is None else entry.gatherings.get(event.topic)
            if gathering is None or self.paused(entry):
                self._fire_unless_held(entry, "event", event, now)
            elif entry.runs_by_itself:
                self._gather(gathering, event, entry, now)

    def _gather(self, gathering: Gathering, event: Event, entry: Entry, now: Instant) -> None:
        begun = gathering.due is None
        gathering.add(event, now.boot)
        if begun and gathering.due is not None:
            self._alarms.at_boot(gathering.due, self._gathered, (entry, gathering))

    def _gathered(self, what: tuple[Entry, Gathering], now: Instant) -> None:
        """It may be quiet by now; unless there is another definition, which begins anew."""
        entry, gathering = what
        there = (entry.gatherings or {}).get(gathering.trigger.topic)
        if there is not gathering or entry.removed or gathering.due is None:
            return
        if gathering.due > now.boot:
            self._alarms.at_boot(gathering.due, self._gathered, what)
        else:
            self._fire_unless_held(entry, "event", gathering.take(), now)

    def poll_fired(self, task_id: int, now: Instant) -> None:
        """A third party's trigger says that it is ready."""
        entry = self.entries.get(task_id)
        if entry is not None:
            self._fire_unless_held(entry, "trigger", None, now)

    def _fire_unless_held(self, entry: Entry, cause: str, event: Event | None, now: Instant) -> None:
        if self.attempts.stopping or not entry.task.enabled or entry.task.parked:
            return
        pauses = self._pauses(entry)
        if pauses:
            came = Skipped("", now.wall, now.wall, 1, now.wall)
            self._skip(entry, self._left_out(entry, pauses, now.wall, came, now))
        elif not self._skips(entry, now.wall, now):
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
        taken_on = queue_anyway or (may_queue(entry) if overlap is None else overlap is not Overlap.SKIP)
        if entry.active >= task.max_instances and not taken_on:
            why = why_busy(task, self.attempts.waits_for(entry))
            self._skip(entry, Skipped("overlap", due, due, 1, now.wall, why))
            if ticket is not None:
                self._decisions.append(Refuse(ticket, why))
            return False
        if entry.skips is not None:
            entry.skips.end_stretch()
        superseded = tuple(entry.retries) if entry.retries and task.retry_policy.supersede else ()
        overtaken = (
            (*(entry.attempts or ()), *entry.queued())
            if entry.active and overtakes(entry, queue_anyway, overlap)
            else ()
        )
        attempt = Attempt(entry, self.attempts.next_id(), due, cause, event, ticket)
        self.attempts.admit(entry, attempt, now, beside=overlap is Overlap.ALLOW)
        for retry in superseded:
            self.attempts.end(retry, Status.CANCELLED, now, error="superseded by the next fire")
        for other in overtaken:
            self.attempts.cancel(other, Status.CANCELLED, "overtaken by the next fire", now)
        if ticket is not None:
            self.attempts.accept(Accept(ticket, attempt.execution()), entry)
        return True

    def save_state(self, execution_id: str, packed: bytes | None, ticket: Any, now: Instant) -> None:
        """An execution saves how far its work has come; `ticket` is told once that is on disk."""
        attempt = self.attempts.get(execution_id)
        if attempt is None:
            self._decisions.append(Refuse(ticket, "the run is over; what it saves is not kept"))
            return
        entry: Entry = attempt.entry
        entry.saved = with_state(entry.saved, attempt.run_id, packed)
        self._touch(entry)
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
            self._touch(entry)
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
        ending = _ENDINGS.get(execution.status) if self._topics else None
        if ending is not None and (topic := f"task.{entry.task.name}.{ending}") in self._topics:
            self.emit(Event(topic, _told(execution), now.wall), now)
        for timetable in entry.timetables:
            if timetable.run_ended(now) and not entry.removed and entry.task.enabled:
                self._plan(timetable)
                self._touch(entry)

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
        self._skip(attempt.entry, Skipped(reason, due, due, 1, now.wall, why))
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

    # ── answers ──

    def next_due(self, entry: Entry) -> int | None:
        """When a task next comes due by itself, in wall microseconds."""
        dues = [self._due(timetable) for timetable in entry.timetables]
        return min((due for due in dues if due is not None), default=None)

    def _due(self, timetable: Timetable) -> int | None:
        due, bounds = timetable.due, timetable.bounds
        if due is None or not timetable.token:
            return None
        due = due if timetable.on_wall else due + self._alarms.offset
        if bounds is None or not self.exclusion.by(bounds.exclude, due):
            return due
        return next_allowed(timetable, self.exclusion, Instant(self._alarms.offset, 0))

    def used_up(self, entry: Entry) -> str:
        """What to say of a task all of whose triggers have had their runs; empty where something can still come."""
        bounds = [timetable.bounds for timetable in entry.timetables]
        if not entry.comes_by_time_alone or not bounds or not all(each is not None and each.used_up for each in bounds):
            return ""
        return f"it has had its {sum(each.runs for each in bounds if each is not None)} runs (max_runs)"

    def excluded_by(self, entry: Entry, fire: int) -> str:
        """The calendar that leaves out a fire of it; empty where it would run."""
        return excluded_by(entry.timetables, fire, self.exclusion)

    # ── bookkeeping ──

    def _skip(self, entry: Entry, skipped: Skipped) -> None:
        """Fires of a task don't run, for whatever reason: all of them are counted here."""
        entry.skip(skipped)
        self._touch(entry)
        self._decisions.append(Skip(entry.task.name, skipped.reason, skipped.count))

    def _touch(self, entry: Entry) -> None:
        if self._stored and not entry.removed:
            self._ledger.state(entry)


_TOO_LONG = "waited longer than its catch_up_window"

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
