"""SqliteStore: tasks and executions in one SQLite file that a kill or a power cut can't harm."""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from datetime import timedelta
from pathlib import Path
from typing import Any

import apsw
import msgspec

from dms.adapters.database import check_pages, connect, discard, has_log, inspect, store_error
from dms.adapters.migration import migrate
from dms.adapters.reader import Reader
from dms.adapters.record import COLUMNS, decode_pause, decode_task, execution_of, id_of
from dms.adapters.retention import Retention
from dms.adapters.writer import Writer
from dms.background_tasks.bulk import without_collecting
from dms.background_tasks.store import LIVES, Change, Life, Query, Stored
from dms.background_tasks.tasks.task import Execution
from dms.errors import Misuse, StoreError
from dms.instant import parse_duration

_TASKS = "SELECT id, name, definition, state FROM task ORDER BY id"
_UNFINISHED = f"""
SELECT {COLUMNS} FROM execution WHERE status IN ('waiting', 'starting', 'running') ORDER BY number
"""
# A name is taken by one task at a time, so the newest execution under it is the task's own or from before its time.
_LAST = f"""
SELECT {COLUMNS} FROM task CROSS JOIN execution
ON execution.number = (SELECT number FROM execution WHERE task = task.name ORDER BY number DESC LIMIT 1)
WHERE execution.task_id = task.id
"""
_HIGHEST_TASK_ID = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'task'"
_LIVES = "SELECT start, began, seen, stopped FROM life ORDER BY start"
_FORGET_LIVES = "DELETE FROM life WHERE start <= ?"
# The next one by the index each time, not all of them grouped: a million executions are few tasks.
_OLDEST = """
WITH RECURSIVE oldest (task, number) AS (
    SELECT * FROM (SELECT task, number FROM execution ORDER BY task, number LIMIT 1)
    UNION ALL
    SELECT next.task, next.number FROM oldest JOIN execution AS next
    ON next.number = (SELECT number FROM execution WHERE task > oldest.task ORDER BY task, number LIMIT 1)
)
SELECT task, number FROM oldest
"""
_COUNT_START = "UPDATE node SET starts = starts + 1 RETURNING starts"


