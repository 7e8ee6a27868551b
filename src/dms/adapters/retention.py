"""Retention: old executions go, in steps so small that saves pass between them."""

from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import apsw

from dms.errors import StoreError

ROW = 100
"""Bytes that an execution takes beside its name and its detail, in its table and two indexes; about."""

_ROWS_A_STEP = 500

_NEXT_TASK = "SELECT task FROM execution WHERE task > ? ORDER BY task LIMIT 1"
_OLDEST_TO_KEEP = "SELECT number FROM execution WHERE task = ? ORDER BY number DESC LIMIT 1 OFFSET ?"
_DROP_BEFORE = """
DELETE FROM execution WHERE number IN (
    SELECT number FROM execution
    WHERE task = ? AND number < ? AND status NOT IN ('waiting', 'starting', 'running') ORDER BY number LIMIT ?
)
"""
_NEXT_ROWS = """
SELECT number, task, ended < ? AND status NOT IN ('waiting', 'starting', 'running')
FROM execution WHERE number > ? ORDER BY number LIMIT ?
"""
_DROP_UNLESS_LAST = """
DELETE FROM execution WHERE number = ?1 AND NOT (
    EXISTS (SELECT 1 FROM task WHERE name = ?2)
    AND number = (SELECT number FROM execution WHERE task = ?2 ORDER BY number DESC LIMIT 1)
)
"""
_ROWS_LOOKED_AT = 5_000
_USED = """
SELECT page_size * (page_count - freelist_count) FROM pragma_page_size, pragma_page_count, pragma_freelist_count
"""
_SIZES = f"""
SELECT number, length(detail) + length(task) + {ROW} FROM execution WHERE number < ? ORDER BY number DESC LIMIT ?
"""
_FINAL_UNTIL = """
SELECT number, task FROM execution
WHERE number > ? AND number <= ? AND status NOT IN ('waiting', 'starting', 'running') ORDER BY number LIMIT ?
"""
_HIGHEST = (1 << 63) - 1


class Retention:
    """One pass over the executions: first those beyond `max_count` of each task, then those that ended before
    `cutoff` (wall microseconds), then the oldest of all while they take more than `max_size` bytes together (None:
    whatever they take). The last execution of a task that still exists stays however old it is."""

    def __init__(self, cutoff: int, max_count: int, max_size: int | None = None) -> None:
        self._cutoff, self._size = cutoff, max_size
        self._keep = max(max_count, 1)
        self._deleted = 0
        self._steps: Iterator[None] | None = None
        self.future: Future[int] = Future()
        self.future.set_running_or_notify_cancel()

    def step(self, connection: apsw.Connection) -> bool:
        """Delete some, within the caller's transaction; whether there may be more."""
        if self._steps is None:
            self._steps = self._pass(connection)
        before = connection.total_changes()
        more = next(self._steps, self) is None
        self._deleted += connection.total_changes() - before
        return more

    def finish(self) -> None:
        """It is through: give how many went."""
        self.future.set_result(self._deleted)

    def stop(self) -> None:
        """The store closes: what went is gone, the rest waits for the next time."""
        self.finish()

    def fail(self, error: StoreError) -> None:
        """It can't go on."""
        self.future.set_exception(error)

    def _pass(self, connection: apsw.Connection) -> Iterator[None]:
        yield from self._drop_beyond_count(connection)
        yield from self._drop_older(connection)
        if self._size is not None and _rows(connection, _USED)[0][0] > self._size:
            yield from self._drop_beyond_size(connection, self._size)

    def _drop_beyond_size(self, connection: apsw.Connection, left: int) -> Iterator[None]:
        """Look from the newest on how many there is room for; all that is older goes."""
        number = _HIGHEST
        while rows := _rows(connection, _SIZES, number, _ROWS_LOOKED_AT):
            for number, size in rows:
                left -= size
                if left < 0:
                    yield from self._drop_until(connection, number)
                    return
            yield

    def _drop_until(self, connection: apsw.Connection, last: int) -> Iterator[None]:
        number = -1
        while rows := _rows(connection, _FINAL_UNTIL, number, last, _ROWS_A_STEP):
            connection.executemany(_DROP_UNLESS_LAST, rows)
            number = rows[-1][0]
            yield

    def _drop_beyond_count(self, connection: apsw.Connection) -> Iterator[None]:
        """A step ends after so many tasks looked at and rows deleted together."""
        task, left = "", _ROWS_A_STEP
        while task := connection.execute(_NEXT_TASK, (task,)).get:
            while left == (dropped := self._drop_some(connection, task, left)):
                yield
                left = _ROWS_A_STEP
            left -= dropped + 1
            if left < 1:
                yield
                left = _ROWS_A_STEP

    def _drop_some(self, connection: apsw.Connection, task: str, most: int) -> int:
        oldest = connection.execute(_OLDEST_TO_KEEP, (task, self._keep - 1)).get
        if oldest is None:
            return 0
        connection.execute(_DROP_BEFORE, (task, oldest, most))
        return connection.changes()

    def _drop_older(self, connection: apsw.Connection) -> Iterator[None]:
        """Executions are numbered as they begin, so the old ones are in front: a step without any is the last."""
        number = -1
        while rows := self._rows_after(connection, number):
            old = [(row[0], row[1]) for row in rows if row[2]]
            if not old:
                return
            connection.executemany(_DROP_UNLESS_LAST, old)
            number = rows[-1][0]
            yield

    def _rows_after(self, connection: apsw.Connection, number: int) -> list[Any]:
        return _rows(connection, _NEXT_ROWS, self._cutoff, number, _ROWS_A_STEP)


def _rows(connection: apsw.Connection, sql: str, *bindings: int) -> list[Any]:
    return connection.execute(sql, bindings).fetchall()
