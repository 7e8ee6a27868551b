"""What a file promises beyond the contract: it is refused untouched where it is wrong, and works on when it is not."""

import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest
from msgspec.structs import replace

from dms.adapters import database, writer
from dms.adapters.database import APPLICATION_ID, SCHEMA_VERSION, store_error
from dms.adapters.sqlite import SqliteStore
from dms.background_tasks.store import PutExecution, PutTask, Query, StoredTask, TaskState
from dms.background_tasks.tasks.task import Execution, Status
from dms.errors import StoreBroken, StoreError, StoreTooNew

RUN = Execution("1-1", "1-1", "backup", 1, 1, Status.SUCCESS, 100, 101, 102)
BACKUP = StoredTask(1, "backup", {"run": ["true"]}, TaskState())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "dms.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(path)
    store.load()
    yield store
    store.close()


@pytest.fixture
def used(path: Path) -> Path:
    """A file that a node has used and let go of."""
    store = SqliteStore(path)
    store.load()
    store.save([PutTask(BACKUP), *(PutExecution(run(counter)) for counter in range(2_000))]).result(10)
    store.close()
    return path


def run(counter: int, results: object = None) -> Execution:
    return replace(RUN, id=f"1-{counter}", results=results)


def bytes_beside(path: Path) -> dict[str, bytes]:
    """Every file of the folder but SQLite's shared memory, which is no more than an index of the log."""
    return {file.name: file.read_bytes() for file in path.parent.iterdir() if not file.name.endswith("-shm")}


def crash(path: Path, sql: str) -> None:
    """Run SQL in another process that ends without closing its connection, so that all of it is in the log only."""
    code = (
        "import sys, os, apsw\n"
        "c = apsw.Connection(sys.argv[1]); c.wal_autocheckpoint(0); c.execute(sys.argv[2]).fetchall(); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", code, str(path), sql], check=True)


def refuse(path: Path, error: type[StoreError], message: str) -> None:
    """The file is refused, and it, its log and its neighbours are as before."""
    before = bytes_beside(path)
    with pytest.raises(error, match=message):
        SqliteStore(path).load()
    assert before == bytes_beside(path)


def test_a_file_and_its_log_are_their_owners_only(store: SqliteStore, path: Path) -> None:
    store.save([PutExecution(RUN)]).result(10)
    assert {0o600} == {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}


def test_closing_leaves_one_file(store: SqliteStore, path: Path) -> None:
    store.save([PutExecution(RUN)]).result(10)
    store.close()
    assert [path] == list(path.parent.iterdir())


def test_a_file_says_whose_it_is_and_of_which_version(used: Path) -> None:
    connection = apsw.Connection(str(used))
    assert (APPLICATION_ID, SCHEMA_VERSION) == (connection.pragma("application_id"), connection.pragma("user_version"))


def test_an_empty_file_becomes_a_database(path: Path) -> None:
    path.touch()
    store = SqliteStore(path)
    assert 1 == store.load().starts
    store.close()


def test_a_file_of_another_journal_mode_is_taken_into_ours(used: Path) -> None:
    connection = apsw.Connection(str(used))
    connection.pragma("journal_mode", "delete")
    connection.close()
    store = SqliteStore(used)
    assert 2 == store.load().starts
    store.close()


def test_a_newer_schema_is_refused_with_both_numbers(used: Path) -> None:
    """librefang/librefang#3656: the older program opened the newer database and set its version number back."""
    connection = apsw.Connection(str(used))
    connection.execute("ALTER TABLE task ADD COLUMN colour TEXT").fetchall()
    connection.pragma("user_version", SCHEMA_VERSION + 1)
    connection.close()
    refuse(used, StoreTooNew, rf"version {SCHEMA_VERSION + 1}, this DMS knows up to {SCHEMA_VERSION}")


