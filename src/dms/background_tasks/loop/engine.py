"""The loop's side of the scheduler: messages come in, the agenda decides, the dispatcher carries out."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Any

from dms.background_tasks.agenda.agenda import Agenda
from dms.background_tasks.agenda.decision import Alert, Outcome, Remove
from dms.background_tasks.asking.rehearsal import Rehearsal
from dms.background_tasks.asking.view import RunEvent
from dms.background_tasks.bulk import without_collecting
from dms.background_tasks.handle import Handle
from dms.background_tasks.loop.dispatcher import Dispatcher
from dms.background_tasks.loop.event_inlet import EventInlet
from dms.background_tasks.loop.gate_keeper import GateKeeper
from dms.background_tasks.loop.history_bound import HistoryBound
from dms.background_tasks.loop.inbox import Inbox
from dms.background_tasks.loop.polling import Poller
from dms.background_tasks.running.run import Run
from dms.background_tasks.running.saving import Saving
from dms.background_tasks.settings import Settings
from dms.background_tasks.tasks.task import Event, Overlap, Task
from dms.background_tasks.triggers.event_trigger import SubscribableChannel
from dms.background_tasks.triggers.trigger import is_polled
from dms.clock import ClockChanges
from dms.instant import SECOND, Clock, Instant

CLOCK_CHECK = 60 * SECOND
"""How often both clocks are read at least, so that one that was set, or is trusted at last, is noticed."""

SILENT_TRIGGER = 30 * SECOND
"""After how long a third party's trigger that does not answer is reported."""

KILLED_IN = SECOND // 2
"""How long what was killed at a stop may take to be gone, at most."""

LAST_SAVE = 2 * SECOND
"""How long the last commit of a stop may take, at most."""


