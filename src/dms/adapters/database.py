"""The database file: looked at before it is touched, opened, made; and what its errors mean."""

import os
import struct
from collections.abc import Iterator
from pathlib import Path

import apsw

from dms.errors import StoreBroken, StoreError, StoreTooNew

SCHEMA_VERSION = 3
"""What this DMS writes into `PRAGMA user_version`; it goes up with each change of the schema."""

APPLICATION_ID = 0x444D5331
"""`DMS1`, in `PRAGMA application_id`: whose file it is."""

BUSY_TIMEOUT = 5_000
"""Milliseconds that a transaction waits for another program's."""

CACHE = 4_096
"""KiB of pages that the writer keeps in memory at most, so that indexes of a million rows stay quick."""

LOG_LIMIT = 32 * 1024 * 1024
"""Bytes to which the write-ahead log shrinks once what made it greater (a reader outside that got stuck) is gone."""

MOST_CHECKED = 8 * 1024 * 1024
"""Bytes of a file that is checked whole at its opening: about 15 ms."""

_REVISIONS = """
CREATE TABLE config_revision (
    number INTEGER PRIMARY KEY, at INTEGER NOT NULL, author TEXT NOT NULL, reason TEXT NOT NULL, hash TEXT NOT NULL,
    detail BLOB NOT NULL
) STRICT;
"""
_LIVES = """
CREATE TABLE life (
    start INTEGER PRIMARY KEY, began INTEGER NOT NULL, seen INTEGER NOT NULL, stopped INTEGER NOT NULL
) STRICT;
"""
MIGRATIONS = {1: _REVISIONS, 2: _LIVES}
"""What makes a version of the schema the next one."""

# A number orders executions by start of the process and then by counter (see record.py), so that it serves as row ID
# and as the tail of every index. AUTOINCREMENT remembers the highest task ID ever given.
_SCHEMA = f"""
CREATE TABLE node (
    id INTEGER PRIMARY KEY CHECK (id = 1), starts INTEGER NOT NULL, pause BLOB
) STRICT;
INSERT INTO node VALUES (1, 0, NULL);
CREATE TABLE task (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, definition BLOB NOT NULL, state BLOB NOT NULL
) STRICT;
CREATE INDEX task_by_name ON task (name);
CREATE TABLE execution (
    number INTEGER PRIMARY KEY, task TEXT NOT NULL, task_id INTEGER NOT NULL, status TEXT NOT NULL,
    due INTEGER NOT NULL, started INTEGER, ended INTEGER, detail BLOB NOT NULL
) STRICT;
CREATE INDEX execution_by_task ON execution (task);
CREATE INDEX execution_unfinished ON execution (number) WHERE status IN ('waiting', 'starting', 'running');
{_REVISIONS}
{_LIVES}
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {SCHEMA_VERSION};
"""

_MAGIC = b"SQLite format 3\0"
_HEADER = struct.Struct(">16sH10xI28xI4xI28x")
_WAL_HEADER = struct.Struct(">8xI4x8s8x")
_WAL_FRAME = struct.Struct(">I4x8s8x")


def inspect(path: Path) -> None:
    """Refuse, without touching anything, a file that can't be this DMS's database: StoreTooNew for a newer schema,
    also one that a crash left in the write-ahead log only; StoreBroken for what is no database, not ours, or cut off.
    No file and an empty one are fine: the database is made there.
    """
    try:
        if not path.exists() or not path.stat().st_size:
            return
        header, size = _read_header(path)
    except (OSError, apsw.Error) as error:
        raise StoreError(f"{path} can't be read: {error}; check who owns it") from None
    logged = list(_logged_headers(path.with_name(path.name + "-wal")))
    _check_header(path, (logged or [header])[-1])
    if not logged:
        _check_size(path, header, size)


def connect(path: Path) -> apsw.Connection:
    """The writer's connection to a file that `inspect` let pass, made with mode 0600 where there is none. The schema
    is made where the file is empty; `migration.py` brings an older one up to date."""
    fresh = _make_file(path)
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    connection.set_busy_timeout(BUSY_TIMEOUT)
    connection.pragma("synchronous", "FULL")
    connection.pragma("cache_size", -CACHE)
    connection.pragma("journal_size_limit", LOG_LIMIT)
    if fresh or not connection.pragma("user_version"):
        _make_schema(connection, path)
    return connection


def copy_of(path: Path, version: int) -> Path:
    """Where the file as it was in an older version of the schema is kept."""
    return path.with_name(f"{path.name}.v{version}")


def check_pages(connection: apsw.Connection, path: Path) -> None:
    """StoreBroken where a page is damaged; looks only at files so small that it takes few milliseconds. In greater ones
    damage shows where it is met."""
    if path.stat().st_size > MOST_CHECKED:
        return
    found = connection.execute("PRAGMA quick_check(1)").get
    if found != "ok":
        words = " ".join(str(found).split())
        raise StoreBroken(f"{path} is damaged ({words}); put a backup in its place, or move it away to start anew")