def test_a_newer_schema_that_is_in_the_log_only_is_refused_too(used: Path) -> None:
    """librefang/librefang#3656, where the newer program was killed before its first checkpoint."""
    crash(used, f"ALTER TABLE task ADD COLUMN colour TEXT; PRAGMA user_version = {SCHEMA_VERSION + 1}")
    refuse(used, StoreTooNew, f"version {SCHEMA_VERSION + 1}")


def test_the_log_of_a_crash_of_this_version_is_recovered(used: Path) -> None:
    crash(used, "UPDATE node SET starts = 41")
    store = SqliteStore(used)
    assert 42 == store.load().starts
    store.close()


@pytest.mark.parametrize("content", [b"not a database at all", b"\0" * 8_192, b"SQLite format 3\0", b"x"])
def test_what_is_no_database_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    refuse(path, StoreBroken, "is not a database; put a backup in its place")


@pytest.mark.parametrize("mark", ["PRAGMA application_id = 7", "PRAGMA user_version = 1", "SELECT 1"])
def test_another_programs_database_is_refused(path: Path, mark: str) -> None:
    connection = apsw.Connection(str(path))
    connection.execute(f"CREATE TABLE theirs (a); {mark}").fetchall()
    connection.close()
    refuse(path, StoreBroken, "another program's database")


def test_a_file_that_is_cut_off_is_refused(used: Path) -> None:
    with used.open("r+b") as file:
        file.truncate(used.stat().st_size // 2)
    refuse(used, StoreBroken, "is cut off")


@pytest.mark.parametrize("page", range(1, 8))
def test_a_file_with_a_damaged_page_is_refused(used: Path, page: int) -> None:
    with used.open("r+b") as file:
        file.seek(page * 4_096)
        file.write(b"\xff" * 4_096)
    refuse(used, StoreBroken, "is damaged")


def test_damage_that_loading_meets_is_refused_in_files_too_great_to_be_checked(
    used: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "MOST_CHECKED", 0)
    connection = apsw.Connection(str(used))
    page = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'task'").get
    connection.close()
    with used.open("r+b") as file:
        file.seek((page - 1) * 4_096)
        file.write(b"\xff" * 4_096)
    refuse(used, StoreBroken, "is damaged")


def test_a_refused_file_keeps_the_log_of_a_crash(used: Path) -> None:
    crash(used, "UPDATE task SET state = x'c1'")
    refuse(used, StoreBroken, "task backup can't be read")


def test_a_folder_in_the_files_place_is_refused(path: Path) -> None:
    path.mkdir()
    with pytest.raises(StoreError, match=r"dms\.db"):
        SqliteStore(path).load()


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"there is no folder .*missing; make it or name another"):
        SqliteStore(tmp_path / "missing" / "dms.db").load()


@pytest.mark.parametrize("name", ["a?mode=ro", "a#b", "a%20b", "file:a", ":memory:", "a'b\"", "ü"])
def test_a_file_is_opened_in_a_folder_of_any_name(tmp_path: Path, name: str) -> None:
    """calebevans/mulder#86, mar-file-system/GUFI#126: such a path was read as an address, of another file or way."""
    (tmp_path / name).mkdir()
    path = tmp_path / name / "dms.db"
    for starts in (1, 2):
        store = SqliteStore(path)
        assert starts == store.load().starts
        store.save([PutExecution(RUN)]).result(10)
        assert [RUN] == store.executions(Query()).result(10)
        store.close()
    assert (["dms.db"], [name]) == (
        [file.name for file in path.parent.iterdir()],
        [file.name for file in tmp_path.iterdir()],
    )


def test_a_file_that_can_not_be_made_is_named() -> None:
    with pytest.raises(StoreError, match=r"/proc/self/dms\.db can't be made"):
        SqliteStore("/proc/self/dms.db").load()


def test_a_refused_store_may_be_loaded_once_the_file_is_right(path: Path) -> None:
    path.write_bytes(b"not a database at all")
    store = SqliteStore(path)
    with pytest.raises(StoreBroken):
        store.load()
    path.unlink()
    assert 1 == store.load().starts
    store.close()