class Engine:
    """Everything here happens on the loop. The methods that take `now` last are the messages of the inbox."""

    def __init__(
        self,
        agenda: Agenda,
        dispatcher: Dispatcher,
        inbox: "Inbox[Engine]",
        events: EventInlet,
        clock: Clock,
        poll: int,
        gates: GateKeeper,
        history_bound: HistoryBound | None = None,
    ) -> None:
        self.agenda, self.dispatcher = agenda, dispatcher
        self._inbox, self._clock, self._poll_interval, self._history_bound = inbox, clock, poll, history_bound
        self._events = events
        self._gates = gates
        self._pollers: dict[int, list[Poller]] = {}
        self._channels: dict[int, list[SubscribableChannel]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._changes: ClockChanges | None = None
        self._timer_due = 0
        self._quiet: asyncio.Event | None = None
        self._settled: asyncio.Event | None = None
        self._recorded = asyncio.Event()
        self._turning = self._stopping = self._draining = self._hurried = False

    def watch(self, changes: ClockChanges) -> None:
        """Look at the clocks as soon as the wall clock is set, not at the next check only."""
        self._changes = changes
        asyncio.get_running_loop().add_reader(changes, self._clock_set)

    def _clock_set(self) -> None:
        if self._changes is not None:
            self._changes.take()
        self.turn()

    def turn(self) -> None:
        """Take what has come, let the agenda decide, carry it out, and set the timer for what comes next."""
        if self._turning:
            return
        self._turning = True
        try:
            now = self._clock.now()
            if self._pollers:
                self._report_silent_triggers(now)
            if self._history_bound is not None:
                self._history_bound.look(now)
            self._inbox.deliver(self, now)
            self.dispatcher.carry_out(self.agenda.advance(now))
            self._set_timer(self._clock.now())  # the turn itself may have taken long
        finally:
            self._turning = False
        if self._settled is not None and not self.dispatcher.saving:
            self._settled.set()
        if self._quiet is not None and self._is_quiet():
            self._quiet.set()

    async def until_recorded(self) -> None:
        """Wait until the first batch is on disk, where there is one, or the disk has refused it."""
        if self.dispatcher.saving:
            await self._recorded.wait()

    async def settle(self) -> bool:
        """Start nothing new, and wait until all that has come until now is on disk; False where that was refused."""
        self._settled = asyncio.Event()
        self._inbox.post(Engine.stop)
        await self._settled.wait()
        return not self.agenda.attempts.ledger.failing

    async def drain(self, length: int | None = None) -> bool:
        """Wait until nothing runs and nothing is being saved, at most so many microseconds, or until `hurry`; whether
        it came to that."""
        if self._hurried:  # it was said before anybody waited
            return self._is_quiet()
        self._draining = True
        try:
            return await self._until_quiet(length)
        finally:
            self._draining = False

    async def _until_quiet(self, length: int | None) -> bool:
        quiet = self._quiet = asyncio.Event()
        self._inbox.wake()
        try:
            with suppress(TimeoutError):
                await asyncio.wait_for(quiet.wait(), None if length is None else length / SECOND)
        finally:
            if self._quiet is quiet:  # where it was cancelled, the next one may wait already
                self._quiet = None
        return self._is_quiet()

    async def wind_down(self, drain: int, cancel: int) -> list[str]:
        """Start nothing new; let what runs finish within `drain` microseconds, then cut it off within about `cancel`.
        The names of the tasks that were given up."""
        self._inbox.post(Engine.stop)
        if await self.drain(drain):
            return []
        return await self.cut_off(cancel, KILLED_IN, LAST_SAVE)

    async def cut_off(self, cancel: int, killed: int, saved: int) -> list[str]:
        """Tell what runs to end; after `cancel` microseconds kill what can be killed, after `killed` more give up the
        rest, and wait for the record of that, at most `saved`. The names of the tasks that were given up."""
        self._inbox.post(Engine.cancel_running)
        if await self._until_quiet(cancel) or not self.agenda.attempts.unfinished():
            return []
        self.dispatcher.kill_all()
        await self._until_quiet(min(killed, cancel))
        left = [attempt.task.name for attempt in self.agenda.attempts.unfinished()]
        self._inbox.post(Engine.abandon)
        await self._until_quiet(saved)
        return left

    def hurry(self) -> None:
        """Drain no longer; where nobody does yet, not at all."""
        self._hurried = True
        if self._draining and self._quiet is not None:
            self._quiet.set()

    def _is_quiet(self) -> bool:
        return not self.dispatcher.saving and not self.agenda.attempts.unfinished()

    def close(self) -> None:
        """Have no more turns; whoever still waits for a run is told."""
        self._turning = True
        if self._timer is not None:
            self._timer.cancel()
        self._gates.close()
        if self._changes is not None:
            asyncio.get_running_loop().remove_reader(self._changes)
            self._changes.close()
        for task_id in list(self._pollers):
            self._stop_polling(task_id)
        for task_id in list(self._channels):
            self._listen(task_id, [])
        for handle in self.agenda.attempts.tickets():
            handle.give_up()

    def _set_timer(self, now: Instant) -> None:
        wakeup = self.agenda.next_wakeup()
        if wakeup is None and not self._pollers and now.trusted:
            return
        latest = now.boot + CLOCK_CHECK
        due = latest if wakeup is None else min(wakeup.boot, latest)
        if self._timer is not None:
            if now.boot < self._timer_due <= due:
                return
            self._timer.cancel()
        self._timer_due = due
        self._timer = asyncio.get_running_loop().call_later(max(0, due - now.boot) / SECOND, self._time_up)

    def _time_up(self) -> None:
        self._timer = None
        self.turn()

    # ── messages: tasks ──

    def add_all(self, tasks: Sequence[Task], now: Instant) -> None:
        """Tasks are registered, or come in the place of those of their names."""
        with without_collecting():
            for task in tasks:
                self.add(task, now)

    def add(self, task: Task, now: Instant) -> None:
        """A task is registered, or comes in the place of one of its name."""
        if task.id is None:
            return  # removed before the start, which gives the IDs
        if task.id in self.agenda.entries:
            self.agenda.replace(task, task.id, now)
        else:
            self.agenda.add(task, task.id, now)
        entry = self.agenda.entries.get(task.id)
        if entry is None or entry.comes_by_time_alone:
            self._heed_no_longer(task.id)
        else:
            self._listen(task.id, [trigger.channel for trigger in task.event_triggers if trigger.channel is not None])
            self._poll(task)

    def adjust(self, settings: Settings, now: Instant) -> None:
        """What it is set to has changed."""
        self.agenda.resize(settings.slots, now)
        self.agenda.age_by(settings.aging_quantum, now)
        self.agenda.go_by(settings.zone, now)
        self.agenda.keep_to(settings.calendars, now)
        self.dispatcher.keep(settings.history_limit)
        if self._history_bound is not None:
            self._history_bound.max_count = settings.history_limit
        self._gates.interval = settings.poll_interval
        self._poll_each(settings.poll_interval)

    def _poll_each(self, interval: int) -> None:
        """Ask third parties' triggers so often; one that is being waited for now too."""
        if interval != self._poll_interval:
            self._poll_interval = interval
            for task_id in list(self._pollers):
                self._poll(self.agenda.entries[task_id].task)

    def remove(self, task: Task, now: Instant) -> None:
        """A task is to be forgotten."""
        if task.id is not None:
            self.agenda.remove(task.id, now)

    def removed(self, decision: Remove) -> None:
        """A task is gone."""
        self._heed_no_longer(decision.task_id)
        self.dispatcher.forget_history(decision.name)

    def drop_undeclared(self, origin: str, now: Instant) -> None:
        """What was declared once and is no longer is to be forgotten."""
        self.agenda.drop_undeclared(origin, now)

    def fire(self, task: Task, event: Any, overlap: Overlap | None, handle: Handle, now: Instant) -> None:
        """An operator asks for a run."""
        if self._stopping:
            handle.give_up()
            return
        given = event if event is None or isinstance(event, Event) else Event("operator", event, now.wall)
        self.agenda.fire(_NO_TASK if task.id is None else task.id, given, now, handle, overlap)

    def backfill(self, task: Task, due: int, handle: Handle, now: Instant) -> None:
        """An operator wants a run for a past fire."""
        if self._stopping:
            handle.give_up()
            return
        self.agenda.backfill(_NO_TASK if task.id is None else task.id, due, now, handle)

    def emit(self, topic: str, payload: Any, now: Instant) -> None:
        """Something has happened."""
        self.agenda.emit(Event(topic, payload, now.wall), now)

    def events_dropped(self, count: int, topic: str, now: Instant) -> None:
        """So many events came faster than they could be looked at, the last of them under `topic`."""
        why = f"{count} events were dropped, the last of them {topic}: they came faster than they could be looked at"
        self.dispatcher.alert(Alert("events", "events", why))
        self.dispatcher.alert(Alert("events", "events", ""))  # by now all that waited has been looked at

    def pause(self, task: Task | None, until: int | None, reason: str, now: Instant) -> None:
        """A task, or the whole scheduler, is to be held back."""
        self.agenda.pause(_number_of(task), until, reason, now)

    def resume(self, task: Task | None, now: Instant) -> None:
        """It is to go on."""
        self.agenda.resume(_number_of(task), now)

    def skip_next(self, task: Task, skip: bool, now: Instant) -> None:
        """The next fire of a task is to be left out, or is not after all."""
        self.agenda.skip_next(_NO_TASK if task.id is None else task.id, skip, now)

    def rehearse(self, length: int, settings: Settings, made: "Future[Rehearsal]", now: Instant) -> None:
        """A copy of the agenda is wanted, to see what is to come within so many microseconds."""
        made.set_result(Rehearsal(self.agenda, settings.slots, settings.aging_quantum, now, now.wall + length))

    def stop(self, now: Instant) -> None:
        """Nothing new is to start, and what a failing disk has refused is tried once more."""
        self._stopping = True
        self.agenda.stop(now)

    def cancel_running(self, now: Instant) -> None:
        """What runs is to end."""
        self.agenda.attempts.cancel_running("the scheduler stopped", now)

    def abandon(self, now: Instant) -> None:
        """What still runs is given up."""
        self.agenda.attempts.abandon(now)

    # ── messages: runs and the store ──

    def finished(self, execution_id: str, outcome: Outcome, now: Instant) -> None:
        """A function has ended."""
        self.dispatcher.let_go(execution_id)
        self.agenda.attempts.finished(execution_id, outcome, now)

    def saved(self, batch: int, now: Instant) -> None:
        """A batch is on disk."""
        self.dispatcher.saved(True)
        self.agenda.attempts.saved(batch, now)
        self._recorded.set()

    def save_failed(self, batch: int, message: str, now: Instant) -> None:
        """A batch could not be written."""
        self.dispatcher.saved(False)
        self.agenda.attempts.save_failed(batch, message, now)
        self._recorded.set()

    def progressed(self, run: Run, now: Instant) -> None:
        """A run has told how far it is."""
        progress, attempt = run.take_progress(), self.agenda.attempts.get(run.id)
        if progress is not None and attempt is not None:
            self.dispatcher.progress[run.id] = progress
            self.dispatcher.tell(RunEvent("progress", run.task, attempt.execution(), progress.text, progress))

    def save_state(self, run: Run, packed: bytes | None, saving: Saving, now: Instant) -> None:
        """A run saves how far its work has come."""
        self.agenda.save_state(run.id, packed, saving, now)

    def beat(self, run: Run, now: Instant) -> None:
        """A run has given a sign of life."""
        run.take_heartbeat()
        self.agenda.attempts.beat(run.id, now)

    def observe(self, gate: str, is_open: bool, now: Instant) -> None:
        """A gate that is waited for is open, or is not."""
        self.agenda.observe({gate: is_open}, now)

    def gate_failed(self, gate: str, message: str, now: Instant) -> None:
        """A gate has raised or does not answer, or (an empty message) answers again."""
        self.dispatcher.alert(Alert("gate", gate, message))

    # ── channels and third parties' triggers ──

    def _heed_no_longer(self, task_id: int) -> None:
        if self._pollers:
            self._stop_polling(task_id)
        if self._channels:
            self._listen(task_id, [])

    def _listen(self, task_id: int, channels: list[SubscribableChannel]) -> None:
        """Hear what is sent to the channels of a task, and no longer what only it listened to before."""
        before = self._channels.pop(task_id, [])
        if channels:
            self._channels[task_id] = channels
        for channel in before:
            if not any(channel in heard for heard in self._channels.values()):
                channel.disconnect(self._sent)
        for channel in channels:
            channel.connect(self._sent)

    def _sent(self, topic: str, payload: Any) -> None:
        self._events.put(topic, payload)

    def _poll(self, task: Task) -> None:
        """Ask those of its triggers that can't say when they come."""
        assert task.id is not None
        self._stop_polling(task.id)
        if not task.enabled or task.parked:
            return
        for trigger in filter(is_polled, task.triggers):
            fired = partial(self._inbox.post, Engine.poll_fired, task.id)
            report = partial(self._inbox.post, Engine.trigger_failed, task.name)
            poller = Poller(trigger, self._clock, self._poll_interval, fired, report)
            self._pollers.setdefault(task.id, []).append(poller)

    def _stop_polling(self, task_id: int) -> None:
        for poller in self._pollers.pop(task_id, ()):
            poller.stop()

    def poll_fired(self, task_id: int, now: Instant) -> None:
        """A third party's trigger is ready."""
        self.agenda.poll_fired(task_id, now)

    def trigger_failed(self, name: str, message: str, now: Instant) -> None:
        """A third party's trigger has raised, or (an empty message) answers again."""
        self.dispatcher.alert(Alert("trigger", name, message))

    def _report_silent_triggers(self, now: Instant) -> None:
        for pollers in self._pollers.values():
            for poller in pollers:
                if poller.silent_for(now.boot) > SILENT_TRIGGER:
                    poller.suspect("its trigger has not answered for half a minute")


_NO_TASK = 0


def _number_of(task: Task | None) -> int | None:
    """A task's ID; None for the scheduler as a whole, and what no task has where it was removed before it had one."""
    if task is None:
        return None
    return _NO_TASK if task.id is None else task.id
