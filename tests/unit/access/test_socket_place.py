import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from dms.access.socket_place import LONGEST, find_socket, place_socket, remove_socket
from dms.errors import Refused


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder whose path is short, which pytest's own need not be."""
    with tempfile.TemporaryDirectory(prefix="dms") as folder:
        yield Path(folder)


@pytest.fixture
def deep(short: Path) -> Path:
    folder = short / ("d" * 60) / ("e" * 60)
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def runtime(short: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = short / "run"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    return folder


def test_the_socket_lies_in_the_data_folder(short: Path) -> None:
    assert short / "dms.sock" == place_socket(short) == Path(find_socket(short))


def test_where_that_path_is_too_long_it_lies_in_the_run_time_folder(deep: Path, runtime: Path) -> None:
    placed = place_socket(deep)
    assert runtime / "dms" == placed.parent
    assert str(placed) == find_socket(deep)
    assert 0o700 == placed.parent.stat().st_mode & 0o777


def test_two_data_folders_have_two_sockets_there(deep: Path, runtime: Path) -> None:
    other = deep / "other"
    other.mkdir()
    assert place_socket(deep) != place_socket(other)


def test_without_a_run_time_folder_it_lies_in_one_of_the_user_s_own(
    deep: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    placed = place_socket(deep)
    assert Path(f"/tmp/dms-{os.geteuid()}") == placed.parent
    assert len(os.fsencode(placed)) <= LONGEST


@pytest.mark.parametrize("make", ["open to all", "a link"])
def test_a_run_time_folder_that_others_can_reach_is_not_trusted(make: str, deep: Path, runtime: Path) -> None:
    if make == "a link":
        (runtime / "dms").symlink_to(deep)
    else:
        (runtime / "dms").mkdir()
        (runtime / "dms").chmod(0o777)
    with pytest.raises(Refused, match="is not a folder of this user's alone"):
        place_socket(deep)


def test_a_pointer_that_is_no_longer_needed_is_removed(short: Path) -> None:
    (short / "dms.sock.path").write_text("/elsewhere\n")
    place_socket(short)
    assert str(short / "dms.sock") == find_socket(short)


def test_removing_takes_socket_and_pointer_away(deep: Path, runtime: Path) -> None:
    placed = place_socket(deep)
    placed.touch()
    remove_socket(deep, placed)
    assert [False, False] == [placed.exists(), (deep / "dms.sock.path").exists()]
    remove_socket(deep, placed)
