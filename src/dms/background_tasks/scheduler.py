"""The scheduler: what a program or a node uses. One loop: whatever happens comes in through the inbox, is decided by
the agenda, and is carried out by the dispatcher.

    inbox ──► agenda.advance(now) ──► dispatcher ──► store, executors
      ▲                                                    │
      └──────────── saved, finished, fired ◄───────────────┘
"""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from datetime import datetime, tzinfo
from functools import partial
from threading import Lock
from typing import Any, Self

from dms.background_tasks.agenda.agenda import Agenda
from dms.background_tasks.agenda.backfill import past_fires
from dms.background_tasks.agenda.decision import Remove
from dms.background_tasks.agenda.entry import Entry
from dms.background_tasks.agenda.overlap import told_overlap
from dms.background_tasks.agenda.recovery import Memory
from dms.background_tasks.asking.evidence import evidence_of
from dms.background_tasks.asking.explanation import Explanation, explain
from dms.background_tasks.asking.history import History
from dms.background_tasks.asking.preview import Preview, leave_out, preview_of
from dms.background_tasks.asking.recording import Recording
from dms.background_tasks.asking.rehearsal import Rehearsal
from dms.background_tasks.asking.view import TaskView, view_of
from dms.background_tasks.bulk import without_collecting
from dms.background_tasks.handle import Handle
from dms.background_tasks.host import Host
from dms.background_tasks.loop.dispatcher import Dispatcher, Listener, Messages
from dms.background_tasks.loop.engine import Engine
from dms.background_tasks.loop.event_inlet import EventInlet
from dms.background_tasks.loop.gate_keeper import GateKeeper
from dms.background_tasks.loop.history_bound import NO_AGE, HistoryBound, history_of
from dms.background_tasks.loop.inbox import Inbox
from dms.background_tasks.loop.third_party import ThirdParty
from dms.background_tasks.registry import Registry
from dms.background_tasks.restoring import lives_by_itself, restore
from dms.background_tasks.running.calling import prepare
from dms.background_tasks.running.executor import Executor
from dms.background_tasks.running.executors import make_executors
from dms.background_tasks.running.loop_thread import LoopThread, in_thread
from dms.background_tasks.running.run import Run
from dms.background_tasks.running.saving import Saving
from dms.background_tasks.running.transcript import Transcripts
from dms.background_tasks.settings import Duration, changed_settings, check_quarantine, usual_settings
from dms.background_tasks.store import ExecutionStore, Stored
from dms.background_tasks.tasks.gate import Gate, check_gates, has_mains_power, is_gate, is_network_up
from dms.background_tasks.tasks.task import Durability, Execution, Overlap, Status, Task, check_gate_name
from dms.background_tasks.triggers.event_trigger import check_topic
from dms.background_tasks.triggers.exclusion import Calendar, why_missing
from dms.clock import ClockChanges, SystemClock, boot_id
from dms.errors import Conflict, InvalidInput, InvalidTask, Misuse, ShuttingDown, WaitTimeout
from dms.instant import SECOND, Clock, from_datetime, microseconds, to_datetime
from dms.trace import CURRENT

_YEAR_9000 = 221_845_392_000 * SECOND
_PATIENCE = 10.0
_WITHOUT_STORE = (None, Durability.NONE)

DAY = 86_400 * SECOND
MOST_DAYS = 366
"""How far a preview looks ahead at most."""


