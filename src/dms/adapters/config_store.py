"""Where a node keeps the revisions of its configuration: in its one SQLite file, or in memory."""

from concurrent.futures import Future
from typing import Any, TypeVar

import apsw
import msgspec

from dms.adapters.reader import Answering
from dms.adapters.sqlite import SqliteStore
from dms.config.overrides import Override
from dms.config.store import RecordedChange, Revision
from dms.errors import NotFound, StoreBroken, StoreError

KEPT = 200
"""Revisions that are kept."""

FORMAT = 2
"""The number that each revision's detail begins with, so that a later DMS can read what this one wrote: a JSON array.
Format 1 was the same as MessagePack, which holds no integer beyond 64 bits."""

_COLUMNS = "number, at, author, reason, hash, detail"
_NEWEST = f"SELECT {_COLUMNS} FROM config_revision ORDER BY number DESC LIMIT 1"
_BEFORE = f"SELECT {_COLUMNS} FROM config_revision WHERE number < ? ORDER BY number DESC LIMIT ?"
_ONE = f"SELECT {_COLUMNS} FROM config_revision WHERE number = ?"
_PUT = "INSERT INTO config_revision VALUES (?, ?, ?, ?, ?, ?)"
_DROP_OLD = "DELETE FROM config_revision WHERE number <= ?"
_HAS_TABLE = "SELECT 1 FROM sqlite_schema WHERE name = 'config_revision'"
_HIGHEST = 2**63 - 1

T = TypeVar("T")

Row = tuple[int, int, str, str, str, bytes]


class _Detail(msgspec.Struct, array_like=True, frozen=True):
    format: int
    changes: list[RecordedChange]
    overrides: list[Override]
    effective: dict[str, Any]


class SqliteConfigStore:
    """A ConfigStore in the file of a SqliteStore, written by that one's thread. `newest` is asked between the store's
    `open` and its `load`, all else between `load` and `close`."""

    def __init__(self, store: SqliteStore, connection: apsw.Connection) -> None:
        self._store, self._connection = store, connection

    def newest(self) -> Revision | None:
        """The newest revision; None where there is none, as in a file that an older DMS made."""
        try:
            if self._connection.execute(_HAS_TABLE).get is None:
                return None
            rows: list[Any] = self._connection.execute(_NEWEST).fetchall()
        except apsw.Error as error:
            raise StoreError(f"the configuration's revisions can't be read: {error}") from error
        return _revision_of(rows[0]) if rows else None

    def save(self, revision: Revision) -> Future[None]:
        """Keep a revision, and let go of those beyond the newest so many; in one transaction."""
        try:
            row = _row_of(revision)
            return self._store.writer.save([(_PUT, row), (_DROP_OLD, (revision.number - KEPT,))])
        except StoreError as error:
            return _failed(error)

    def revisions(self, limit: int, before: int | None) -> Future[list[Revision]]:
        """The newest first, at most `limit`, older than the number `before`."""
        bound = _HIGHEST if before is None else _bounded(before)

        def look_up(connection: apsw.Connection) -> list[Revision]:
            rows: list[Any] = connection.execute(_BEFORE, (bound, max(_bounded(limit), 0))).fetchall()
            return [_revision_of(row) for row in rows]

        return self._ask(look_up)

    def revision(self, number: int) -> Future[Revision]:
        """One revision. NotFound where it is no longer kept, or never was."""

        def look_up(connection: apsw.Connection) -> Revision:
            rows: list[Any] = connection.execute(_ONE, (number,)).fetchall() if abs(number) <= _HIGHEST else []
            if not rows:
                raise _not_kept(number)
            return _revision_of(rows[0])

        return self._ask(look_up)

    def _ask(self, look_up: Answering[T]) -> Future[T]:
        try:
            return self._store.reader.ask(look_up)
        except StoreError as error:
            return _failed(error)


class MemoryConfigStore:
    """A ConfigStore for tests and for programs that want no file; values come back in the form that a file gives."""

    def __init__(self) -> None:
        self._rows: dict[int, Row] = {}

    def newest(self) -> Revision | None:
        """The newest revision, None where there is none."""
        return _revision_of(self._rows[max(self._rows)]) if self._rows else None

    def save(self, revision: Revision) -> Future[None]:
        """Keep a revision; StoreError where its number is taken or it holds what has no plain form."""
        try:
            row = _row_of(revision)
        except StoreError as error:
            return _failed(error)
        if revision.number in self._rows:
            return _failed(StoreError(f"there is a revision {revision.number} already"))
        self._rows[revision.number] = row
        if len(self._rows) > KEPT:
            del self._rows[next(iter(self._rows))]
        return _done(None)

    def revisions(self, limit: int, before: int | None) -> Future[list[Revision]]:
        """The newest first, at most `limit`, older than the number `before`."""
        found = sorted((number for number in self._rows if before is None or number < before), reverse=True)
        return _done([_revision_of(self._rows[number]) for number in found[: max(limit, 0)]])

    def revision(self, number: int) -> Future[Revision]:
        """One revision. NotFound where it is no longer kept, or never was."""
        row = self._rows.get(number)
        return _failed(_not_kept(number)) if row is None else _done(_revision_of(row))


def _row_of(revision: Revision) -> Row:
    """StoreError where it holds what has no plain form."""
    detail = _Detail(FORMAT, revision.changes, revision.overrides, revision.effective)
    try:
        blob = msgspec.json.encode(detail)
    except (TypeError, ValueError, RecursionError) as error:
        raise StoreError(f"revision {revision.number} holds something that can't be kept: {error}") from None
    return revision.number, revision.at, _text(revision.author), _text(revision.reason), revision.hash, blob


def _text(words: str) -> str:
    """Words for people; a half of a character, which UTF-8 can't hold, is written as its escape."""
    return words.encode(errors="backslashreplace").decode()


def _revision_of(row: Row) -> Revision:
    number, at, author, reason, digest, blob = row
    try:
        detail = _decode(blob) if blob.startswith(b"[") else _decode_first(blob)
    except (msgspec.DecodeError, RecursionError) as error:
        raise StoreBroken(f"revision {number} of the configuration can't be read: {error}") from None
    if detail.format > FORMAT:
        raise StoreBroken(f"revision {number} of the configuration is kept in the unknown format {detail.format}")
    return Revision(number, at, author, reason, detail.changes, detail.overrides, detail.effective, digest)


def _bounded(number: int) -> int:
    """The number, or the nearest to it that SQLite holds."""
    return min(max(number, -_HIGHEST), _HIGHEST)


def _not_kept(number: int) -> NotFound:
    return NotFound(
        f"there is no revision {number}, or it is no longer kept; `dms config history` lists those that are"
    )


def _done(value: Any) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_result(value)
    return future


def _failed(error: Exception) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_exception(error)
    return future


_decode = msgspec.json.Decoder(_Detail).decode
_decode_first = msgspec.msgpack.Decoder(_Detail).decode