def connect_reader(path: Path) -> apsw.Connection:
    """A connection that only reads, and waits for no writer."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    connection.set_busy_timeout(BUSY_TIMEOUT)
    return connection


def discard(connection: apsw.Connection, keep_log: bool) -> None:
    """Close a connection to a file that is refused; with `keep_log` its write-ahead log stays as it is too."""
    if keep_log:
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    connection.close()


def has_log(path: Path) -> bool:
    """Whether a crash, or another program, left a write-ahead log beside the file."""
    log = path.with_name(path.name + "-wal")
    return log.exists() and log.stat().st_size > 0


def store_error(error: Exception, path: Path) -> StoreError:
    """What an error of SQLite means for whoever asked, and what to do about it."""
    match error:
        case StoreError():
            return error
        case apsw.FullError():
            return StoreError(f"no room left on the disk for {path}; free some: nothing of this was written")
        case apsw.CorruptError() | apsw.NotADBError():
            return StoreBroken(f"{path} is damaged ({error}); put a backup in its place, or move it away to start anew")
        case apsw.BusyError() | apsw.LockedError():
            return StoreError(f"{path}: another program holds it for more than {BUSY_TIMEOUT // 1000} s; end that one")
        case apsw.ReadOnlyError() | apsw.CantOpenError() | apsw.PermissionsError() | apsw.AuthError():
            return StoreError(f"{path} can't be written ({error}); check who owns it, its folder, and the mount")
    return StoreError(f"{path}: {error}")


def _read_header(path: Path) -> tuple[bytes, int]:
    """The first bytes and the size, by way of SQLite: closing a file that Python opened would drop the locks that
    another connection of this process has on it."""
    file = apsw.VFSFile("", str(path.absolute()), [apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_MAIN_DB, 0])
    try:
        size = file.xFileSize()
        return file.xRead(min(size, _HEADER.size), 0), size
    finally:
        file.xClose()


def _logged_headers(log: Path) -> Iterator[bytes]:
    """What the write-ahead log has of the database's first page, oldest first: frames whose salt is that of the log
    (https://www.sqlite.org/fileformat2.html#walformat)."""
    if not log.exists():
        return
    with log.open("rb") as file:
        head = file.read(_WAL_HEADER.size)
        if len(head) < _WAL_HEADER.size:
            return
        page_size, salt = _WAL_HEADER.unpack(head)
        while len(frame := file.read(_WAL_FRAME.size)) == _WAL_FRAME.size:
            page, frame_salt = _WAL_FRAME.unpack(frame)
            if frame_salt != salt:
                return
            if page == 1 and len(header := file.read(_HEADER.size)) == _HEADER.size:
                yield header
                file.seek(page_size - _HEADER.size, os.SEEK_CUR)
            else:
                file.seek(page_size, os.SEEK_CUR)


def _check_header(path: Path, header: bytes) -> None:
    if len(header) < _HEADER.size or not header.startswith(_MAGIC):
        raise StoreBroken(f"{path} is not a database; put a backup in its place, or move it away to start anew")
    *_, version, application = _HEADER.unpack(header)
    if application not in (0, APPLICATION_ID) or (application == 0) != (version == 0):
        raise StoreBroken(f"{path} is another program's database; give another data folder, or move it away")
    if version > SCHEMA_VERSION:
        copy = copy_of(path, SCHEMA_VERSION)
        back = (
            f"stop it and put {copy} in its place" if copy.exists() else "restore the copy from before its first start"
        )
        raise StoreTooNew(
            f"{path} has schema version {version}, this DMS knows up to {SCHEMA_VERSION}: a newer DMS wrote it;"
            f" install that one again, or {back}"
        )


def _check_size(path: Path, header: bytes, size: int) -> None:
    _, page_size, pages, *_ = _HEADER.unpack(header)
    expected = pages * (65_536 if page_size == 1 else page_size)
    if size < expected:
        raise StoreBroken(
            f"{path} is cut off: it has {size} of {expected} bytes; put a backup in its place, or move it away"
        )


def _make_file(path: Path) -> bool:
    """Whether the file had to be made."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        return False
    except FileNotFoundError:
        raise StoreError(f"{path} can't be made: there is no folder {path.parent}; make it or name another") from None
    except OSError as error:
        raise StoreError(
            f"{path} can't be made: {error.strerror}; check who owns {path.parent}, and its mount"
        ) from None
    return True


def _make_schema(connection: apsw.Connection, path: Path) -> None:
    if connection.execute("SELECT count(*) FROM sqlite_schema").get:
        raise StoreBroken(f"{path} is another program's database; give another data folder, or move it away")
    connection.pragma("journal_mode", "wal")
    connection.execute("BEGIN IMMEDIATE")
    try:
        if not connection.pragma("user_version"):
            connection.execute(_SCHEMA).fetchall()
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
