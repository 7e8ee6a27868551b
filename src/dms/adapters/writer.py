"""The writer: one thread that commits whatever has come since its last commit, in the order in which it came."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Any

import apsw

from dms.adapters.database import BUSY_TIMEOUT, store_error
from dms.adapters.record import Row, encode_definition, encode_pause, encode_state, row_of
from dms.adapters.retention import Retention
from dms.background_tasks.store import Change, DropTask, PutExecution, PutLife, PutSchedulerPause, PutState, PutTask
from dms.errors import StoreError

MOST_SAVES = 1_000
"""Saves that share one commit at most."""

CHECKPOINT_PAGES = 2_000
"""Pages in the write-ahead log (8 MB) from which it is copied into the database after a commit."""

RESTART_PAGES = 8_000
"""Pages (32 MB) from which the copying also waits, a moment, for readers, so that the log starts over."""

FRAME = 4_096 + 24
"""Bytes that a page takes in the write-ahead log."""

_RESTART_PATIENCE = 200
_PUT_EXECUTION = """
INSERT INTO execution VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (number) DO UPDATE SET
    status = excluded.status, due = excluded.due, started = excluded.started, ended = excluded.ended,
    detail = excluded.detail
"""
_PUT_TASK = """
INSERT INTO task VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET
    name = excluded.name, definition = excluded.definition, state = excluded.state
"""
_PUT_STATE = "UPDATE task SET state = ? WHERE id = ?"
_DROP_TASK = "DELETE FROM task WHERE id = ?"
_PUT_PAUSE = "UPDATE node SET pause = ?"
_PUT_LIFE = """
INSERT INTO life VALUES (?, ?, ?, ?) ON CONFLICT (start) DO UPDATE SET
    began = excluded.began, seen = excluded.seen, stopped = excluded.stopped
