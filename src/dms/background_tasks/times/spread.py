"""What was missed while nothing ran is not made up for at once when the process starts: a fleet that gets its power
back would do it all in the same second. Pure.
"""

from dms.background_tasks.times.timetable import Timetable, share_of
from dms.instant import Instant, microseconds


class Spread:
    """Each task has its own share of `length` microseconds from the start of the process on, by its name and the
    `seed` of the node, the same at every start. `new` are the IDs of one-time tasks that are seen for the first time:
    they have missed nothing."""

    __slots__ = ("_began", "_length", "_seed", "end", "new")

    def __init__(self, length: int, seed: str, now: Instant) -> None:
        self._length, self._seed, self._began = length, seed, now.boot
        self.end = now.boot + length
        self.new: set[int] = set()

    def put_off(self, timetable: Timetable, now: Instant) -> int | None:
        """Until when (boot time) a timetable waits that has come due; None where it doesn't. What came in this process
        is on time, what comes next by itself is not late because of what came before, and nothing is put off until its
        window is over."""
        first = timetable.first(now)
        if now.wall - first <= now.boot - self._began or timetable.owner.id in self.new:
            return None
        task = timetable.owner.task
        until = self._began + share_of(self._length, f"{self._seed}:{task.name}", 0)
        following = timetable.following(now.ahead(self._began - now.boot))
        if following is not None:
            until = min(until, following)
        if task.catch_up_window is not None:
            latest = timetable.latest(first - 1, now.wall, now) or first
            until = min(until, latest + microseconds(task.catch_up_window) - now.wall + now.boot)
        return until if until > now.boot else None
