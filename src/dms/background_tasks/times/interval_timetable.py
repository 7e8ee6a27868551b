"""How far an interval has come. It counts in boot time, so that a clock that is set changes nothing. Pure."""

from typing import TYPE_CHECKING

from dms.background_tasks.store import Doubt, Mark
from dms.background_tasks.times.timetable import LONG_STEP, Timetable, share_of
from dms.background_tasks.triggers.trigger import PeriodicTrigger
from dms.instant import Instant

if TYPE_CHECKING:
    from dms.background_tasks.agenda.entry import Entry

_NEVER_FIRED = -1


class IntervalTimetable(Timetable):
    """anchor + n * interval in boot time; `done` is the last n that fired. It is `opening` while the fire that
    `at_start` adds is still to come."""

    __slots__ = ("anchor", "anchor_boot", "done", "end", "interval", "jitter", "opening", "seed", "trigger")

    def __init__(self, owner: "Entry", trigger: PeriodicTrigger, seed: str) -> None:
        super().__init__(owner)
        self.trigger = trigger
        self.interval: int = trigger.interval or 1
        self.jitter, self.seed, self.end = trigger.jitter, seed, trigger.end

    def begin(self, now: Instant) -> None:
        """Anchor it at its `start`, or now."""
        start = self.trigger.start
        self._anchor(now.wall if start is None else start, now)
        self.done = max((now.boot - self.anchor_boot) // self.interval, _NEVER_FIRED)
        self._plan()
        self._open(now)

    def resume_from(self, mark: Mark, now: Instant, boot_id: str) -> None:
        """Boot time counts within one boot of the machine, the wall clock's phase after that."""
        self._anchor(mark.anchor, now)
        if mark.boot_id == boot_id:
            self.anchor_boot = mark.anchor_boot
        self.done = mark.done
        self._plan()
        self._find_again(now)
        self._open(now)

    def _find_again(self, now: Instant) -> None:
        """What was counted in a future that turned out wrong does not block."""
        if not self._is_lost(now):
            return
        if self.trigger.start is None:
            self._anchor(now.wall, now)
            self.done = 0
        else:
            self.done = (now.boot - self.anchor_boot) // self.interval
        self._plan()

    def _is_lost(self, now: Instant) -> bool:
        """Whether its next time is further away than its interval, because the clock went back."""
        if self.trigger.start is not None and self.trigger.start > now.wall:
            return False
        return self._is_far(now)

    def _is_far(self, now: Instant) -> bool:
        return self.due is not None and self.due > now.boot + self.interval + self.jitter

    def wall_stepped(self, now: Instant, back: bool) -> bool:
        """Its phase stays; but its start, before it has begun, and its end are moments of the wall clock."""
        start = self.trigger.start
        if self.opening:
            return False
        if start is not None and (self.done == _NEVER_FIRED or self._is_far(now)):
            self._anchor(start, now)
        elif start is None and self.end is not None:
            self.anchor = self._zero(now)
        else:
            return False
        self._plan()
        self._find_again(now)
        return True

    def _open(self, now: Instant) -> None:
        self.opening = self.trigger.at_start
        if self.opening:
            self.due = now.boot

    def _anchor(self, wall: int, now: Instant) -> None:
        self.anchor, self.anchor_boot = wall, now.boot if wall == now.wall else now.boot + wall - now.wall

    def _plan(self) -> None:
        n = self.done + 1
        due = self.anchor_boot + n * self.interval
        if self.end is not None and self.anchor + n * self.interval > self.end:
            self.due = None
        else:
            self.due = due + self._delay(n) if self.jitter else due

    def _delay(self, n: int) -> int:
        return share_of(min(self.jitter, self.interval), self.seed, n)

    def mark(self, boot_id: str) -> Mark:
        """Its anchor on both clocks and the last n."""
        return Mark(self.anchor, self.anchor_boot, boot_id, self.done)

    def set_right(self, doubt: Doubt, now: Instant, boot_id: str) -> bool:
        """Keep the phase that it has by boot time, unless its `start`, or an anchor that was taken before, says what it
        is by the wall clock."""
        known = self.trigger.start if doubt.before is None else doubt.before.anchor
        if known is None:
            self.anchor = self._zero(now)
        else:
            self._take_phase(known, doubt, now)
        if self.opening:
            self.due = now.boot
        else:
            self._plan()
            self._find_again(now)
        return True

    def _take_phase(self, anchor: int, doubt: Doubt, now: Instant) -> None:
        was_wrong = anchor != self.anchor or abs(now.wall - now.boot - doubt.offset) > LONG_STEP
        self._anchor(anchor, now)
        if was_wrong:
            self.done = _NEVER_FIRED if doubt.before is None else doubt.before.done
            if doubt.fired or doubt.before is None:
                self.miss_nothing(now)

    def miss_nothing(self, now: Instant) -> None:
        """Whatever came until now is over."""
        self.done = max(self.done, (now.boot - self.anchor_boot) // self.interval)
        self._plan()

    def take(self, now: Instant, wanted: int) -> tuple[list[int], int]:
        """Every n up to now, and then the fire that `at_start` adds."""
        last = max((now.boot - self.anchor_boot) // self.interval, self.done)
        if self.jitter and last > self.done and self.anchor_boot + last * self.interval + self._delay(last) > now.boot:
            last -= 1
        if self.end is not None:
            last = max(min(last, (self.end - self.anchor) // self.interval), self.done)
        count = last - self.done
        to_wall = self.anchor_boot + now.wall - now.boot
        first = last - min(count, wanted) + 1
        labels = [to_wall + n * self.interval for n in range(first, last + 1)]
        self.done = last
        self._plan()
        if self.opening:
            self.opening = False
            return [*labels, now.wall][-wanted:], count + 1
        return labels, count

    def delayed(self, label: int, now: Instant) -> int:
        """By its share of the jitter."""
        return label + self._delay((label - self._zero(now)) // self.interval) if self.jitter else label

    def latest(self, after: int, until: int, now: Instant) -> int | None:
        """By its phase."""
        zero = self._zero(now)
        found = zero + (until - zero) // self.interval * self.interval
        return found if found > after else None

    def following(self, now: Instant) -> int | None:
        """By its phase."""
        return self.anchor_boot + ((now.boot - self.anchor_boot) // self.interval + 1) * self.interval

    def count(self, after: int, until: int, now: Instant) -> int:
        """By its phase."""
        zero = self._zero(now)
        return (until - zero) // self.interval - (after - zero) // self.interval

    def between(self, start: int, end: int, most: int, now: Instant) -> list[int]:
        """Its phase goes on backwards, to before the task was there."""
        zero = self._zero(now)
        if self.trigger.start is not None:
            start = max(start, self.trigger.start)
        first = zero - (zero - start) // self.interval * self.interval
        times = range(first, end if self.end is None else min(end, self.end + 1), self.interval)
        return list(times[:most])

    def coming(self, until: int, now: Instant) -> int:
        """By the numbers that lie ahead."""
        if self.due is None:
            return 0
        last = until if self.end is None else min(until, self.end)
        return max(0, (last - now.wall + now.boot - self.due) // self.interval + 1) + self.opening

    def counts_from(self, now: Instant) -> int:
        """Its anchor, which is a fire itself where it is a `start`."""
        return self._zero(now) + (self.trigger.start is None)

    def _zero(self, now: Instant) -> int:
        return self.anchor_boot + now.wall - now.boot


class DelayTimetable(IntervalTimetable):
    """An interval from the end of the last run."""

    __slots__ = ()

    def between(self, start: int, end: int, most: int, now: Instant) -> list[int]:
        """None: each depends on the run before it."""
        return []

    def delayed(self, label: int, now: Instant) -> int:
        """The time itself: it has its jitter in it."""
        return label

    def following(self, now: Instant) -> int | None:
        """Nothing, until its run has ended."""
        return None

    def take(self, now: Instant, wanted: int) -> tuple[list[int], int]:
        """One fire, and none until its run has ended."""
        assert self.due is not None
        label = self.due + now.wall - now.boot
        self.due, self.opening = None, False
        self.done = max(self.done + 1, 0)
        return [label][:wanted], 1

    def set_right(self, doubt: Doubt, now: Instant, boot_id: str) -> bool:
        """A run since then counts; else that before it, as long ago as it was."""
        if doubt.before is not None and not doubt.fired:
            self.resume_from(doubt.before, now, boot_id)
            self.opening = False
        else:
            self.anchor = self._zero(now)
            if self._is_over:
                self._plan()
        return True

    @property
    def _is_over(self) -> bool:
        """Whether nothing is planned, and not because a run is under way."""
        return self.due is None and self.owner.idle

    def wall_stepped(self, now: Instant, back: bool) -> bool:
        """While a run of it is under way, nothing is planned."""
        return (self.due is not None or self._is_over) and super().wall_stepped(now, back)

    def miss_nothing(self, now: Instant) -> None:
        """Count from now."""
        self._anchor(now.wall, now)
        self._plan()

    def run_ended(self, now: Instant) -> bool:
        """Count anew from now."""
        self._anchor(now.wall, now)
        self.done = 0
        self._plan()
        return self.due is not None
