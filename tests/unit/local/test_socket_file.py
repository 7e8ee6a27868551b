import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from dms.errors import FolderInUse, StoreError
from dms.local.socket_file import bind


@pytest.fixture
def path() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="dms") as folder:
        yield Path(folder) / "dms.sock"


def test_only_the_owner_can_open_it(path: Path) -> None:
    with bind(path):
        assert 0o600 == path.stat().st_mode & 0o777


def test_a_socket_that_was_left_behind_is_cleared_away(path: Path) -> None:
    bind(path).close()
    with bind(path):
        assert path.is_socket()


def test_one_at_which_somebody_listens_is_left_to_them(path: Path) -> None:
    with bind(path) as listening, pytest.raises(FolderInUse, match="another node listens at"):
        bind(path)
    assert path.exists()
    assert listening.fileno() == -1


def test_what_is_no_socket_is_left_alone(path: Path) -> None:
    path.write_text("precious")
    with pytest.raises(StoreError, match="is in the way of the node's socket"):
        bind(path)
    assert "precious" == path.read_text()


def test_a_place_where_nothing_can_be_made_is_said(path: Path) -> None:
    with pytest.raises(StoreError, match="the node's socket can't be made there: No such file or directory"):
        bind(path.parent / "nowhere" / "dms.sock")


def test_the_listening_socket_does_not_block(path: Path) -> None:
    with bind(path) as listening:
        assert isinstance(listening, socket.socket)
        assert not listening.getblocking()
