"""What `task.preview` answers: a timeline in steps that people can look at, and what stands out in it."""

from collections import Counter
from datetime import timedelta, tzinfo

import msgspec

from dms.background_tasks.asking.preview import Collision, LeftOut, Preview
from dms.background_tasks.asking.rehearsal import ComingRun, Full
from dms.instant import SECOND, rfc3339, to_datetime

MOST_STEPS = 60
"""Steps of a timeline, at most."""

MOST_RUNS = MOST_TASKS = 1_000
MOST_TOLD = 100
"""Of how many runs and tasks, and of how many of all else, more than the number is told."""

_STEPS = [seconds * SECOND for seconds in (1, 5, 10, 30, 60, 300, 600, 900, 1_800)]
_STEPS += [hours * 3_600 * SECOND for hours in (1, 2, 3, 4, 6, 12, 24, 48, 168)]


class PreviewedRun(msgspec.Struct, frozen=True):
    """A run that is to come. `length` is the seconds that it is taken to need (None: nobody knows), `waits` those for
    which it waits for a slot."""

    task: str
    due_at: str | None
    start_at: str | None
    waits: float
    length: float | None

    @classmethod
    def of(cls, run: ComingRun) -> "PreviewedRun":
        """The document of a run."""
        length = None if run.length is None else run.length / SECOND
        return cls(run.task, rfc3339(run.due), rfc3339(run.start), run.waits / SECOND, length)


class PreviewedTask(msgspec.Struct, frozen=True):
    """How often a task is to run, when next, for how many seconds each, and how often in each step of the timeline.
    `skipped` counts its fires that won't run, by reason."""

    task: str
    runs: int
    next: str | None
    length: float | None
    by_step: list[int]
    skipped: dict[str, int]


class PreviewedCollision(msgspec.Struct, frozen=True):
    """Tasks that come due within the same second, how often, and when for the first time and for the last."""

    tasks: list[str]
    times: int
    first: str | None
    last: str | None

    @classmethod
    def of(cls, found: Collision) -> "PreviewedCollision":
        """The document of a collision."""
        return cls(list(found.tasks), len(found.moments), rfc3339(found.moments[0]), rfc3339(found.moments[-1]))


class PreviewedFull(msgspec.Struct, frozen=True):
    """While all slots are taken, and how many runs had to wait for one."""

    since: str | None
    until: str | None
    waited: int

    @classmethod
    def of(cls, found: Full) -> "PreviewedFull":
        """The document of such a time."""
        return cls(rfc3339(found.since), rfc3339(found.until), found.waited)


class Timeline(msgspec.Struct, frozen=True):
    """Steps of `length` seconds from `since` on: how many tasks start together in each at most (0: never two), and for
    which part of it, from 0 to 1, all slots are taken."""

    since: str | None
    length: float
    together: list[int]
    full: list[float]


class TaskPreview(msgspec.Struct, frozen=True):
    """What is to come of the users' tasks from `since` until `until`; `complete`: that is as far as was asked for.
    Tasks are in the order in which they come; of `tasks` and `runs` only the first are told, `more` tasks come.
    Collisions of most tasks come first, and so do the longest times of full slots. Tasks that are `left_out` come too
    often to be looked at; `unseen` ones are too many."""

    since: str | None
    until: str | None
    complete: bool
    slots: int
    timeline: Timeline
    tasks: list[PreviewedTask]
    runs: list[PreviewedRun]
    collisions: list[PreviewedCollision]
    full: list[PreviewedFull]
    left_out: list[LeftOut]
    unseen: int
    more: int


def preview_document(preview: Preview, zone: tzinfo) -> TaskPreview:
    """A preview as others are told of it, its steps counted in the hours and days of that zone."""
    steps = _Steps(preview.since, preview.until, zone)
    tasks = _tasks(preview, steps)
    longest = sorted(preview.full, key=lambda each: (each.since - each.until, each.since))
    return TaskPreview(
        rfc3339(preview.since),
        rfc3339(preview.until),
        preview.complete,
        preview.slots,
        Timeline(rfc3339(steps.since), steps.length / SECOND, _together(preview, steps), _full(preview, steps)),
        tasks[:MOST_TASKS],
        [PreviewedRun.of(run) for run in preview.runs[:MOST_RUNS]],
        [PreviewedCollision.of(found) for found in preview.collisions[:MOST_TOLD]],
        [PreviewedFull.of(found) for found in longest[:MOST_TOLD]],
        list(preview.left_out[:MOST_TOLD]),
        preview.unseen,
        max(0, len(tasks) - MOST_TASKS),
    )


class _Steps:
    """Steps of one length from before `since` until `until`, of which each begins with a whole step of its day."""

    def __init__(self, since: int, until: int, zone: tzinfo) -> None:
        fitting = (step for step in _STEPS if (until - since) / step <= MOST_STEPS - 1)
        self.length = next(fitting, _STEPS[-1])
        offset = (to_datetime(since).astimezone(zone).utcoffset() or timedelta()) // timedelta(microseconds=1)
        self.since = since - (since + offset) % self.length
        self.count = max(1, -(-(until - self.since) // self.length))

    def of(self, wall: int) -> int:
        """In which step a moment lies."""
        return min(self.count - 1, max(0, (wall - self.since) // self.length))


def _tasks(preview: Preview, steps: _Steps) -> list[PreviewedTask]:
    runs: dict[str, list[ComingRun]] = {}
    for run in preview.runs:
        runs.setdefault(run.task, []).append(run)
    skipped: dict[str, dict[str, int]] = {}
    for (task, reason), count in preview.skipped.items():
        skipped.setdefault(task, {})[reason] = count
    return [_task(preview, task, runs.get(task, []), skipped.get(task, {}), steps) for task in {**runs, **skipped}]


def _task(preview: Preview, task: str, runs: list[ComingRun], skipped: dict[str, int], steps: _Steps) -> PreviewedTask:
    length = preview.lengths.get(task)
    counts = Counter(steps.of(run.start) for run in runs)
    return PreviewedTask(
        task,
        len(runs),
        rfc3339(runs[0].start) if runs else None,
        None if length is None else length / SECOND,
        [counts[step] for step in range(steps.count)],
        skipped,
    )


def _together(preview: Preview, steps: _Steps) -> list[int]:
    most = [0] * steps.count
    for collision in preview.collisions:
        for moment in collision.moments:
            step = steps.of(moment)
            most[step] = max(most[step], len(collision.tasks))
    return most


def _full(preview: Preview, steps: _Steps) -> list[float]:
    taken = [0] * steps.count
    for full in preview.full:
        for step in range(steps.of(full.since), steps.of(full.until) + 1):
            begin = steps.since + step * steps.length
            taken[step] += max(0, min(full.until, begin + steps.length) - max(full.since, begin))
    return [round(part / steps.length, 3) for part in taken]
