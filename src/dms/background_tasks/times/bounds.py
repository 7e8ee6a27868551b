"""What bounds a trigger beside its times: how often it may fire, and the calendars that leave fires out. Pure."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from dms.background_tasks.triggers.exclusion import Exclusion
from dms.background_tasks.triggers.trigger import PeriodicTrigger
from dms.instant import Instant

if TYPE_CHECKING:
    from dms.background_tasks.times.timetable import Timetable

_LOOKS = 400
_AHEAD = 40 * 366 * 86_400_000_000


class Bounds:
    """How many `runs` there were of a trigger that has a `max_runs`, and the names of the calendars that it keeps to.
    A run counts as soon as it is taken on, whatever becomes of it; what is skipped counts for nothing."""

    __slots__ = ("exclude", "runs", "trigger")

    def __init__(self, trigger: PeriodicTrigger) -> None:
        self.trigger, self.exclude = trigger, trigger.exclude
        self.runs = 0

    @property
    def used_up(self) -> bool:
        """Whether it has had all its runs."""
        return self.trigger.max_runs is not None and self.runs >= self.trigger.max_runs

    def at_most(self, wanted: int) -> int:
        """So many runs, or as many as are left."""
        return wanted if self.trigger.max_runs is None else min(wanted, self.trigger.max_runs - self.runs)

    def carry_on(self, others: "Iterable[Timetable]") -> None:
        """Go on counting where another timetable of the same trigger stood."""
        for other in others:
            if other.bounds is not None and other.bounds.trigger == self.trigger:
                self.runs = other.bounds.runs


def allowed(
    timetable: "Timetable", bounds: Bounds, came: list[int], first: int, exclusion: Exclusion, now: Instant
) -> list[int]:
    """Of the fires from `first` on, of which the latest `came`, the latest that no calendar leaves out, oldest first
    and no more than those. What is left out is stepped over at a stretch."""
    found: list[int] = []
    at: int | None = came[-1]
    for _ in range(_LOOKS):
        if at is None or at < first or len(found) == len(came):
            break
        free = exclusion.free_until(bounds.exclude, at, first)
        if free == at:
            found.append(at)
        at = None if free is None else timetable.latest(first - 1, min(free, at - 1), now)
    return found[::-1]


def excluded_by(timetables: "Sequence[Timetable]", fire: int, exclusion: Exclusion) -> str:
    """The calendar that leaves out a fire (wall), whichever of these it is of; empty where one of them lets it be."""
    found = [exclusion.by(each.bounds.exclude if each.bounds else (), fire) for each in timetables]
    return found[0] if found and all(found) else ""


def next_allowed(timetable: "Timetable", exclusion: Exclusion, now: Instant) -> int | None:
    """The wall time of its next fire that no calendar leaves out; None where that is not in sight."""
    assert timetable.bounds is not None
    at: int | None = timetable.first(now)
    for _ in range(_LOOKS):
        free = None if at is None else exclusion.free_from(timetable.bounds.exclude, at)
        if at is None or free is None or free == at:
            return free
        at = next(iter(timetable.between(free, free + _AHEAD, 1, now)), None)
    return None