class Scheduler:
    """Runs tasks when they are due, at most `max_running_tasks` at once; the rest waits its turn, none is lost.

    `with Scheduler() as scheduler:` runs it in a thread and a loop of its own; `async with` in the caller's loop.
    Without a `store` everything is in memory; with one (`dms.SqliteStore`) definitions, marks, retries and executions
    survive a crash. `snapshot()` is called at each start and gives `run.config`. `timezone` is for triggers that name
    none (default: the host's, else UTC). `aging_quantum` is how long a waiting run waits for one step of priority.
    `poll_interval` is how often a third party's trigger, or a gate that is waited for, is asked. `history_limit` is how
    many executions of each task are kept: by default 100 in memory; 1,000 in a store, and there none older than 90
    days. `gates` are those that tasks may wait for (`hold_until`) besides `network`, `mains_power` and `clock_trusted`,
    by name: functions that say whether they are open, or objects that tell it by themselves (`connect`, `disconnect`).
    A task that was running in each of the last `quarantine_after` crashes (0: any number) is held back until somebody
    resumes or runs it. What was missed before the start is spread over `catch_up_spread`. `calendars` are those that
    triggers may name in their `exclude`. `transcripts` (`dms.FileTranscripts`) keeps what runs log and print, `record`
    (`dms.Recording`) what is decided. `host` is what a node adds.
    Methods may be called from any thread and never block, unless they say so; an answer to another thread waits, a
    second at most, until what was asked for before it is done.
    """

    def __init__(
        self,
        max_running_tasks: int | None = None,
        *,
        store: ExecutionStore | None = None,
        clock: Clock | None = None,
        snapshot: Callable[[], Any] | None = None,
        timezone: str | tzinfo | None = None,
        aging_quantum: Duration = "1m",
        poll_interval: Duration = "1s",
        history_limit: int | None = None,
        quarantine_after: int = 3,
        catch_up_spread: Duration = "0s",
        gates: Mapping[str, Gate] | None = None,
        transcripts: Transcripts | None = None,
        calendars: Mapping[str, Calendar] | None = None,
        record: Recording | None = None,
        host: Host | None = None,
    ) -> None:
        given = max_running_tasks, timezone, aging_quantum, poll_interval, history_limit, calendars
        self._settings = changed_settings(usual_settings(store is not None), *given)
        self._store, self._clock, self._snapshot = store, clock or SystemClock(), snapshot
        self._transcripts, self._recording, self._host = transcripts, record, host or Host()
        if record is not None and not isinstance(record, Recording):
            raise InvalidInput(f"record: {record!r} is not a Recording, such as Recording('decisions.jsonl')")
        self._quarantine_after = check_quarantine(quarantine_after)
        self._catch_up_spread = microseconds(catch_up_spread, "catch_up_spread")
        self._gates = self._built_in_gates()
        for name, gate in (gates or {}).items():
            self._gates[name] = _checked(name, gate)
        self._registry = Registry(numbered=store is None)
        self._inbox: Inbox[Engine] = Inbox()
        self._events = EventInlet(self._inbox, Engine.emit, Engine.events_dropped)
        self._listeners: list[Listener] = []
        self._executors: dict[str, Executor] = {}
        self._engine: Engine | None = None
        self._thread: LoopThread | None = None
        self._history = History(store, self._remembered, self._as_it_is)
        self._third_party = ThirdParty()
        self._life = Lock()
        self._begun = self._stopped = self._closed = self._on_a_callers_loop = False

    # ── tasks ──

    def add_task(self, task: Task) -> Task:
        """Register a task, before or after the start, and give it back. Its ID is there at once, with a store once the
        scheduler has started. Conflict where its name is taken, InvalidTask where its function can't be found, where
        its `concurrency` contradicts that of another task, or where it waits for a gate that there is not."""
        self._check_open()
        self._prepare(task)
        self._registry.add(task)
        task.register(self)
        self._inbox.post(Engine.add, task)
        return task

    def add_tasks(self, tasks: Iterable[Task]) -> list[Task]:
        """Register many tasks, as `add_task` does one: all, or none where one can't be."""
        self._check_open()
        with without_collecting():
            added = list(tasks)
            for task in added:
                self._prepare(task)
            self._registry.add(*added)
            for task in added:
                task.register(self)
        self._inbox.post(Engine.add_all, added)
        return added

    def update_task(self, task: Task) -> Task:
        """Give the task of that name another definition, and give it back. It keeps its ID, its history and the phase
        and marks of triggers that are the same; what waits runs the new definition, what runs is left to finish.
        NotFound where there is none of that name, Conflict where this Task is registered already, InvalidTask where its
        function can't be found, where its `concurrency` contradicts that of another task, or where it waits for a gate
        that there is not."""
        return self.update_tasks([task])[0]

    def update_tasks(self, tasks: Iterable[Task]) -> list[Task]:
        """Update several tasks as one: all, or none where one can't be. So the limits of a `concurrency` change for all
        that share its key."""
        self._check_open()
        updated = list(tasks)
        for task in updated:
            self._prepare(task)
        self._registry.replace(updated)
        for task in updated:
            task.register(self)
        self._inbox.post(Engine.add_all, updated)
        return updated

    def add_gate(self, name: str, gate: Gate) -> None:
        """Let tasks wait for another gate from now on. Conflict where there is one of that name, InvalidInput where
        that can't name one, or it is none."""
        if name in self._gates:
            raise Conflict(f"there is a gate called {name} already")
        self._gates[name] = _checked(name, gate)

    def check_key(self, task: Task, beside: str) -> None:
        """InvalidTask where the `concurrency` of a task contradicts that of one that is there, those of the origin
        `beside` not counted: they are to change with it."""
        self._registry.check_key(task, beside)

    def remove_task(self, which: int | str) -> None:
        """Forget a task, by ID or name. What waits of it is cancelled, what runs is left to finish; its history stays.
        NotFound where there is none."""
        task = self._registry.find(which)
        self._registry.remove(task)
        self._inbox.post(Engine.remove, task)

    def get_task(self, which: int | str) -> Task:
        """The task of that ID or name; NotFound where there is none."""
        return self._registry.find(which)

    def has_task(self, name: str) -> bool:
        """Whether there is a task of that name."""
        return self._registry.has(name)

    def run_task(self, which: int | str, event: Any = None, *, overlap: Overlap | str | None = None) -> Handle:
        """Run a task now, on the path that a trigger takes; `event` reaches it as `run.event`. NotFound where there is
        none. The handle raises Conflict where its overlap policy does not let it run now. `overlap` counts instead of
        that policy for this once, and without its limits: `queue` waits for what runs, `cancel_running` ends it,
        `allow` runs beside it. InvalidInput where it is none."""
        self._check_open()
        task = self._registry.find(which)
        return self._ask_for(Engine.fire, task, event, told_overlap(overlap))

    def _ask_for(self, message: Callable[..., None], *what: Any) -> Handle:
        within = CURRENT.get()
        link = "" if within is None else within.traceparent
        handle = Handle(self._inbox.on_loop, lambda: self._begun, link)
        self._inbox.post(message, *what, handle)
        if self._inbox.closed:
            handle.give_up()
        return handle

    def backfill(self, which: int | str, since: datetime, until: datetime | None = None) -> list[Handle]:
        """Run the fires of a task that lie in the past, from `since` until before `until` (aware; default: now),
        oldest first: as its triggers would have come, whether they ran then or not, and before the task was there too.
        Each run's `due` is that time and its cause is backfill. They run one after another, as far as `max_instances`
        goes; what comes due meanwhile goes before those that wait. The handle of each; none where nothing lies there.
        NotFound where there is no such task, Misuse before the start, InvalidInput where the span is none, is not over,
        or holds more than 1000 fires."""
        self._check_open()
        engine, task, now = self._current(), self._registry.find(which), self._clock.now()
        entry = None if engine is None or task.id is None else engine.agenda.entries.get(task.id)
        if engine is None or entry is None:
            raise Misuse(f"{task.name} can't be run for the past yet; start the scheduler first")
        end = now.wall if until is None else _moment(until, "until")
        dues = past_fires(entry.timetables, _moment(since, "since"), end, now, engine.agenda.planning.exclusion)
        return [self._ask_for(Engine.backfill, task, due) for due in dues]

    def emit(self, topic: str, payload: Any = None) -> None:
        """Something has happened: fire every task with `EventTrigger(topic)`. InvalidTrigger where it is no topic.
        Where a hundred thousand wait to be looked at already, it is dropped, and how many were is an alert."""
        self._events.put(check_topic(topic), payload)

    def adjust(
        self,
        max_running_tasks: int | None = None,
        *,
        timezone: str | tzinfo | None = None,
        aging_quantum: Duration | None = None,
        poll_interval: Duration | None = None,
        history_limit: int | None = None,
        calendars: Mapping[str, Calendar] | None = None,
    ) -> None:
        """Go by other settings from now on; those that are not given stay. Nothing that runs is cut; in another time
        zone the triggers that name none begin anew. InvalidInput names the one that can't be, and nothing changes."""
        given = max_running_tasks, timezone, aging_quantum, poll_interval, history_limit, calendars
        self._settings = changed_settings(self._settings, *given)
        self._inbox.post(Engine.adjust, self._settings)

    def drop_undeclared(self, origin: str) -> None:
        """Forget the tasks of that origin, other than code, which the store remembers and nobody has added since the
        start: what declared them names them no longer. Their executions stay."""
        self._inbox.post(Engine.drop_undeclared, origin)

    def pause(self, which: int | str | None = None, *, until: datetime | None = None, reason: str = "") -> None:
        """Hold a task back, or (None) the whole scheduler: fires are skipped and counted, what runs goes on. It lasts
        until `until` (aware), or until `resume`; with a store also over restarts. NotFound where there is no such
        task, InvalidInput where `until` has no UTC offset, or is past."""
        task = None if which is None else self._registry.find(which)
        end = None if until is None else _moment(until, "until")
        if end is not None and end <= self._clock.now().wall:
            raise InvalidInput(f"until: {until} is past; name a moment that is to come")
        self._inbox.post(Engine.pause, task, end, reason)

    def resume(self, which: int | str | None = None) -> None:
        """Let a task, or (None) the whole scheduler, go on. NotFound where there is no such task."""
        self._inbox.post(Engine.resume, None if which is None else self._registry.find(which))

    def skip_next(self, which: int | str, skip: bool = True) -> None:
        """Leave out the next fire of a task that would run, whatever brings it, and only that; it is counted as
        skipped. `skip=False` takes that back. With a store it outlives a restart. NotFound where there is no such task,
        Conflict where nothing fires it by itself, or does any more."""
        task = self._registry.find(which)
        if skip and not (task.triggers and task.enabled and not task.parked):
            why = task.parked or ("it has no trigger" if task.enabled else "it is disabled")
            raise Conflict(f"{task.name} has no next fire to skip: {why}")
        if skip and (why := self._used_up(task)):
            raise Conflict(f"{task.name} has no next fire to skip: {why}")
        self._inbox.post(Engine.skip_next, task, skip)

    def _used_up(self, task: Task) -> str:
        engine = self._current()
        entry = None if engine is None or task.id is None else engine.agenda.entries.get(task.id)
        return "" if engine is None or entry is None else engine.agenda.planning.used_up(entry)

    # ── asking ──

    def running_tasks_count(self) -> int:
        """How many tasks run right now, the node's own not counted."""
        engine = self._current()
        return 0 if engine is None else engine.agenda.attempts.running_count()

    def running(self) -> list[str]:
        """The names of the tasks that run, the node's own too, as of the last turn of the loop; waits for nothing, from
        whatever thread. Empty where they change at this moment."""
        live = {} if self._engine is None else self._engine.agenda.attempts.live
        with suppress(RuntimeError):
            return list(dict.fromkeys(each.task.name for each in live.values() if each.status is Status.RUNNING))
        return []

    def live(self, name: str) -> dict[str, str]:
        """The executions of a task that are not over, as of the last turn of the loop, each with its run; waits for
        nothing."""
        live = {} if self._engine is None else self._engine.agenda.attempts.live.copy()
        return {each.id: each.run_id for each in live.values() if each.task.name == name}

    def abandoned(self) -> Mapping[str, int]:
        """Runs that were given up and go on all the same (see Status.ABANDONED), by task; waits for nothing, from
        whatever thread."""
        return {} if self._engine is None else self._engine.agenda.attempts.abandoned.by_task

    def waiting_count(self) -> int:
        """How many runs wait for a slot."""
        engine = self._current()
        return 0 if engine is None else len(engine.agenda.attempts.waiting())

    @property
    def max_running_tasks(self) -> int:
        """How many tasks run at once."""
        return self._settings.slots

    @property
    def timezone(self) -> tzinfo:
        """The time zone of triggers that name none."""
        return self._settings.zone

    def tasks(self) -> list[TaskView]:
        """Every task as it is now, in the order of their IDs; none before the start."""
        engine = self._current()
        entries = [] if engine is None else sorted(engine.agenda.entries.values(), key=lambda entry: entry.id)
        return [view_of(entry, engine.agenda, engine.dispatcher.progress) for entry in entries if engine is not None]

    def view(self, which: int | str) -> TaskView:
        """A task as it is now. NotFound where there is none, Misuse before the start."""
        engine, task = self._current(), self._registry.find(which)
        if engine is None or task.id is None:
            raise Misuse(f"{task.name} can't be looked at yet; start the scheduler first")
        entry = engine.agenda.entries.get(task.id) or Entry(task, task.id, self._store is not None)
        return view_of(entry, engine.agenda, engine.dispatcher.progress, closely=True)

    def next_fire(self, task_id: int) -> datetime | None:
        """When a task next comes due by itself, in UTC; None where it does not, and before the start."""
        engine = self._current()
        entry = None if engine is None else engine.agenda.entries.get(task_id)
        due = None if engine is None or entry is None else engine.agenda.planning.next_due(entry)
        return None if due is None else to_datetime(due)

    async def history(self, name: str, limit: int = 50, before: str | None = None) -> list[Execution]:
        """A task's executions, newest first: at most `limit`, older than the execution with the ID `before`. NotFound
        where neither a task nor an execution goes by that name."""
        found = await self._history.page(name, limit, before)
        if not found:
            self._registry.find(name)
        return found

    def execution_history(self, name: str) -> list[Execution]:
        """A task's executions, newest first. With a store this waits for a short read."""
        return self._history.latest(name, self._settings.history_limit)

    def explain(self, which: int | str, at: datetime | None = None) -> Explanation:
        """Why a task ran, or did not, within a minute from `at` on (aware), or will; without `at`, how it stands with
        it. A sentence and the facts under it, from its history, from what is remembered of fires that were left out,
        and from its triggers. With a store this waits for short reads. NotFound where there is no such task, Misuse
        before the start, InvalidInput where `at` has no UTC offset or lies outside the years 1970 to 9000."""
        moment = None if at is None else _moment(at, "at")
        if moment is not None and not 0 <= moment < _YEAR_9000:
            raise InvalidInput("at: it lies outside the years 1970 to 9000")
        task, view = self._registry.find(which), self.view(which)
        executions, complete = self._history.back_to(task.name, moment)
        engine = self._engine
        assert engine is not None
        entry = engine.agenda.entries.get(task.id or 0) or Entry(task, task.id or 0, self._store is not None)
        zone, now = self._settings.zone, self._clock.now()
        return explain(evidence_of(entry, engine.agenda, view, executions, complete, zone, now, moment), moment)

    def preview(self, days: float = 7, tasks: Iterable[int | str] = ()) -> Preview:
        """What is to come of the users' tasks, or of some of them, within so many days: the agenda is played on a
        simulated clock, and runs take what they mostly took. At most 20,000 runs of 10,000 tasks are looked at; those
        tasks that come most often are left out first. It takes a second at most, and waits for short reads. NotFound
        where there is no such task, Misuse before the start, InvalidInput where `days` is no number above 0, up to
        366."""
        if isinstance(days, bool) or not isinstance(days, (int, float)) or not 0 < days <= MOST_DAYS:
            raise InvalidInput(f"days: {days!r} is not a number above 0, up to {MOST_DAYS}")
        only = {self._registry.find(which).name for which in tasks}
        rehearsal = self._rehearsal(round(days * DAY))
        left_out = leave_out(rehearsal)
        lengths = self._history.usual_lengths(rehearsal.last_executions())
        return preview_of(rehearsal, lengths, left_out, only)

    def _rehearsal(self, length: int) -> Rehearsal:
        """A copy of the agenda as it stands, made on the loop, to which nothing else happens meanwhile."""
        engine, made = self._current(), Future[Rehearsal]()
        if engine is None:
            raise Misuse("what is to come can't be looked at yet; start the scheduler first")
        if self._inbox.on_loop():
            engine.rehearse(length, self._settings, made, self._clock.now())
        else:
            self._inbox.post(Engine.rehearse, length, self._settings, made)
        if self._inbox.closed:
            raise ShuttingDown("the scheduler has stopped; nothing is to come")
        try:
            return made.result(_PATIENCE)
        except TimeoutError:
            raise WaitTimeout("the scheduler's loop is too busy to say what is to come; ask again") from None

    def retain(self, max_age: Duration, max_count: int, max_size: int | None = None) -> "Future[int]":
        """Let go of executions that ended longer ago than `max_age`, or beyond the newest `max_count` of their task,
        and of the oldest while all take more than `max_size` bytes (None: whatever they take), but never of the last
        one of a task; and of what they said. Gives how many. None is too old while the wall clock
        is not trusted. Misuse where there is no store."""
        if self._store is None:
            raise Misuse("without a store executions are remembered up to history_limit, and no longer")
        oldest, now = microseconds(max_age, "max_age"), self._clock.now()
        retain = history_of(self._store, self._transcripts)
        return retain(oldest if now.trusted else NO_AGE, max_count, now.wall, max_size)

    def _as_it_is(self, stored: Execution) -> Execution:
        """The store is told of starts and ends, and not of what lies between them."""
        attempt = None if self._engine is None else self._engine.agenda.attempts.get(stored.id)
        return stored if attempt is None else attempt.execution()

    def _remembered(self, name: str, limit: int, before: str | None) -> list[Execution]:
        engine = self._current()
        return [] if engine is None else engine.dispatcher.history(name, limit, before)

    def _current(self) -> Engine | None:
        """The engine, where it runs. What was asked for until now counts in its answers: on the loop it is done at
        once, another thread waits a moment for it."""
        if self._engine is not None and self._inbox.on_loop():
            self._engine.turn()
        else:
            self._inbox.settle()
        return self._engine

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Have `listener(event)` called on the loop for whatever happens to runs; gives a call that ends it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener) if listener in self._listeners else None

    # ── life ──

    def hurry(self) -> None:
        """Let a stop wait for running tasks no longer, also one that is yet to begin."""
        if self._engine is not None:
            self._engine.hurry()

    def wake(self) -> None:
        """Look at the clock now, and be done with what has come due before this returns; for a clock that does not go
        by itself, such as `dms.testing.FakeClock`."""
        if self._engine is not None and self._inbox.on_loop():
            self._engine.turn()
        else:
            self._inbox.pass_turn()

    def start(self) -> None:
        """Start in a thread and a loop of its own; blocks until it is ready. StoreError where the store can't be read,
        Misuse where it has started before."""
        self._begin()
        thread = LoopThread(self._start_up)
        thread.start()
        self._thread = thread

    def stop(self, drain: Duration = "10s", cancel: Duration = "2s") -> list[str]:
        """Stop: nothing new starts; what runs may finish within `drain`, is then told to end, and after `cancel` is
        given up. Blocks until then. Gives the names of the tasks that were given up. Misuse on the scheduler's own
        loop, for which it would wait."""
        if self._inbox.on_loop():
            raise Misuse("stop() on the scheduler's own loop would wait for itself; use: await scheduler.astop()")
        with self._life:
            thread, self._thread = self._thread, None
        if thread is None:
            self._check_whose_loop()
            return []
        left = thread.call(self.astop(drain, cancel))
        thread.stop()
        return left

    def _check_whose_loop(self) -> None:
        if self._on_a_callers_loop and not self._stopped:
            raise Misuse("it runs on a loop that was there before; there: await scheduler.astop()")

    async def astart(self) -> None:
        """Start on the running loop. StoreError where the store can't be read, Misuse where it has started before."""
        self._begin()
        self._on_a_callers_loop = True
        await self._start_up()

    def _begin(self) -> None:
        with self._life:
            if self._begun:
                raise Misuse("a scheduler starts once; make another one")
            self._begun = True

    async def _start_up(self) -> None:
        try:
            stored = await self._remember()
        except BaseException:
            self._stopped = True
            self._tell_pending()
            raise
        if self._transcripts is not None:
            self._transcripts.listen()
        self._executors = make_executors(self._host.own_coroutine_loop)
        engine = self._engine = self._make_engine(stored)
        changes = ClockChanges.hear() if isinstance(self._clock, SystemClock) else None
        if changes is not None:
            engine.watch(changes)
        self._inbox.open(engine.turn)
        engine.turn()
        try:
            await engine.until_recorded()
        except BaseException:
            self._stopped = True
            self._close(engine)
            raise

    async def _remember(self) -> Stored | None:
        """What the store still knows, with the tasks that only it knows taken in."""
        if self._store is None:
            return None
        stored = await in_thread(self._store.load)
        self._registry.number({task.name: task.id for task in stored.tasks}, stored.highest_task_id)
        await in_thread(lambda: self._restore(stored))
        return stored

    def _make_engine(self, stored: Stored | None) -> Engine:
        now, options = self._clock.now(), self._agenda_options()
        agenda = Agenda(now, memory=Memory(stored), ask=self._third_party.ask, **options)
        if self._recording is not None:
            self._recording.begin(agenda, now, options, stored, self._host.alert)
        interval, post = self._settings.poll_interval, self._inbox.post
        gates = GateKeeper(self._gates, interval, partial(post, Engine.observe), partial(post, Engine.gate_failed))
        dispatcher = Dispatcher(
            agenda,
            self._executors,
            Messages(
                partial(self._inbox.post, Engine.finished), self._written, self._progressed, self._beat, self._save
            ),
            store=self._store,
            snapshot=self._snapshot,
            log=self._host.log,
            transcripts=self._transcripts,
            traces=self._host.traces,
            history_limit=self._settings.history_limit,
            listeners=self._listeners,
            gates=gates,
            removed=self._removed,
            alert=self._host.alert,
        )
        bound, lasting = None, self._store is not None or self._transcripts is not None
        if lasting and not self._host.bounds_history:
            bound = HistoryBound(history_of(self._store, self._transcripts), self._settings.history_limit)
        return Engine(agenda, dispatcher, self._inbox, self._events, self._clock, interval, gates, bound)

    def _agenda_options(self) -> dict[str, Any]:
        return {
            "slots": self._settings.slots,
            "zone": self._settings.zone,
            "calendars": self._settings.calendars,
            "seed": self._host.name,
            "boot_id": boot_id(),
            "stored": self._store is not None,
            "aging_quantum": self._settings.aging_quantum,
            "quarantine_after": self._quarantine_after,
            "catch_up_spread": self._catch_up_spread,
        }

    def _built_in_gates(self) -> dict[str, Gate]:
        return {
            "clock_trusted": lambda: self._clock.now().trusted,
            "mains_power": has_mains_power,
            "network": is_network_up,
        }

    async def astop(self, drain: Duration = "10s", cancel: Duration = "2s") -> list[str]:
        """Stop, as `stop` does, on the running loop."""
        engine = self._engine
        if engine is None or self._stopped:
            return []
        patience, grace = microseconds(drain, "drain"), microseconds(cancel, "cancel")
        self._stopped = True
        try:
            return await engine.wind_down(patience, grace)
        finally:
            self._close(engine)

    async def settle(self) -> bool:
        """The first step of a stop in steps, on the running loop: take nothing new and start nothing new, and wait
        until all that has come until now is on disk. False where the store has refused that."""
        if self._engine is None or self._stopped:
            return True
        self._stopped = True
        return await self._engine.settle()

    async def drain(self) -> None:
        """The second step: wait until nothing runs any more, or until `hurry`."""
        if self._engine is not None and not self._closed:
            await self._engine.drain()

    async def cut_off(self, within: Duration) -> list[str]:
        """The last step: what runs is told to end, then killed, then given up, all `within` that length; what that came
        to is on disk by then, or goes there as soon as the disk lets it. The names of the tasks that were given up."""
        if self._engine is None or self._closed:
            return []
        length = microseconds(within, "within")
        try:
            return await self._engine.cut_off(length * 6 // 10, length * 2 // 10, length // 10)
        finally:
            self._close(self._engine)

    def _close(self, engine: Engine) -> None:
        self._closed = True
        engine.close()
        self._tell_pending()
        for executor in self._executors.values():
            executor.close()
        self._third_party.close()
        if self._transcripts is not None:
            self._transcripts.close()
        if self._recording is not None:
            self._recording.close()

    def _tell_pending(self) -> None:
        """Close the inbox; who asked for what was not even looked at is told."""
        for arguments in self._inbox.close():
            for handle in arguments:
                if isinstance(handle, (Handle, Saving)):
                    handle.give_up()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.stop("0s" if kind is KeyboardInterrupt else "10s")

    async def __aenter__(self) -> Self:
        await self.astart()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.astop()

    # ── behind the scenes ──

    def _prepare(self, task: Task) -> None:
        prepare(task)
        missing = "" if task.parked else why_missing(task, self._settings.calendars)
        if missing:
            raise InvalidTask(f"exclude: {missing}")
        if task.hold_until:
            check_gates(task, self._gates)
        if self._store is None and task.durability not in _WITHOUT_STORE:
            raise InvalidTask(f"durability: {task.durability} needs a store; give the scheduler one, or leave it out")

    def _check_open(self) -> None:
        if self._stopped:
            raise ShuttingDown("the scheduler has stopped; it takes nothing new")

    def _restore(self, known: Stored) -> None:
        """Take in the tasks of programs that only the store remembers."""
        ours = {task.name for task in self._registry.all()}
        for stored in known.tasks:
            if stored.name in ours or not lives_by_itself(stored):
                continue
            task = restore(stored, self._gates)
            task.parked = task.parked or why_missing(task, self._settings.calendars)
            if self._registry.restore(task, stored.id):
                task.register(self)
                self._inbox.post(Engine.add, task)

    def _removed(self, decision: Remove) -> None:
        self._registry.remove_id(decision.task_id)
        if self._engine is not None:
            self._engine.removed(decision)

    def _written(self, batch: int, future: "Future[None]") -> None:
        error = future.exception()
        if error is None:
            self._inbox.post(Engine.saved, batch)
        else:
            self._inbox.post(Engine.save_failed, batch, str(error))

    def _progressed(self, run: Run) -> None:
        self._inbox.post(Engine.progressed, run)

    def _beat(self, run: Run) -> None:
        self._inbox.post(Engine.beat, run)

    def _save(self, run: Run, packed: bytes | None) -> Saving:
        saving = Saving()
        self._inbox.post(Engine.save_state, run, packed, saving)
        if self._inbox.closed:
            saving.give_up()
        saving.wait()
        return saving


def _moment(given: datetime, what: str) -> int:
    if not isinstance(given, datetime):
        raise InvalidInput(f"{what}: {given!r} is not a datetime, such as datetime(2026, 12, 24, 18, tzinfo=UTC)")
    try:
        return from_datetime(given)
    except ValueError as error:
        raise InvalidInput(f"{what}: {error}") from None


def _checked(name: str, gate: Gate) -> Gate:
    check_gate_name(name, "gates")
    if not is_gate(gate):
        raise InvalidInput(f"gates: {name} is a {type(gate).__name__}, and no function that says whether it is open")
    return gate
