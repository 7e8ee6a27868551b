"""Brings a file of an older schema up to date: first a copy of it, then one transaction."""

import os
from pathlib import Path

import apsw

from dms.adapters.database import MIGRATIONS, SCHEMA_VERSION, copy_of


def migrate(connection: apsw.Connection, path: Path) -> None:
    """Bring the schema to this DMS's version, in one transaction: a crash leaves the old one whole. The file as it was
    is kept beside it until the next migration, for whoever goes back to the older DMS (see `copy_of`)."""
    version: int = connection.pragma("user_version")
    if version == SCHEMA_VERSION:
        return
    _copy(connection, copy_of(path, version))
    _change(connection, version)
    for older in range(1, version):
        copy_of(path, older).unlink(missing_ok=True)


def _copy(connection: apsw.Connection, copy: Path) -> None:
    """All of the file, with what is in its log; under its name once it is whole and on disk, else not at all."""
    unfinished = copy.with_name(copy.name + ".unfinished")
    unfinished.unlink(missing_ok=True)
    os.close(os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    try:
        to = apsw.Connection(str(unfinished))
        try:
            with to.backup("main", connection, "main") as backup:
                backup.step()
        finally:
            to.close()
        os.replace(unfinished, copy)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    _sync(copy.parent)


def _change(connection: apsw.Connection, version: int) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        for step in range(version, SCHEMA_VERSION):
            connection.execute(MIGRATIONS[step]).fetchall()
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}").fetchall()
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _sync(folder: Path) -> None:
    """That the copy has its name is on disk too."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
