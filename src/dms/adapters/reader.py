"""The reader: one thread that answers queries from a connection of its own, and waits for no writer."""

from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any, Generic, TypeVar

import apsw

from dms.adapters.database import connect_reader, store_error
from dms.adapters.record import COLUMNS, execution_of, number_of
from dms.background_tasks.store import Query
from dms.background_tasks.tasks.task import Execution
from dms.errors import DmsError, NotFound, StoreError

T = TypeVar("T")

_HIGHEST = 2**63 - 1
_OF_ALL = f"SELECT {COLUMNS} FROM execution WHERE number < ?2 ORDER BY number DESC LIMIT ?3"
_OF_TASK = f"SELECT {COLUMNS} FROM execution WHERE task = ?1 AND number < ?2 ORDER BY number DESC LIMIT ?3"
_EXISTS = "SELECT 1 FROM execution WHERE number = ?"


Answering = Callable[[apsw.Connection], T]
"""Looks something up, on the reader's connection."""


class _Question(Generic[T]):
    __slots__ = ("answering", "future")

    def __init__(self, answering: Answering[T]) -> None:
        self.answering = answering
        self.future: Future[T] = Future()
        self.future.set_running_or_notify_cancel()


class Reader:
    """Takes each answer whole, so that no slow caller keeps an old state of the file alive (and with it the
    write-ahead log)."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection = connect_reader(path)
        self._queue: SimpleQueue[_Question[Any] | None] = SimpleQueue()
        self._lock = Lock()
        self._closed = False
        self._thread = Thread(target=self._run, name="dms-store-reader", daemon=True)
        self._thread.start()

    def executions(self, query: Query) -> Future[list[Execution]]:
        """Queue a query."""
        return self.ask(lambda connection: _answer(connection, query))

    def ask(self, answering: Answering[T]) -> Future[T]:
        """Queue a question about anything in the file."""
        question = _Question(answering)
        with self._lock:
            if not self._closed:
                self._queue.put(question)
                return question.future
        question.future.set_exception(StoreError(f"{self._path} is closed"))
        return question.future

    def close(self, timeout: float) -> bool:
        """Answer what is queued; False where that took longer than `timeout` seconds, and then it is interrupted."""
        with self._lock:
            self._closed = True
            self._queue.put(None)
        self._thread.join(timeout)
        if self._thread.is_alive():
            self._connection.interrupt()
        return not self._thread.is_alive()

    def _run(self) -> None:
        while question := self._queue.get():
            try:
                question.future.set_result(question.answering(self._connection))
            except DmsError as error:
                question.future.set_exception(error)
            except Exception as error:  # noqa: BLE001 - whatever it is, its caller gets it and the thread lives on
                question.future.set_exception(store_error(error, self._path))
        self._connection.close()


def _answer(connection: apsw.Connection, query: Query) -> list[Execution]:
    before = _HIGHEST if query.before is None else _number_of(connection, query.before)
    sql = _OF_ALL if query.task is None else _OF_TASK
    rows: list[Any] = connection.execute(sql, (query.task, before, max(query.limit, 0))).fetchall()
    return [execution_of(row) for row in rows]


def _number_of(connection: apsw.Connection, execution_id: str) -> int:
    try:
        number = number_of(execution_id)
    except ValueError as error:
        raise NotFound(f"before: {error}") from None
    if connection.execute(_EXISTS, (number,)).get is None:
        raise NotFound(f"before: there is no execution {execution_id}, or its history is no longer kept")
    return number
