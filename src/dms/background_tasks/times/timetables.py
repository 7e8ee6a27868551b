"""Which timetable a trigger has. Pure."""

from collections.abc import Iterable
from datetime import UTC, tzinfo
from typing import TYPE_CHECKING, TypeVar

from dms.background_tasks.times.asked_calendar import Ask, AskedCalendar, ask_here
from dms.background_tasks.times.bounds import Bounds
from dms.background_tasks.times.calendar_timetable import CalendarTimetable
from dms.background_tasks.times.interval_timetable import DelayTimetable, IntervalTimetable
from dms.background_tasks.times.single_timetable import MomentTimetable, OnceTimetable, RebootTimetable
from dms.background_tasks.times.timetable import Timetable
from dms.background_tasks.triggers.event_trigger import EventTrigger
from dms.background_tasks.triggers.trigger import (
    Mode,
    OneTimeTrigger,
    PeriodicTrigger,
    Trigger,
    cron_expression,
    zone_of,
)

if TYPE_CHECKING:
    from dms.background_tasks.agenda.entry import Entry

Key = TypeVar("Key")
Value = TypeVar("Value")


def has_times(trigger: Trigger) -> bool:
    """Whether a trigger has a timetable: not an event, nor a third party's that has to be asked again and again."""
    if isinstance(trigger, (OneTimeTrigger, PeriodicTrigger)):
        return True
    return not isinstance(trigger, EventTrigger) and callable(getattr(trigger, "next_after", None))


def paired(before: "Iterable[tuple[Key, Value]]", now: "Iterable[Key]") -> "list[Value | None]":
    """What belonged to each of `now` before; each is given once.

    >>> paired([("a", 1), ("b", 2), ("a", 3)], ["b", "a", "c", "a", "a"])
    [2, 1, None, 3, None]
    """
    left = list(before)
    found: list[Value | None] = []
    for key in now:
        pair = next((pair for pair in left if pair[0] == key), None)
        if pair is not None:
            left.remove(pair)
        found.append(None if pair is None else pair[1])
    return found


def timetable_of(owner: "Entry", trigger: Trigger, zone: tzinfo, seed: str, ask: Ask = ask_here) -> Timetable | None:
    """The timetable of a trigger; None where it has no times of its own (an event, a polled third party). `ask` is how
    a third party is asked for its next time."""
    if isinstance(trigger, OneTimeTrigger):
        return OnceTimetable(owner, trigger.delay) if trigger.at is None else MomentTimetable(owner, trigger.at)  # type: ignore[arg-type]
    if isinstance(trigger, PeriodicTrigger):
        timetable = _periodic(owner, trigger, zone, seed)
        if trigger.max_runs is not None or trigger.exclude:
            timetable.bounds = Bounds(trigger)
        return timetable
    if not has_times(trigger):
        return None
    return CalendarTimetable(owner, AskedCalendar(trigger.next_after, zone, ask), seed)  # type: ignore[attr-defined]


def _periodic(owner: "Entry", trigger: PeriodicTrigger, zone: tzinfo, seed: str) -> Timetable:
    if trigger.cron is None:
        kind = DelayTimetable if trigger.mode is Mode.FIXED_DELAY else IntervalTimetable
        return kind(owner, trigger, seed)
    expression = cron_expression(trigger.cron, zone_of(trigger.timezone) or zone or UTC)
    return RebootTimetable(owner) if expression.is_reboot else CalendarTimetable(owner, expression, seed, trigger)
