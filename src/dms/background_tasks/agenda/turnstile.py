"""Tasks that share a key: at most so many of them at once, or so often. Pure.

Whoever has such a task waits for a slot like any other. Where its turn comes and its key is full, it steps aside into
the line of its key, and the slot goes to the next. Once there is room at the key, the first of that line is called: it
waits for a slot again, at its old place. So a full key holds up no other, and each step takes log n.
"""

from collections import deque
from collections.abc import Mapping

from dms.background_tasks.agenda.alarms import Alarms
from dms.background_tasks.agenda.decision import Attempt
from dms.background_tasks.agenda.entry import Entry
from dms.background_tasks.agenda.ledger import Ledger
from dms.background_tasks.agenda.ready import Line, Slots
from dms.background_tasks.store import Pace
from dms.background_tasks.tasks.concurrency import Concurrency
from dms.background_tasks.tasks.task import Lane
from dms.instant import Instant, duration_text


class Turnstile(Line):
    """One key: how many of it run, when they started, in boot time, and those for whom there was no room. `called` are
    those that wait for a slot, `opens` is when the rate next lets somebody start, where somebody waits for that."""

    __slots__ = ("called", "limit", "members", "opens", "pace", "running", "starts")

    def __init__(self, aging_quantum: int) -> None:
        super().__init__(aging_quantum)
        self.limit: int | None = None
        self.pace: tuple[int, int] | None = None
        self.running = 0
        self.starts: deque[int] = deque()
        self.called: set[Attempt] = set()
        self.members: set[int] = set()
        self.opens: int | None = None

    def go_by(self, concurrency: Concurrency) -> None:
        """What counts from now on."""
        self.limit, self.pace = concurrency.limit, concurrency.pace

    def room(self, now: Instant) -> int:
        """How many more may start now; never more than may matter to anybody."""
        room = len(self._waiting) + len(self.called) + 1 if self.limit is None else self.limit - self.running
        return room if self.pace is None else min(room, self._room_of_rate(self.pace, now))

    def _room_of_rate(self, pace: tuple[int, int], now: Instant) -> int:
        count, length = pace
        while self.starts and self.starts[0] <= now.boot - length:
            self.starts.popleft()
        return count - len(self.starts)

    def reopening(self, now: Instant) -> int | None:
        """When the rate next lets somebody start (boot time), where it does not now and somebody waits."""
        if self.pace is None or not self._waiting or self._room_of_rate(self.pace, now) > 0:
            return None
        count, length = self.pace
        return self.starts[-count] + length

    def recall(self, starts: tuple[int, ...]) -> None:
        """It had started then."""
        self.starts = deque(sorted([*self.starts, *starts]))

    @property
    def in_use(self) -> bool:
        """Whether a task has the key, or something of it waits or runs."""
        return bool(self.members or self.running or self.called or self._waiting)

    def why_full(self) -> str:
        """What whoever waits here waits for; empty where that is a slot."""
        if self.limit is not None and self.running >= self.limit:
            return f"{self.running} of them run{'s' if self.running == 1 else ''}, the most at once"
        if self.opens is not None and self.pace is not None:
            count, length = self.pace
            return f"{count} of them started within {duration_text(length)}"
        return ""