class SqliteStore:
    """An ExecutionStore in the file `path` (made with mode 0600 where there is none), open from `load` to `close`.

    A saved change survives a kill of the process and a power cut once its future is done (write-ahead log, synchronous
    FULL); saves that come together share a commit. `close_timeout` is how long `close` waits for the disk, for all
    that is still queued. See docs/reference/store.md for the schema.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, close_timeout: timedelta | str | float = timedelta(seconds=5)
    ) -> None:
        self._path = Path(path).absolute()
        self._close_timeout = parse_duration(close_timeout, "close_timeout").total_seconds()
        self._writer: Writer | None = None
        self._reader: Reader | None = None
        self._connection: apsw.Connection | None = None
        self._keep_log = False

    def open(self) -> apsw.Connection:
        """Open the file, and give the connection until `load`, which is for whoever keeps something else in the file
        and needs it first. StoreTooNew and StoreBroken refuse a file and leave it as it was; StoreError says why it
        can't be opened. Misuse where it is open already."""
        if self._connection is not None or self._writer is not None:
            raise Misuse("open: the store is open; close it first")
        try:
            inspect(self._path)
            self._keep_log = has_log(self._path)
            self._connection = connect(self._path)
            check_pages(self._connection, self._path)
            return self._connection
        except (apsw.Error, OSError, StoreError) as error:
            self._discard()
            raise store_error(error, self._path) from error

    def load(self) -> Stored:
        """What is in the file, which is opened where it isn't yet; counts the start, durably. Errors as of `open`."""
        if self._writer is not None:
            raise Misuse("load: the store is open; close it first")
        connection = self.open() if self._connection is None else self._connection
        try:
            return self._begin(connection)
        except (apsw.Error, OSError, StoreError) as error:
            self._discard()
            raise store_error(error, self._path) from error

    @property
    def writer(self) -> Writer:
        """What writes into the file between `load` and `close`. StoreError where it is not open."""
        if self._writer is None:
            raise self._closed()
        return self._writer

    @property
    def reader(self) -> Reader:
        """What reads from the file between `load` and `close`. StoreError where it is not open."""
        if self._reader is None:
            raise self._closed()
        return self._reader

    @property
    def commits(self) -> int:
        """How many transactions were committed since `load`."""
        return 0 if self._writer is None else self._writer.commits

    @property
    def written(self) -> int:
        """How many bytes were written into the write-ahead log since it was opened; each page that is in it goes once
        more into the file, now and then."""
        return 0 if self._writer is None else self._writer.written

    def save(self, changes: Sequence[Change]) -> Future[None]:
        """Write the changes in one transaction, in the order of the calls; on disk when the future is done.
        The future fails with a StoreError, and then nothing of it was written. Cancelling it changes nothing."""
        if self._writer is None:
            return self._not_open()
        return self._writer.save(changes)

    def executions(self, query: Query) -> Future[list[Execution]]:
        """Look executions up, by a reader that waits for no writer. NotFound where `before` names none."""
        if self._reader is None:
            return self._not_open()
        return self._reader.executions(query)

    def retain(self, max_age: int, max_count: int, now: int, max_size: int | None = None) -> Future[int]:
        """Delete final executions that ended more than `max_age` microseconds before `now` (wall) or beyond the newest
        `max_count` of their task, and then the oldest while all take more than `max_size` bytes, in small steps between
        saves; never the last of a task that exists. Gives how many."""
        if self._writer is None:
            return self._not_open()
        return self._writer.retain(Retention(now - max_age, max_count, max_size))

    def oldest(self) -> Future[Mapping[str, str]]:
        """The ID of the oldest execution that is kept of each task, by the task's name."""
        if self._reader is None:
            return self._not_open()
        return self._reader.ask(_oldest)

    def close(self) -> None:
        """Write what is still queued, then let the file go. StoreError where the disk takes longer than
        `close_timeout`: what was not acknowledged may be lost."""
        self._discard()
        reader, writer, self._reader, self._writer = self._reader, self._writer, None, None
        if reader is None or writer is None:
            return
        reader.close(self._close_timeout * 0.2)
        if not writer.close(self._close_timeout * 0.8):
            raise StoreError(f"{self._path}: the disk did not take the last changes within {self._close_timeout:g} s")

    def _begin(self, connection: apsw.Connection) -> Stored:
        stored = _read(connection)
        migrate(connection, self._path)
        connection.pragma("journal_mode", "wal")
        starts: Any = connection.execute(_COUNT_START).fetchall()[0][0]
        connection.execute(_FORGET_LIVES, (starts - LIVES,)).fetchall()
        rows: list[Any] = connection.execute(_LIVES).fetchall()
        lives = [Life(start, began, seen, bool(stopped)) for start, began, seen, stopped in rows]
        self._reader = Reader(self._path)
        self._writer, self._connection = Writer(connection, self._path), None
        return msgspec.structs.replace(stored, starts=starts, lives=lives)

    def _discard(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            discard(connection, self._keep_log)

    def _closed(self) -> StoreError:
        return StoreError(f"{self._path} is not open; call load() first")

    def _not_open(self) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_exception(self._closed())
        return future


def _oldest(connection: apsw.Connection) -> dict[str, str]:
    return {task: id_of(number) for task, number in connection.execute(_OLDEST)}


def _read(connection: apsw.Connection) -> Stored:
    """All of it, as of one moment."""
    connection.execute("BEGIN")
    try:
        with without_collecting():
            return Stored(
                tasks=[decode_task(row) for row in connection.execute(_TASKS)],
                unfinished=[execution_of(row) for row in connection.execute(_UNFINISHED)],
                last={row[2]: execution_of(row) for row in connection.execute(_LAST)},
                highest_task_id=connection.execute(_HIGHEST_TASK_ID).get,
                starts=0,
                pause=decode_pause(connection.execute("SELECT pause FROM node").get),
            )
    finally:
        connection.execute("ROLLBACK")