def test_what_is_written_is_told_in_bytes(store: SqliteStore, path: Path) -> None:
    log = path.with_name(path.name + "-wal")
    store.save([PutExecution(RUN)]).result(10)
    before, size = store.written, log.stat().st_size
    store.save([PutExecution(replace(RUN, id="1-2"))]).result(10)
    assert store.written - before == log.stat().st_size - size > 0


def test_a_full_disk_fails_the_saves_and_works_again_when_room_returns(store: SqliteStore) -> None:
    store.save([PutExecution(run(1))]).result(10)
    connection = store._writer._connection  # type: ignore[union-attr]
    connection.pragma("max_page_count", connection.pragma("page_count") + 1)
    big = [store.save([PutExecution(run(counter, b"x" * 60_000))]) for counter in (2, 3)]
    errors = [str(future.exception(10)) for future in big]
    assert [True, True] == ["no room left on the disk" in error for error in errors]
    connection.pragma("max_page_count", 1_000_000)
    store.save([PutExecution(run(4, b"x" * 60_000))]).result(10)
    assert ["1-4", "1-1"] == [execution.id for execution in store.executions(Query()).result(10)]


def test_a_full_disk_gets_the_room_of_the_log_back(store: SqliteStore, path: Path) -> None:
    for results in range(20):
        store.save([PutExecution(run(1, results))]).result(10)
    connection = store._writer._connection  # type: ignore[union-attr]
    connection.pragma("max_page_count", connection.pragma("page_count"))
    assert store.save([PutExecution(run(2, b"x" * 60_000))]).exception(10)
    store.retain(0, 1, 0).result(10)  # comes after whatever the writer did about the failure
    assert 0 == path.with_name("dms.db-wal").stat().st_size
    assert [19] == [execution.results for execution in store.executions(Query()).result(10)]


def test_one_faulty_save_of_a_group_fails_alone_and_in_its_turn(store: SqliteStore, path: Path) -> None:
    ended: list[int] = []
    hold = apsw.Connection(str(path))
    hold.execute("BEGIN IMMEDIATE")
    first = store.save([PutExecution(run(0))])
    saves = [store.save([PutExecution(replace(run(n), due="soon" if n == 5 else n))]) for n in range(1, 10)]  # type: ignore[arg-type]
    for number, future in enumerate(saves, 1):
        future.add_done_callback(lambda _, number=number: ended.append(number))  # type: ignore[misc]
    hold.execute("COMMIT")
    first.result(10)
    assert [5] == [number for number, future in enumerate(saves, 1) if future.exception(10)]
    store.close()
    assert list(range(1, 10)) == ended


def test_a_save_waits_for_another_programs_transaction(store: SqliteStore, path: Path) -> None:
    hold = apsw.Connection(str(path))
    hold.execute("BEGIN IMMEDIATE")
    future = store.save([PutExecution(RUN)])
    hold.execute("COMMIT")
    assert None is future.result(10)