class Turnstiles:
    """The turnstile of each key. Whoever may wait for a slot is put into its lane."""

    def __init__(self, lanes: Mapping[Lane, Slots], alarms: Alarms, ledger: Ledger, aging_quantum: int) -> None:
        self._lanes, self._alarms, self._ledger, self._quantum = lanes, alarms, ledger, aging_quantum
        self._by_key: dict[str, Turnstile] = {}

    def age_by(self, quantum: int) -> None:
        """Let whoever waits gain a step of priority each so many microseconds."""
        self._quantum = quantum
        for turnstile in self._by_key.values():
            turnstile.age_by(quantum)

    # ── tasks ──

    def join(self, entry: Entry, now: Instant) -> None:
        """A task has come, or has another definition. What it says counts for all of its key, unless only the store
        brought it back."""
        concurrency = entry.task.concurrency
        if concurrency is None:
            return
        turnstile = self._of(concurrency)
        if not entry.task.restored:
            turnstile.go_by(concurrency)
        if entry.id not in turnstile.members and entry.pace is not None:
            self._recall(turnstile, entry, entry.pace, now)
        turnstile.members.add(entry.id)
        self._call(turnstile, now)

    def _recall(self, turnstile: Turnstile, entry: Entry, pace: Pace, now: Instant) -> None:
        """The store remembers what a task started: its rate counts that too."""
        boot_id = self._ledger.boot_id
        entry.pace = Pace(_in_this_boot(pace, now, boot_id), boot_id, now.wall - now.boot)
        turnstile.recall(entry.pace.starts)

    def part(self, entry: Entry, concurrency: Concurrency | None) -> None:
        """A task is gone, or has another key."""
        if concurrency is not None:
            self._of(concurrency).members.discard(entry.id)
            entry.pace = None
            self._forget(concurrency.key)

    def _of(self, concurrency: Concurrency) -> Turnstile:
        turnstile = self._by_key.get(concurrency.key)
        if turnstile is None:
            turnstile = self._by_key[concurrency.key] = Turnstile(self._quantum)
            turnstile.go_by(concurrency)
        return turnstile

    def _forget(self, key: str) -> None:
        """A key that nobody has any more goes, once its rate counts nothing of the past."""
        turnstile = self._by_key[key]
        if turnstile.in_use:
            return
        if turnstile.pace is not None and turnstile.starts:
            self._alarms.at_boot(turnstile.starts[-1] + turnstile.pace[1], self._fade, key)
        else:
            del self._by_key[key]

    def _fade(self, key: str, now: Instant) -> None:
        if key in self._by_key:
            self._by_key[key].room(now)
            self._forget(key)

    # ── attempts ──

    def line_up(self, attempt: Attempt, now: Instant) -> bool:
        """It waits for a slot; or (False) for room at its key first."""
        turnstile = self._turnstile(attempt)
        if turnstile.room(now) <= 0:
            self._step_aside(turnstile, attempt, now)
            return False
        self._call_one(turnstile, attempt)
        return True

    def enter(self, attempt: Attempt, now: Instant) -> bool:
        """There is a slot for it. False where there is no room at its key; it waits for that then."""
        turnstile = self._turnstile(attempt)
        turnstile.called.discard(attempt)
        if turnstile.room(now) <= 0:
            self._step_aside(turnstile, attempt, now)
            return False
        turnstile.running += 1
        if turnstile.pace is not None:
            turnstile.starts.append(now.boot)
            self._keep(attempt.entry, turnstile.pace[1], now)
        return True

    def left(self, attempt: Attempt, entered: bool, now: Instant) -> None:
        """It is over, or waits elsewhere; `entered`: it was let in before."""
        turnstile = self._turnstile(attempt)
        turnstile.called.discard(attempt)
        turnstile.running -= entered
        self._call(turnstile, now)
        self._forget(_concurrency(attempt).key)

    def came_to_nothing(self, attempt: Attempt, now: Instant) -> None:
        """It was let in and did not start after all."""
        turnstile = self._turnstile(attempt)
        if turnstile.starts:
            turnstile.starts.pop()
        self.left(attempt, True, now)

    def take_out(self, attempt: Attempt, now: Instant) -> bool:
        """A waiting attempt is to have another key, or none; whether it waited for room at this one."""
        waited = self._turnstile(attempt).take_out(attempt)
        self.left(attempt, False, now)
        return waited

    def why(self, attempt: Attempt) -> str:
        """What a waiting attempt waits for; empty where that is a slot."""
        concurrency = attempt.task.concurrency
        turnstile = None if concurrency is None else self._by_key.get(concurrency.key)
        why = "" if turnstile is None else turnstile.why_full()
        return f"its key {_concurrency(attempt).key} is taken: {why}" if why else ""

    def _turnstile(self, attempt: Attempt) -> Turnstile:
        return self._of(_concurrency(attempt))

    def _step_aside(self, turnstile: Turnstile, attempt: Attempt, now: Instant) -> None:
        turnstile.wait(attempt)
        self._await_reopening(turnstile, now)

    def _call(self, turnstile: Turnstile, now: Instant) -> None:
        """As many of its line as there is room for wait for a slot."""
        for _ in range(turnstile.room(now) - len(turnstile.called)):
            attempt = turnstile.take()
            if attempt is None:
                return
            self._call_one(turnstile, attempt)
        self._await_reopening(turnstile, now)

    def _call_one(self, turnstile: Turnstile, attempt: Attempt) -> None:
        turnstile.called.add(attempt)
        self._lanes[attempt.lane].wait(attempt)

    def _await_reopening(self, turnstile: Turnstile, now: Instant) -> None:
        opens = turnstile.reopening(now)
        if opens is not None and turnstile.opens is None:
            turnstile.opens = opens
            self._alarms.at_boot(opens, self._reopened, turnstile)

    def _reopened(self, turnstile: Turnstile, now: Instant) -> None:
        turnstile.opens = None
        self._call(turnstile, now)

    def _keep(self, entry: Entry, length: int, now: Instant) -> None:
        """What a restart has to know of a start."""
        before = () if entry.pace is None else entry.pace.starts
        starts = (*(start for start in before if start > now.boot - length), now.boot)
        entry.pace = Pace(starts, self._ledger.boot_id, now.wall - now.boot)
        if entry.durable and not entry.removed:
            self._ledger.state(entry)


def _concurrency(attempt: Attempt) -> Concurrency:
    concurrency = attempt.task.concurrency
    assert concurrency is not None
    return concurrency


def _in_this_boot(pace: Pace, now: Instant, boot_id: str) -> tuple[int, ...]:
    """The starts in this boot's time; what lies ahead, by a clock that was set back, counts as just now."""
    if pace.boot_id == boot_id:
        return tuple(min(start, now.boot) for start in pace.starts)
    return tuple(min(now.boot, start + pace.offset - now.wall + now.boot) for start in pace.starts)
