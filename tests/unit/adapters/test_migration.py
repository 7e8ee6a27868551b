"""A file of an older schema: it is copied, brought up to date and goes on where it was."""

import signal
import stat
import subprocess
import sys
from pathlib import Path

import apsw
import pytest
from msgspec.structs import replace

from dms.adapters.config_store import SqliteConfigStore
from dms.adapters.database import SCHEMA_VERSION, copy_of
from dms.adapters.record import encode_definition, encode_state, row_of
from dms.adapters.sqlite import SqliteStore
from dms.background_tasks.agenda.agenda import Agenda
from dms.background_tasks.agenda.decision import Save
from dms.background_tasks.agenda.recovery import Memory
from dms.background_tasks.restoring import restore
from dms.background_tasks.store import PutTask, StoredTask, TaskState
from dms.background_tasks.tasks.definition import definition
from dms.background_tasks.tasks.task import Execution, Status
from dms.errors import StoreError, StoreTooNew
from dms.instant import Instant, microseconds

RUN = Execution("1-1", "1-1", "backup", 1, 1, Status.SUCCESS, 100, 101, 102)
BACKUP = StoredTask(1, "backup", {"run": ["true"]}, TaskState())
CRASHED = Instant(1_772_453_520_000_000, microseconds("1h"))
"""When the process of schema_2.sql was killed."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "dms.db"


_VERSION_1 = """
CREATE TABLE node (id INTEGER PRIMARY KEY CHECK (id = 1), starts INTEGER NOT NULL, pause BLOB) STRICT;
INSERT INTO node VALUES (1, 6, NULL);
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
PRAGMA application_id = 0x444D5331;
PRAGMA user_version = 1;
"""


@pytest.fixture
def first(path: Path) -> Path:
    """A file of the first schema, with a task and an execution in it."""
    execution = replace(RUN, id="6-1")
    old = apsw.Connection(str(path))
    old.execute(_VERSION_1).fetchall()
    old.execute("INSERT INTO task VALUES (1, 'backup', ?, ?)", (encode_definition(BACKUP), encode_state(BACKUP.state)))
    old.execute("INSERT INTO execution VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row_of(execution))
    old.close()
    return path


def test_a_file_of_the_first_schema_goes_on_where_it_was_with_room_for_revisions(first: Path) -> None:
    store = SqliteStore(first)
    kept = SqliteConfigStore(store, store.open())
    assert kept.newest() is None
    stored = store.load()
    assert (7, [BACKUP], "6-1") == (stored.starts, stored.tasks, stored.last[BACKUP.id].id)
    assert [] == kept.revisions(5, None).result()
    store.close()
    again = apsw.Connection(str(first))
    assert SCHEMA_VERSION == again.pragma("user_version")
    again.close()


_KILLED_AT_ITS_COMMIT = """
import os, signal, sys
from dms.adapters.sqlite import SqliteStore

def kill_at_commit(cursor, sql, bindings):
    if sql.strip() == "COMMIT":
        os.kill(os.getpid(), signal.SIGKILL)
    return True

