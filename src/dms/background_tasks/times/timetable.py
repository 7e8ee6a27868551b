"""How far each time trigger of a task has come: its anchor, its mark, its next time. Pure; the agenda owns them.

Intervals and delays count in boot time, so that a clock that is set changes nothing; calendars in wall time. What was
missed is counted, never enumerated.
"""

from copy import copy
from typing import TYPE_CHECKING, ClassVar
from zlib import crc32

from msgspec.structs import replace

from dms.background_tasks.store import Doubt, Mark
from dms.instant import SECOND, Instant

if TYPE_CHECKING:
    from dms.background_tasks.agenda.entry import Entry
    from dms.background_tasks.times.bounds import Bounds


SHORT_STEP = 3 * 3_600 * SECOND
"""A clock that is set back by no more than this fires nothing again (the same three hours as in Debian's cron)."""

LONG_STEP = 86_400 * SECOND
"""A wall clock that is set by more than this was wrong before, or is now."""


class Timetable:
    """One time trigger of one task. `due` is its next time on its own clock, None where nothing comes by itself;
    `doubt` is there while the wall clock that it counts by is not trusted (see `doubt.py`), `bounds` where its trigger
    has any."""

    __slots__ = ("bounds", "doubt", "due", "owner", "token")
    on_wall: ClassVar[bool] = False
    one_time: ClassVar[bool] = False

    def __init__(self, owner: "Entry") -> None:
        self.owner = owner
        self.due: int | None = None
        self.doubt: Doubt | None = None
        self.bounds: Bounds | None = None
        self.token = 0

    def begin(self, now: Instant) -> None:
        """It is new: what counts is what comes after `now`."""
        raise NotImplementedError

    def begin_again(self, now: Instant, boot_id: str) -> None:
        """It has come with another definition of a task that is there already, or the task is enabled again."""
        self.begin(now)

    def resume_from(self, mark: Mark, now: Instant, boot_id: str) -> None:
        """It goes on where it was when `mark` was kept."""
        raise NotImplementedError

    def kept(self, boot_id: str) -> Mark:
        """What has to be kept, so that it can go on after a restart."""
        mark = self.mark(boot_id)
        if self.doubt is None and self.bounds is None:
            return mark
        return replace(mark, doubt=self.doubt, runs=0 if self.bounds is None else self.bounds.runs)

    def mark(self, boot_id: str) -> Mark:
        """How far it has come."""
        raise NotImplementedError

    def take(self, now: Instant, wanted: int) -> tuple[list[int], int]:
        """It has come due: the wall times of the latest `wanted` fires that came, oldest first, and how many came."""
        raise NotImplementedError

    def first(self, now: Instant) -> int:
        """Of one that has come due: the wall time of the first fire that came."""
        assert self.due is not None
        return self.due if self.on_wall else self.due + now.wall - now.boot

    def delayed(self, label: int, now: Instant) -> int:
        """When (wall time) the fire of that time comes, with its jitter."""
        return label

    def latest(self, after: int, until: int, now: Instant) -> int | None:
        """The wall time of its last fire in (after, until], before those that were taken."""
        return None

    def following(self, now: Instant) -> int | None:
        """When (boot time) it comes next after now, whatever has come before; None where that is not known."""
        return None

    def count(self, after: int, until: int, now: Instant) -> int:
        """How many times it comes in (after, until], wall times."""
        return 0

    def between(self, start: int, end: int, most: int, now: Instant) -> list[int]:
        """The wall times in [start, end) at which it comes, or would have come as it is now: the first `most`."""
        return []

    def counts_from(self, now: Instant) -> int:
        """The wall time before which nothing ever came of it, as it is now; 0 where that is not known."""
        return 0

    def coming(self, until: int, now: Instant) -> int:
        """How often it comes until that wall time, at most."""
        return int(self.due is not None and self.first(now) <= until)

    def copied(self, owner: "Entry") -> "Timetable":
        """The same for a task in another agenda, from where it goes its own way."""
        twin = copy(self)
        twin.owner, twin.token, twin.bounds = owner, 0, copy(self.bounds)
        return twin

    @property
    def fault(self) -> str:
        """Why nothing comes of it any more, where that is not as it should be."""
        return ""

    def run_ended(self, now: Instant) -> bool:
        """A run of the task has ended; whether that gives the timetable a new time."""
        return False

    def wall_stepped(self, now: Instant, back: bool) -> bool:
        """The wall clock was set, ahead or `back`; whether that gives the timetable a new time."""
        return False

    def set_right(self, doubt: Doubt, now: Instant, boot_id: str) -> bool:
        """What it took the wall time to be was in `doubt`, and is known now; whether that may give it a new time."""
        return False

    def miss_nothing(self, now: Instant) -> None:
        """What counts is what comes after now, in the phase that it has."""


def share_of(room: int, seed: str, occurrence: int) -> int:
    """A stable share of `room`, the same for the same occurrence; never all of it."""
    return crc32(f"{seed}:{occurrence}".encode()) * room >> 32
