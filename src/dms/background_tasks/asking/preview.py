"""What is to come of the users' tasks: when they run, which start together, when all slots are taken. Pure."""

from collections.abc import Collection, Mapping, Sequence

import msgspec

from dms.background_tasks.agenda.entry import Entry
from dms.background_tasks.asking.rehearsal import MOST_RUNS, ComingRun, Full, Rehearsal
from dms.instant import SECOND, Instant

_BY_TIME = ("schedule", "catch_up")


class Collision(msgspec.Struct, frozen=True):
    """Tasks that come due within the same second, and when (wall), from the first time on."""

    tasks: tuple[str, ...]
    moments: tuple[int, ...]


class LeftOut(msgspec.Struct, frozen=True):
    """A task that comes too often to be looked at, and how often that is."""

    task: str
    fires: int


class Preview(msgspec.Struct, frozen=True):
    """What is to come from `since` until `until` (wall microseconds); `complete` is whether that is as far as was asked
    for. `lengths` are what runs were taken to need, in microseconds; where a task has none, no time at all. Fires that
    won't run are counted in `skipped`, by task and reason; of `unseen` tasks beyond the most nothing is known."""

    since: int
    until: int
    complete: bool
    slots: int
    lengths: Mapping[str, int]
    runs: Sequence[ComingRun]
    skipped: Mapping[tuple[str, str], int]
    collisions: Sequence[Collision]
    full: Sequence[Full]
    left_out: Sequence[LeftOut]
    unseen: int = 0


def preview_of(
    rehearsal: Rehearsal, lengths: Mapping[str, int], left_out: Sequence[LeftOut], only: Collection[str]
) -> Preview:
    """Play a rehearsal, and say what came of it; only of some tasks, where any are named."""
    since = rehearsal.now.wall
    reached = rehearsal.play(lengths)
    runs = [run for run in rehearsal.runs if not only or run.task in only]
    return Preview(
        since,
        reached,
        reached == rehearsal.until,
        rehearsal.slots,
        {task: length for task, length in lengths.items() if not only or task in only},
        runs,
        {key: count for key, count in rehearsal.skipped.items() if not only or key[0] in only},
        collisions(rehearsal.runs, only),
        rehearsal.full,
        [each for each in left_out if not only or each.task in only],
        rehearsal.unseen,
    )


def leave_out(rehearsal: Rehearsal) -> list[LeftOut]:
    """Take those tasks out of a rehearsal that come most often, as long as there would be too many runs."""
    now, until = rehearsal.now, rehearsal.until
    counted = sorted(
        ((_coming(entry, until, now), entry.id) for entry in rehearsal.agenda.entries.values()), reverse=True
    )
    total, left_out = sum(count for count, _ in counted), []
    for count, task_id in counted:
        if total <= MOST_RUNS:
            break
        left_out.append(LeftOut(rehearsal.agenda.entries[task_id].task.name, count))
        rehearsal.agenda.remove(task_id, now)
        total -= count
    return left_out


def _coming(entry: Entry, until: int, now: Instant) -> int:
    return sum(timetable.coming(until, now) for timetable in entry.timetables) if entry.runs_by_itself else 0


def collisions(runs: Sequence[ComingRun], only: Collection[str]) -> list[Collision]:
    """Which tasks come due together by their times, the most of them first; only with some of them, where any are
    named."""
    together: dict[int, set[str]] = {}
    for run in runs:
        if run.cause in _BY_TIME:
            together.setdefault(run.due // SECOND, set()).add(run.task)
    moments: dict[tuple[str, ...], list[int]] = {}
    for second, tasks in together.items():
        if len(tasks) > 1 and (not only or not tasks.isdisjoint(only)):
            moments.setdefault(tuple(sorted(tasks)), []).append(second * SECOND)
    found = [Collision(tasks, tuple(sorted(when))) for tasks, when in moments.items()]
    return sorted(found, key=lambda each: (-len(each.tasks), -len(each.moments), each.moments))