store = SqliteStore(sys.argv[1])
store.open().exec_trace = kill_at_commit
store.load()
"""


def test_a_migration_that_is_killed_leaves_the_first_schema_whole_and_is_done_by_the_next_start(first: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", _KILLED_AT_ITS_COMMIT, str(first)], check=False)
    between = apsw.Connection(str(first))
    tables = [name for (name,) in between.execute("SELECT name FROM sqlite_schema WHERE name = 'config_revision'")]
    assert (-signal.SIGKILL, 1, []) == (killed.returncode, between.pragma("user_version"), tables)
    between.close()
    store = SqliteStore(first)
    stored = store.load()
    store.close()
    assert (7, [BACKUP], "6-1") == (stored.starts, stored.tasks, stored.last[BACKUP.id].id)


# ── the second schema ──


@pytest.fixture
def second(path: Path) -> Path:
    """A file that a DMS of the second schema left when it was killed."""
    made = apsw.Connection(str(path))
    made.pragma("journal_mode", "wal")
    made.execute(Path(__file__).with_name("schema_2.sql").read_text()).fetchall()
    made.close()
    return path


def schema_of(path: Path) -> int:
    connection = apsw.Connection(str(path))
    version: int = connection.pragma("user_version")
    connection.close()
    return version


def rows_of(path: Path) -> list[list[tuple[object, ...]]]:
    connection = apsw.Connection(str(path))
    rows = [connection.execute(f"SELECT * FROM {table}").fetchall() for table in ("node", "task", "execution")]
    connection.close()
    return rows


def start(path: Path) -> None:
    store = SqliteStore(path)
    store.load()
    store.close()


def test_tasks_of_the_second_schema_are_no_other_tasks(second: Path) -> None:
    store = SqliteStore(second)
    stored = store.load()
    store.close()
    assert ["tick", "nightly", "once", "listens", "slow"] == [task.name for task in stored.tasks]
    for task in stored.tasks:
        again = restore(task)
        assert "" == again.parked
        assert task.definition == definition(again)


def test_what_a_crash_of_the_second_schema_left_goes_on_where_it_was(second: Path) -> None:
    store = SqliteStore(second)
    memory = Memory(store.load())
    store.close()
    tasks = list(memory.tasks.values())
    agenda = Agenda(CRASHED, stored=True, boot_id="boot-2", memory=memory)
    for task in tasks:
        agenda.add(restore(task), task.id, CRASHED)
    decided = agenda.advance(CRASHED)
    names = {entry.task.name: entry for entry in agenda.entries.values()}
    assert {"tick", "nightly", "listens", "slow"} == set(names)
    assert "holidays" == names["listens"].pause.reason  # type: ignore[union-attr]
    assert CRASHED.wall + microseconds("2m") == agenda.planning.next_due(names["tick"])
    assert Status.INTERRUPTED is names["slow"].last.status  # type: ignore[union-attr]
    (save,) = [each for each in decided if isinstance(each, Save)]
    put = [change.task for change in save.changes if isinstance(change, PutTask)]
    assert ["once"] == [task.name for task in put if task.state.finished is not None]  # it has come again
    assert [] == [task.name for task in put if task.state.finished is None]


def test_before_a_migration_the_file_is_copied_with_what_its_log_holds(second: Path) -> None:
    before = rows_of(second)
    start(second)
    copy = copy_of(second, 2)
    assert (SCHEMA_VERSION, 2, before) == (schema_of(second), schema_of(copy), rows_of(copy))
    assert 0o600 == stat.S_IMODE(copy.stat().st_mode)
    assert {"dms.db", "dms.db.v2"} <= {each.name for each in second.parent.iterdir()}
    assert [] == list(second.parent.glob("*.unfinished"))


def test_whoever_goes_back_finds_the_copy_as_the_older_version_left_it(second: Path) -> None:
    start(second)
    copy_of(second, 2).replace(second)
    start(second)
    assert SCHEMA_VERSION == schema_of(second)


def test_a_start_without_a_migration_makes_no_copy(second: Path) -> None:
    start(second)
    copy = copy_of(second, 2)
    copy.unlink()
    start(second)
    assert [second] == [each for each in second.parent.iterdir() if each.name.startswith("dms.db")]


def test_the_copy_of_an_earlier_migration_goes_once_there_is_a_newer_one(second: Path) -> None:
    copy_of(second, 1).write_bytes(b"older")
    start(second)
    assert (False, True) == (copy_of(second, 1).exists(), copy_of(second, 2).exists())


def test_what_a_crash_left_of_a_copy_is_in_nobodys_way(second: Path) -> None:
    copy_of(second, 2).write_bytes(b"whole, but of another time")
    copy_of(second, 2).with_name("dms.db.v2.unfinished").write_bytes(b"half")
    start(second)
    assert (2, []) == (schema_of(copy_of(second, 2)), list(second.parent.glob("*.unfinished")))


def test_without_a_copy_there_is_no_migration(second: Path) -> None:
    copy_of(second, 2).mkdir()
    with pytest.raises(StoreError):
        SqliteStore(second).load()
    assert (2, []) == (schema_of(second), list(second.parent.glob("*.unfinished")))


def test_an_older_dms_names_the_copy_that_it_could_go_on_with(second: Path) -> None:
    """librefang/librefang#3656: after a roll-back the older program opened the newer database."""
    start(second)
    newer = apsw.Connection(str(second))
    newer.pragma("user_version", SCHEMA_VERSION + 1)
    newer.close()
    copy = copy_of(second, SCHEMA_VERSION)
    copy.write_bytes(b"as it was")
    with pytest.raises(StoreTooNew, match=f"stop it and put {copy} in its place"):
        SqliteStore(second).load()
