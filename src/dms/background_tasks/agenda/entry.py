"""A task as the agenda holds it: its timetables, its attempts, what was skipped. Pure."""

from collections import deque
from operator import attrgetter

from dms.background_tasks.agenda.decision import Attempt
from dms.background_tasks.agenda.gathering import Gathering
from dms.background_tasks.agenda.saved_state import SavedStates, taken_over
from dms.background_tasks.agenda.skips import Skips
from dms.background_tasks.agenda.watch import Watch
from dms.background_tasks.store import QUARANTINE, Mark, Pace, Pause, Skipped, StoredTask, TaskState
from dms.background_tasks.tasks.definition import definition
from dms.background_tasks.tasks.task import Durability, Execution, Task
from dms.background_tasks.times.timetable import Timetable
from dms.instant import microseconds

_ONE_TIME = attrgetter("one_time")


class Entry:
    """A registered task. `active` counts its attempts that wait for a slot or run; `queue` holds those that wait for
    the task itself; `retries` those that wait for their time to be tried again."""

    __slots__ = (
        "active",
        "attempts",
        "durable",
        "ended",
        "gatherings",
        "id",
        "last",
        "one_time",
        "pace",
        "parked_marks",
        "pause",
        "queue",
        "removed",
        "retries",
        "saved",
        "skip_next",
        "skips",
        "task",
        "timetables",
        "topics",
        "watch",
    )  # fmt: skip

    def __init__(self, task: Task, task_id: int, stored: bool) -> None:
        self.task, self.id = task, task_id
        self.timetables: tuple[Timetable, ...] = ()
        self.topics: tuple[str, ...] = ()
        self.gatherings: dict[str, Gathering] | None = None
        self.one_time = False
        self.parked_marks: tuple[Mark, ...] = ()
        self.active = 0
        self.attempts: dict[Attempt, None] | None = None
        self.queue: deque[Attempt] | None = None
        self.retries: dict[Attempt, None] | None = None
        self.pause: Pause | None = None
        self.pace: Pace | None = None
        self.saved: SavedStates | None = None
        self.skip_next: int | None = None
        self.skips: Skips | None = None
        self.last: Execution | None = None
        self.watch: Watch | None = None
        self.removed = False
        self.ended = False
        self.durable = self.durable_as(stored)

    def durable_as(self, stored: bool) -> bool:
        """Whether its starts must be on disk: where there is a store, and unless the task says that none is wanted."""
        return stored and self.task.durability is not Durability.NONE

    def kill_after(self) -> int:
        """Microseconds that a cancelled attempt gets to end by itself."""
        return microseconds(self.task.kill_after)

    def come_by(self, timetables: tuple[Timetable, ...]) -> None:
        """When it comes due from now on: by these timetables, and on the topics of its event triggers. It is `one_time`
        where nothing can fire it again after that."""
        self.timetables = timetables
        if self.comes_by_time_alone:
            self.topics, self.gatherings = (), None
            self.one_time = bool(timetables) and all(map(_ONE_TIME, timetables))
        else:
            self.topics = tuple(trigger.topic for trigger in self.task.event_triggers)
            self.gatherings = self._gatherings()
            self.one_time = False

    def _gatherings(self) -> dict[str, Gathering] | None:
        """Where events are gathered, by topic; what is gathered for a trigger that stays is kept."""
        before = self.gatherings or {}
        found: dict[str, Gathering] = {}
        for trigger in self.task.event_triggers:
            if trigger.debounce is not None:
                there = before.get(trigger.topic)
                same = there is not None and there.trigger == trigger
                found[trigger.topic] = there if there is not None and same else Gathering(trigger)
        return found or None

    @property
    def comes_by_time_alone(self) -> bool:
        """Whether none of its triggers waits for an event or has to be asked again and again."""
        return len(self.timetables) == len(self.task.triggers)

    @property
    def runs_by_itself(self) -> bool:
        """Whether its times count."""
        return self.task.enabled and not self.task.parked

    @property
    def quarantined(self) -> bool:
        """Whether it is held back for having run in one crash after another."""
        return self.pause is not None and self.pause.by == QUARANTINE

    @property
    def idle(self) -> bool:
        """Whether nothing of it waits or runs."""
        return not self.active and not self.queue and not self.retries

    def over(self) -> bool:
        """Whether its one time has come and nothing of it is left to run."""
        if not self.one_time or not self.idle:
            return False
        for timetable in self.timetables:  # noqa: SIM110 - several times a run, and a generator is slower
            if timetable.due is not None:
                return False
        return True

    def inherit(self, attempt: Attempt) -> None:
        """An attempt begins: what the run before it left is its own, where it has saved nothing itself."""
        if self.saved is not None:
            self.saved = taken_over(self.saved, attempt.run_id, {each.run_id for each in self.unfinished()})

    def begin(self, attempt: Attempt) -> None:
        """An attempt of it waits for a slot, and then runs."""
        self.active += 1
        if self.attempts is None:
            self.attempts = {}
        self.attempts[attempt] = None

    def enqueue(self, attempt: Attempt) -> None:
        """An attempt of it waits until the task is free; what makes up for the past, longest."""
        if self.queue is None:
            self.queue = deque()
        place = len(self.queue) if attempt.backfills else len(self.queued())
        self.queue.insert(place, attempt)

    def queued(self) -> list[Attempt]:
        """What waits until the task is free, first of all, and does not make up for the past."""
        return [attempt for attempt in self.queue or () if not attempt.backfills]

    def wait_to_retry(self, attempt: Attempt) -> None:
        """An attempt of it waits for its time."""
        if self.retries is None:
            self.retries = {}
        self.retries[attempt] = None

    def leave(self, attempt: Attempt) -> None:
        """It does not wait or run any more."""
        if self.attempts and attempt in self.attempts:
            del self.attempts[attempt]
            self.active -= 1
            if not self.active:
                self.attempts = None
        elif self.retries and attempt in self.retries:
            del self.retries[attempt]
            self.retries = self.retries or None
        elif self.queue and attempt in self.queue:
            self.queue.remove(attempt)

    def unfinished(self) -> list[Attempt]:
        """All that waits or runs of it."""
        return [*(self.attempts or ()), *(self.queue or ()), *(self.retries or ())]

    def skip(self, skipped: Skipped) -> None:
        """Fires of it don't run."""
        if self.skips is None:
            self.skips = Skips()
        self.skips.add(skipped)

    @property
    def skipped(self) -> dict[str, int]:
        """How many of its fires did not run, by reason."""
        return {} if self.skips is None else dict(self.skips.counts)

    def state(self, boot_id: str, finished: int | None = None) -> TaskState:
        """What must be kept beside the definition."""
        parked = bool(self.task.parked)
        marks = self.parked_marks if parked else tuple(timetable.kept(boot_id) for timetable in self.timetables)
        latest = () if self.skips is None else self.skips.latest
        saved = {} if finished else self.saved or {}
        watched = None if self.watch is None else self.watch.kept()
        skip_next, pace = self.skip_next, self.pace
        return TaskState(marks, self.pause, self.skipped, finished, skip_next, latest, pace, saved, watched)

    def stored(self, boot_id: str, finished: int | None = None) -> StoredTask:
        """All that must be kept."""
        return StoredTask(self.id, self.task.name, definition(self.task), self.state(boot_id, finished))