"""

# A group of saves that meets one of these would meet it save by save too.
_HOPELESS = (
    apsw.FullError,
    apsw.IOError,
    apsw.BusyError,
    apsw.ReadOnlyError,
    apsw.CantOpenError,
    apsw.CorruptError,
    apsw.NotADBError,
)

Statement = tuple[str, tuple[Any, ...]]


class _Save:
    __slots__ = ("changes", "future")

    def __init__(self, changes: "Sequence[Change | Statement]") -> None:
        self.changes = changes
        self.future: Future[None] = Future()
        self.future.set_running_or_notify_cancel()  # what is queued is written, whoever stops waiting for it


class Writer:
    """Owns the one connection that writes. Its thread is a daemon: a disk that hangs can't hold the process."""

    def __init__(self, connection: apsw.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path
        self._queue: SimpleQueue[_Save | Retention | None] = SimpleQueue()
        self._lock = Lock()
        self._closed = False
        self.commits = self.written = self._logged_pages = 0
        self._restart_at = RESTART_PAGES
        connection.set_wal_hook(self._committed)
        self._thread = Thread(target=self._run, name="dms-store-writer", daemon=True)
        self._thread.start()

    def save(self, changes: Sequence[Change | Statement]) -> Future[None]:
        """Queue changes, or statements of another room; the future is done once they are on disk."""
        save = _Save(changes)
        if not self._put(save):
            save.future.set_exception(StoreError(f"{self._path} is closed; nothing of this was written"))
        return save.future

    def retain(self, retention: Retention) -> Future[int]:
        """Queue a retention; saves that come meanwhile are written between its steps."""
        if not self._put(retention):
            retention.future.set_exception(StoreError(f"{self._path} is closed"))
        return retention.future

    def close(self, timeout: float) -> bool:
        """Write what is queued and let the file go; False where that took longer than `timeout` seconds."""
        with self._lock:
            self._closed = True
            self._queue.put(None)
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _put(self, job: _Save | Retention) -> bool:
        with self._lock:
            if not self._closed:
                self._queue.put(job)
            return not self._closed

    def _run(self) -> None:
        retentions: list[Retention] = []
        open_ = True
        while open_:
            saves, others = self._drain(wait=not retentions)
            if saves:
                self._commit(saves)
                self._checkpoint()
            open_ = None not in others
            retentions += [job for job in others if job is not None]
            if retentions and not self._step(retentions[0]):
                del retentions[0]
        for retention in retentions:
            retention.stop()
        self._close()

    def _drain(self, wait: bool) -> tuple[list[_Save], list[Retention | None]]:
        """What has come, up to the bound or to the end; waits for a first one where told to."""
        saves: list[_Save] = []
        others: list[Retention | None] = []
        get = self._queue.get
        try:
            job = get(wait)
            while True:
                if isinstance(job, _Save):
                    saves.append(job)
                else:
                    others.append(job)
                if len(saves) == MOST_SAVES or job is None:
                    return saves, others
                job = get(False)
        except Empty:
            return saves, others

    def _commit(self, saves: Sequence[_Save]) -> None:
        """Commit them together; where one is at fault, each by itself. Futures end in the order of the saves."""
        try:
            with self._transaction():
                self._apply([change for save in saves for change in save.changes])
        except Exception as error:  # noqa: BLE001 - whatever it is, its callers get it and the thread lives on
            if len(saves) == 1 or isinstance(error, _HOPELESS):
                _fail(saves, self._explained(error))
                self._give_back_room(error)
                return
            for save in saves:
                self._commit([save])
        else:
            for save in saves:
                save.future.set_result(None)

    def _apply(self, changes: Sequence[Change | Statement]) -> None:
        rows: list[Row] = []
        statements: list[Statement] = []
        for change in changes:
            if type(change) is PutExecution:
                rows.append(row_of(change.execution))
            else:
                statements.append(_statement(change))
        if rows:
            self._connection.executemany(_PUT_EXECUTION, rows)
        for sql, group in groupby(statements, key=lambda statement: statement[0]):
            self._connection.executemany(sql, [bindings for _, bindings in group])

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """BEGIN IMMEDIATE, so that it waits its turn where another program writes, and one that reads first too."""
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            connection.execute("COMMIT")
            self.commits += 1
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")

    def _step(self, retention: Retention) -> bool:
        """One step of a retention; whether there is more of it."""
        try:
            with self._transaction():
                more = retention.step(self._connection)
        except Exception as error:  # noqa: BLE001 - whatever it is, its caller gets it and the thread lives on
            retention.fail(self._explained(error))
            return False
        self._checkpoint()
        if not more:
            retention.finish()
        return more

    def _explained(self, error: Exception) -> StoreError:
        explained = store_error(error, self._path)
        explained.__cause__ = error
        return explained

    def _committed(self, connection: apsw.Connection, _name: str, pages: int) -> int:
        self.written = FRAME * connection.status(apsw.SQLITE_DBSTATUS_CACHE_WRITE)[0]
        self._logged_pages = pages
        return apsw.SQLITE_OK

    def _checkpoint(self) -> None:
        """Keep the write-ahead log short, after the futures are done: nobody waits for it. A reader outside that holds
        on to an old state is waited for once each RESTART_PAGES only."""
        pages, self._logged_pages = self._logged_pages, 0
        if pages < CHECKPOINT_PAGES:
            return
        if pages < RESTART_PAGES:
            self._restart_at = RESTART_PAGES
        restart = pages >= self._restart_at
        if restart:
            self._restart_at = pages + RESTART_PAGES
        self._copy_log(apsw.SQLITE_CHECKPOINT_TRUNCATE if restart else apsw.SQLITE_CHECKPOINT_PASSIVE)

    def _give_back_room(self, error: Exception) -> None:
        """On a full disk the log's own room may be all that the next save needs."""
        if isinstance(error, apsw.FullError):
            self._copy_log(apsw.SQLITE_CHECKPOINT_TRUNCATE)

    def _copy_log(self, mode: int) -> None:
        self._connection.set_busy_timeout(_RESTART_PATIENCE)
        try:
            self._connection.wal_checkpoint(mode=mode)
        except apsw.Error:
            pass  # the next commit tries again, and fails by itself where the disk is at fault
        finally:
            self._connection.set_busy_timeout(BUSY_TIMEOUT)

    def _close(self) -> None:
        self._copy_log(apsw.SQLITE_CHECKPOINT_TRUNCATE)
        self._connection.close()


def _statement(change: Change | Statement) -> Statement:
    match change:
        case tuple():
            return change
        case PutTask(task):
            return _PUT_TASK, (task.id, task.name, encode_definition(task), encode_state(task.state))
        case PutState(task_id, state):
            return _PUT_STATE, (encode_state(state), task_id)
        case DropTask(task_id):
            return _DROP_TASK, (task_id,)
        case PutLife(life):
            return _PUT_LIFE, (life.start, life.began, life.seen, life.stopped)
        case PutSchedulerPause(pause):
            return _PUT_PAUSE, (encode_pause(pause),)
    raise StoreError(f"{change!r} is not a change that a store keeps")


def _fail(saves: Sequence[_Save], error: StoreError) -> None:
    for save in saves:
        save.future.set_exception(error)
