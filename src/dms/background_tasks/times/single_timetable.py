"""What comes once: at a moment, after a delay, or for each boot of the machine. Pure."""

from typing import TYPE_CHECKING

from dms.background_tasks.store import Doubt, Mark
from dms.background_tasks.times.timetable import LONG_STEP, SHORT_STEP, Timetable
from dms.instant import Instant

if TYPE_CHECKING:
    from dms.background_tasks.agenda.entry import Entry


class MomentTimetable(Timetable):
    """Once, at a moment of the wall clock; never too late."""

    __slots__ = ("at", "done")
    on_wall = True
    one_time = True

    def __init__(self, owner: "Entry", at: int) -> None:
        super().__init__(owner)
        self.at, self.done = at, 0

    def begin(self, now: Instant) -> None:
        """Due at its moment, however long ago that was."""
        self.due = None if self.done else self.at

    def resume_from(self, mark: Mark, now: Instant, boot_id: str) -> None:
        """Due, unless it has fired."""
        self.done = mark.done
        self._come_again(now, LONG_STEP)
        self.begin(now)

    def set_right(self, doubt: Doubt, now: Instant, boot_id: str) -> bool:
        """A moment that has come in a wrong future is still to come."""
        self._come_again(now, SHORT_STEP)
        self.begin(now)
        return True

    def _come_again(self, now: Instant, ahead: int) -> None:
        if now.trusted and self.at > now.wall + ahead:
            self.done = 0

    def mark(self, boot_id: str) -> Mark:
        """Whether it has fired."""
        return Mark(self.at, 0, boot_id, self.done)

    def between(self, start: int, end: int, most: int, now: Instant) -> list[int]:
        """Its moment."""
        return [self.at][:most] if start <= self.at < end else []

    def take(self, now: Instant, wanted: int) -> tuple[list[int], int]:
        """Its one fire."""
        self.done, self.due = 1, None
        return [self.at][:wanted], 1


class OnceTimetable(Timetable):
    """Once, a delay after its anchor in boot time."""

    __slots__ = ("anchor", "anchor_boot", "delay", "done")
    one_time = True

    def __init__(self, owner: "Entry", delay: int) -> None:
        super().__init__(owner)
        self.delay, self.done = delay, 0

    def begin(self, now: Instant) -> None:
        """Count from now."""
        self.anchor, self.anchor_boot = now.wall, now.boot
        self.due = None if self.done else now.boot + self.delay

    def resume_from(self, mark: Mark, now: Instant, boot_id: str) -> None:
        """Due, unless it has fired; boot time counts within one boot of the machine, the wall clock after that,
        but never for longer than the delay."""
        self.done = mark.done
        self.anchor, self.anchor_boot = mark.anchor, now.boot + mark.anchor - now.wall
        if mark.boot_id == boot_id:
            self.anchor_boot = mark.anchor_boot
        if not self.done:
            self.due = min(self.anchor_boot, now.boot) + self.delay

    def mark(self, boot_id: str) -> Mark:
        """Its anchor, and whether it has fired."""
        return Mark(self.anchor, self.anchor_boot, boot_id, self.done)

    def set_right(self, doubt: Doubt, now: Instant, boot_id: str) -> bool:
        """Count from the anchor that was taken before, or go on by boot time."""
        if doubt.before is not None and not self.done:
            self.resume_from(doubt.before, now, boot_id)
        else:
            self.anchor = now.wall + self.anchor_boot - now.boot
        return True

    def between(self, start: int, end: int, most: int, now: Instant) -> list[int]:
        """When it is over, or was."""
        at = self.anchor_boot + self.delay + now.wall - now.boot
        return [at][:most] if start <= at < end else []

    def take(self, now: Instant, wanted: int) -> tuple[list[int], int]:
        """Its one fire."""
        assert self.due is not None
        label = self.due + now.wall - now.boot
        self.done, self.due = 1, None
        return [label][:wanted], 1


class RebootTimetable(Timetable):
    """Once for each boot of the machine."""

    __slots__ = ("boot_id",)

    def begin(self, now: Instant) -> None:
        """Due at once."""
        self.boot_id = ""
        self.due = now.boot

    def begin_again(self, now: Instant, boot_id: str) -> None:
        """The machine had started before that."""
        self.boot_id, self.due = boot_id, None

    def resume_from(self, mark: Mark, now: Instant, boot_id: str) -> None:
        """Due, unless it has fired in this boot."""
        self.boot_id = mark.boot_id if mark.done else ""
        self.due = None if self.boot_id == boot_id else now.boot

    def mark(self, boot_id: str) -> Mark:
        """In which boot it fired last."""
        return Mark(0, 0, boot_id if self.due is None else self.boot_id, int(self.due is None))

    def take(self, now: Instant, wanted: int) -> tuple[list[int], int]:
        """Its one fire of this boot."""
        self.due = None
        return [now.wall][:wanted], 1
