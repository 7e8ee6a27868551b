"""Keeps the history in a store bounded, where nobody else does."""

from contextlib import suppress

from dms.background_tasks.store import ExecutionStore
from dms.instant import SECOND, Instant

BETWEEN = 3_600 * SECOND
"""Least time between two looks."""

OLDEST = 90 * 86_400 * SECOND
"""Executions that ended longer ago than this go, as on a node that is not told otherwise."""

NO_AGE = 10_000 * 366 * 86_400 * SECOND
"""More than any execution's age: none goes for being old, since a clock that is not trusted can't tell."""


class HistoryBound:
    """Has a store let go of what is too old or too much, at the start and then about once an hour, as long as anything
    happens at all. A store that can't do so now is asked again the next time; that it fails shows at the next save."""

    def __init__(self, store: ExecutionStore, max_count: int) -> None:
        self._store, self.max_count = store, max_count
        self._due = 0

    def look(self, now: Instant) -> None:
        """See whether it is time again."""
        if now.boot >= self._due:
            self._due = now.boot + BETWEEN
            with suppress(Exception):  # a third party's store that raises must not end the turn
                self._store.retain(OLDEST if now.trusted else NO_AGE, self.max_count, now.wall)
