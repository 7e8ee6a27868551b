"""Keeps the history in a store bounded, and what its executions said with it."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress

from dms.background_tasks.running.transcript import Transcripts
from dms.background_tasks.store import ExecutionStore
from dms.instant import SECOND, Instant

BETWEEN = 3_600 * SECOND
"""Least time between two looks."""

OLDEST = 90 * 86_400 * SECOND
"""Executions that ended longer ago than this go, as on a node that is not told otherwise."""

NO_AGE = 10_000 * 366 * 86_400 * SECOND
"""More than any execution's age: none goes for being old, since a clock that is not trusted can't tell."""


Retain = Callable[[int, int, int], object]
"""Lets go of what ended more than so many microseconds before a moment, or beyond so many of a task; what `history_of`
gives."""


def history_of(store: ExecutionStore | None, transcripts: Transcripts | None) -> "Callable[..., Future[int]]":
    """What lets go of executions, and of their transcripts once they are gone; gives how many executions went."""

    def retain(max_age: int, max_count: int, now: int, max_size: int | None = None) -> "Future[int]":
        if store is None:
            gone: Future[int] = Future()
            gone.set_result(0)
        else:
            gone = store.retain(max_age, max_count, now, max_size)
        if transcripts is not None:
            gone.add_done_callback(lambda _: _retain_transcripts(store, transcripts, max_age, max_count))
        return gone

    return retain


def _retain_transcripts(store: ExecutionStore | None, transcripts: Transcripts, max_age: int, max_count: int) -> None:
    if store is None:
        transcripts.retain({}, max_age, max_count)
        return

    def follow(oldest: "Future[Mapping[str, str]]") -> None:
        if oldest.exception() is None:
            transcripts.retain(oldest.result(), max_age, max_count)

    store.oldest().add_done_callback(follow)


class HistoryBound:
    """Has old or too much history let go of, at the start and then about once an hour, as long as anything happens at
    all. A store that can't do so now is asked again the next time; that it fails shows at the next save."""

    def __init__(self, retain: Retain, max_count: int) -> None:
        self._retain, self.max_count = retain, max_count
        self._due = 0

    def look(self, now: Instant) -> None:
        """See whether it is time again."""
        if now.boot >= self._due:
            self._due = now.boot + BETWEEN
            with suppress(Exception):  # a third party's store that raises must not end the turn
                self._retain(OLDEST if now.trusted else NO_AGE, self.max_count, now.wall)
