"""Who holds a data folder, and which folders can't be one."""

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dms.adapters.folder import DataFolder
from dms.errors import FolderInUse, Misuse, StoreError

HOLD = """
import sys
from dms.adapters.folder import DataFolder
folder = DataFolder(sys.argv[1]); folder.lock("quiet-heron"); print("held", flush=True); sys.stdin.read()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[DataFolder]:
    folder = DataFolder(tmp_path / "data")
    folder.prepare()
    yield folder
    folder.release()


@pytest.fixture
def holder(folder: DataFolder) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the folder."""
    command = [sys.executable, "-c", HOLD, str(folder.path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "held\n" == process.stdout.readline()
        yield process
        process.kill()


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_folder_is_made_for_its_owner_only(tmp_path: Path) -> None:
    DataFolder(tmp_path / "a" / "b").prepare()
    assert 0o700 == mode_of(tmp_path / "a" / "b")


def test_a_folder_that_is_there_keeps_its_mode_and_files(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("mine")
    tmp_path.chmod(0o755)
    DataFolder(tmp_path).prepare()
    assert (0o755, ["notes"]) == (mode_of(tmp_path), [path.name for path in tmp_path.iterdir()])


def test_the_home_folder_may_be_written_as_a_tilde(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert tmp_path / ".dms" / "dms.db" == DataFolder("~/.dms").database


def test_a_file_where_the_folder_should_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(StoreError, match=r"data can't be used: File exists; give one .* --data-dir"):
        DataFolder(tmp_path / "data").prepare()


def test_a_folder_where_nothing_can_be_made_is_refused() -> None:
    with pytest.raises(StoreError, match="data folder /proc/dms can't be used"):
        DataFolder("/proc/dms").prepare()


def test_a_folder_that_can_not_be_written_is_refused() -> None:
    with pytest.raises(StoreError, match="data folder /proc/self can't be used"):
        DataFolder("/proc/self").prepare()


def test_a_folder_that_is_gone_can_not_be_locked(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="No such file"):
        DataFolder(tmp_path / "gone").lock("quiet-heron")


def test_a_second_node_is_told_the_name_and_the_process_of_the_first(
    folder: DataFolder, holder: subprocess.Popen[str]
) -> None:
    with pytest.raises(FolderInUse, match=rf"node quiet-heron \(process {holder.pid}\) holds it"):
        folder.lock("loud-crow")


def test_a_refused_node_leaves_the_note_of_the_holder(folder: DataFolder, holder: subprocess.Popen[str]) -> None:
    for _ in range(2):
        with pytest.raises(FolderInUse, match=f"process {holder.pid}"):
            folder.lock("loud-crow")


def test_the_lock_ends_with_its_process_however_it_ends(folder: DataFolder, holder: subprocess.Popen[str]) -> None:
    holder.kill()
    holder.wait()
    assert str(holder.pid) in (folder.path / "dms.lock").read_text()
    folder.lock("loud-crow")
    assert "loud-crow" in (folder.path / "dms.lock").read_text()


def test_a_folder_is_held_against_another_object_of_the_same_process(folder: DataFolder) -> None:
    folder.lock("quiet-heron")
    with pytest.raises(FolderInUse, match=f"process {os.getpid()}"):
        DataFolder(folder.path).lock("loud-crow")


def test_a_held_folder_is_not_locked_again(folder: DataFolder) -> None:
    folder.lock("quiet-heron")
    with pytest.raises(Misuse, match="already"):
        folder.lock("quiet-heron")


def test_a_released_folder_is_free(folder: DataFolder) -> None:
    folder.lock("quiet-heron")
    folder.release()
    folder.release()
    other = DataFolder(folder.path)
    other.lock("loud-crow")
    other.release()
    assert "" == (folder.path / "dms.lock").read_text()


@pytest.mark.parametrize(
    "left",
    [
        '{"name":"quiet-heron","pid":1}',
        '{"name":"quiet-heron","pid":0}',
        "",
        f'{{"name":"quiet-heron","pid":{os.getpid()}}}',
        f"{os.getppid()}",
        "\0" * 5_000,
    ],
    ids=["a live stranger", "0", "empty", "this very process", "a bare number", "zeros"],
)
def test_what_a_crash_left_in_the_file_refuses_nobody(folder: DataFolder, left: str) -> None:
    """getpaseo/paseo#1304: after a crash the pid in the file belonged to some other program."""
    (folder.path / "dms.lock").write_text(left)
    folder.lock("loud-crow")
    assert f'{{"name":"loud-crow","pid":{os.getpid()}}}\n' == (folder.path / "dms.lock").read_text()


def test_a_holder_whose_note_can_not_be_read_is_another_node(folder: DataFolder, holder: subprocess.Popen[str]) -> None:
    (folder.path / "dms.lock").write_text("?")
    with pytest.raises(FolderInUse, match="another node holds it"):
        folder.lock("loud-crow")


def test_the_lock_is_its_owners_only(folder: DataFolder) -> None:
    folder.lock("quiet-heron")
    assert 0o600 == mode_of(folder.path / "dms.lock")


def test_a_program_that_the_node_starts_does_not_inherit_the_lock(folder: DataFolder) -> None:
    folder.lock("quiet-heron")
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, close_fds=False) as child:
        folder.release()
        other = DataFolder(folder.path)
        other.lock("loud-crow")
        other.release()
        child.kill()