def test_a_program_that_does_not_let_go_fails_the_saves_of_its_time(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT", 20)
    store = SqliteStore(path)
    store.load()
    hold = apsw.Connection(str(path))
    hold.execute("BEGIN IMMEDIATE")
    assert "another program holds it" in str(store.save([PutExecution(RUN)]).exception(10))
    hold.execute("ROLLBACK")
    store.save([PutExecution(RUN)]).result(10)
    store.close()


def test_starts_that_many_count_at_once_lose_none(used: Path) -> None:
    """jentic/jentic-one#529: a transaction that reads first and then writes failed at once, in spite of its timeout."""
    starts: list[int] = []

    def count() -> None:
        for _ in range(5):
            store = SqliteStore(used)
            starts.append(store.load().starts)
            store.close()

    threads = [threading.Thread(target=count) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(range(2, 102)) == sorted(starts)


def test_the_log_stays_short_while_others_read_and_shrinks_once_a_stuck_reader_is_gone(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """superseriousbusiness/gotosocial#2808: some reader was always active, and the log grew to gigabytes."""
    monkeypatch.setattr(database, "LOG_LIMIT", 60 * 4_096)
    monkeypatch.setattr(writer, "CHECKPOINT_PAGES", 20)
    monkeypatch.setattr(writer, "RESTART_PAGES", 60)
    monkeypatch.setattr(writer, "_RESTART_PATIENCE", 20)
    log = path.with_name("dms.db-wal")
    store = SqliteStore(path)
    store.load()

    def work(first: int) -> int:
        """Save and read all the time; the greatest size of the log."""
        sizes = []
        for counter in range(first, first + 150):
            answers = [store.executions(Query()) for _ in range(3)]
            store.save([PutExecution(run(counter, b"x" * 2_000))]).result(10)
            sizes.append(log.stat().st_size)
            del answers
        return max(sizes)

    bound = 100 * 4_120
    assert work(0) < bound
    stuck = apsw.Connection(str(path))
    stuck.execute("BEGIN; SELECT * FROM execution").fetchone()
    assert work(200) > bound
    stuck.close()
    work(400)
    assert log.stat().st_size < bound
    store.close()
    assert [path] == list(path.parent.iterdir())


def test_saves_pass_between_the_steps_of_a_retention(store: SqliteStore) -> None:
    store.save([PutExecution(run(counter)) for counter in range(5_000)]).result(10)
    order: list[str] = []
    retention = store.retain(10**15, 1, 0)
    retention.add_done_callback(lambda _: order.append("retained"))
    save = store.save([PutExecution(run(5_000))])
    save.add_done_callback(lambda _: order.append("saved"))
    assert (None, True) == (save.result(10), retention.result(10) >= 4_999)
    assert ["saved", "retained"] == order


def test_a_retention_that_the_close_cuts_off_gives_what_it_did(store: SqliteStore) -> None:
    store.save([PutExecution(run(counter)) for counter in range(5_000)]).result(10)
    retention = store.retain(10**15, 1, 0)
    store.close()
    store.load()
    assert 5_000 - len(store.executions(Query(limit=9_999)).result(10)) == retention.result(0)


def test_a_close_that_the_disk_holds_up_ends_at_its_deadline(path: Path) -> None:
    store = SqliteStore(path, close_timeout="100ms")
    store.load()
    thread = store._writer._thread  # type: ignore[union-attr]
    hold = apsw.Connection(str(path))
    hold.execute("BEGIN IMMEDIATE")
    future = store.save([PutExecution(RUN)])
    with pytest.raises(StoreError, match=r"did not take the last changes within 0\.1 s"):
        store.close()
    hold.close()
    thread.join(10)
    assert (True, None) == (thread.daemon, future.result(0))


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (apsw.FullError("full"), StoreError, "no room left"),
        (apsw.CorruptError("malformed"), StoreBroken, "is damaged"),
        (apsw.NotADBError("no"), StoreBroken, "is damaged"),
        (apsw.BusyError("busy"), StoreError, "another program"),
        (apsw.ReadOnlyError("read-only"), StoreError, "can't be written"),
        (apsw.CantOpenError("can't"), StoreError, "check who owns it"),
        (apsw.IOError("disk I/O error"), StoreError, "disk I/O error"),
        (ValueError("odd"), StoreError, "odd"),
        (StoreTooNew("newer"), StoreTooNew, "newer"),
    ],
)
def test_every_error_says_what_it_means(error: Exception, kind: type[StoreError], message: str) -> None:
    explained = store_error(error, Path("dms.db"))
    assert (kind, True) == (type(explained), message in str(explained))


def test_the_room_is_entered_without_its_furniture() -> None:
    code = "import dms.adapters, sys; print(sorted({'apsw', 'asyncio', 'dms.adapters.sqlite'} & set(sys.modules)))"
    assert "[]\n" == subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_a_store_needs_no_event_loop() -> None:
    code = "import dms.adapters.sqlite, sys; print('asyncio' in sys.modules)"
    assert "False\n" == subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
