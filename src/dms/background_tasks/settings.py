"""What a scheduler is set to, checked once."""

import os
from collections.abc import Mapping
from datetime import UTC, timedelta, tzinfo
from typing import NamedTuple

from dms.background_tasks.triggers.exclusion import Calendar
from dms.background_tasks.triggers.trigger import zone_of
from dms.clock import host_zone
from dms.errors import InvalidInput
from dms.instant import SECOND, microseconds

Duration = timedelta | str | float

SHORTEST_POLL = 1_000
"""Microseconds between two questions to a third party's trigger, at least."""


KEPT_IN_MEMORY = 100
"""Executions of each task that are kept without a store, unless another number is given."""

KEPT_IN_STORE = 1_000
"""Executions of each task that are kept in a store, unless another number is given."""


class Settings(NamedTuple):
    """`slots` for runs at once; the `zone` of triggers that name none; lengths of time in microseconds; how many
    executions of each task are kept; the `calendars` that triggers may name."""

    slots: int
    zone: tzinfo
    aging_quantum: int
    poll_interval: int
    history_limit: int
    calendars: Mapping[str, Calendar]


def usual_settings(stored: bool) -> Settings:
    """What counts where nothing is said; `stored` whether there is a store."""
    return Settings(
        _usual_slots(), host_zone() or UTC, 60 * SECOND, SECOND, KEPT_IN_STORE if stored else KEPT_IN_MEMORY, {}
    )


def changed_settings(
    settings: Settings,
    max_running_tasks: int | None,
    timezone: str | tzinfo | None,
    aging_quantum: Duration | None,
    poll_interval: Duration | None,
    history_limit: int | None,
    calendars: Mapping[str, Calendar] | None = None,
) -> Settings:
    """The settings with those that are given. InvalidInput names the one that can't be."""
    slots, zone, quantum, poll, kept, known = settings
    return Settings(
        slots if max_running_tasks is None else _count(max_running_tasks, "max_running_tasks", 10_000),
        zone_of(timezone) or zone,
        quantum if aging_quantum is None else microseconds(aging_quantum, "aging_quantum"),
        poll if poll_interval is None else max(SHORTEST_POLL, microseconds(poll_interval, "poll_interval")),
        kept if history_limit is None else _count(history_limit, "history_limit", 1_000_000),
        known if calendars is None else _calendars(calendars),
    )


def _calendars(given: Mapping[str, Calendar]) -> dict[str, Calendar]:
    for name, calendar in given.items():
        if not isinstance(name, str) or not name or not isinstance(calendar, Calendar):
            raise InvalidInput(f"calendars: {name!r}: {calendar!r} is not a name with its dms.Calendar")
    return dict(given)


def _usual_slots() -> int:
    """Twice the cores that this process may use and at least 4, since most tasks wait for something."""
    return max(4, 2 * len(os.sched_getaffinity(0)))


def check_quarantine(after: object) -> int:
    """In how many crashes in a row a task may run until it is held back; InvalidInput where it is no such number."""
    return 0 if after == 0 and not isinstance(after, bool) else _count(after, "quarantine_after", 1_000)


def _count(given: object, what: str, most: int) -> int:
    if not isinstance(given, int) or isinstance(given, bool) or not 1 <= given <= most:
        raise InvalidInput(f"{what}: {given!r} is not a whole number from 1 to {most}")
    return given
