"""What an explanation of a task goes by, gathered from the agenda. Any thread may ask: what the loop may change
meanwhile is read once."""

from collections.abc import Sequence
from datetime import tzinfo

from msgspec.structs import replace

from dms.background_tasks.agenda.agenda import Agenda
from dms.background_tasks.agenda.entry import Entry
from dms.background_tasks.asking.explanation import WINDOW, Evidence
from dms.background_tasks.asking.view import TaskView
from dms.background_tasks.tasks.task import Execution
from dms.background_tasks.times.timetable import Timetable
from dms.instant import SECOND, Instant

AHEAD = 400 * 86_400 * SECOND
"""How far the next fire after a moment is looked for."""

_LOOKED_AT = 200
"""How many fires are looked at for one that no calendar leaves out."""


def evidence_of(
    entry: Entry,
    agenda: Agenda,
    view: TaskView,
    executions: Sequence[Execution],
    complete: bool,
    zone: tzinfo,
    now: Instant,
    at: int | None,
) -> Evidence:
    """What is known of a task, as of a moment where one is asked for."""
    timetables = entry.timetables if entry.runs_by_itself else ()
    skips = entry.skips
    end = (now.wall if at is None else at) + WINDOW
    bounded = any(timetable.bounds for timetable in timetables)
    following = _fires(timetables, end, end + AHEAD, now, _LOOKED_AT if bounded else 1)
    fires = () if at is None else _fires(entry.timetables, at, end, now)
    return Evidence(
        view.name,
        now.wall,
        zone,
        view.state,
        view.reason,
        view.triggers,
        view.next_fire,
        entry.pause or (agenda.orders.of_all if agenda.paused(entry) else None),
        entry.skip_next,
        [*_live(entry, executions), *executions],
        complete,
        () if skips is None else skips.latest,
        (*agenda.lives, replace(agenda.life, seen=now.wall)),
        fires,
        next((fire for fire in following if not agenda.planning.excluded_by(entry, fire)), None),
        agenda.planning.excluded_by(entry, fires[0]) if fires else "",
    )


def _live(entry: Entry, kept: Sequence[Execution]) -> list[Execution]:
    """What waits or runs and is not among those that are kept."""
    known = {execution.id for execution in kept}
    return [attempt.execution() for attempt in reversed(entry.unfinished()) if attempt.id not in known]


def _fires(timetables: Sequence[Timetable], start: int, end: int, now: Instant, most: int = 1) -> list[int]:
    """The first fires of each that lie in [start, end), soonest first."""
    found = [each.between(max(start, each.counts_from(now)), end, most, now) for each in timetables]
    return sorted(due for dues in found for due in dues)
