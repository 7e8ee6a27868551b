import asyncio
import errno
import logging
import socket
from collections.abc import Iterator

import pytest

from dms.http import acceptor
from dms.http.acceptor import Acceptor
from dms.http.socket_address import bind


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with bind("127.0.0.1", 0) as bound:
        yield bound


class Taken(list[socket.socket]):
    """What was accepted; `one` is set once there is one."""

    def __init__(self) -> None:
        super().__init__()
        self.one = asyncio.Event()

    def take(self, accepted: socket.socket) -> None:
        self.append(accepted)
        accepted.close()
        self.one.set()


async def test_those_who_have_come_are_taken_at_the_stop_and_nobody_after_them(listening: socket.socket) -> None:
    taken = Taken()
    accepting = Acceptor(listening, taken.take)
    accepting.start()
    with socket.create_connection(listening.getsockname()), socket.create_connection(listening.getsockname()):
        accepting.stop()
        assert 2 == len(taken)
    with socket.create_connection(listening.getsockname()):
        await asyncio.sleep(0)
        assert 2 == len(taken)


class WithoutFiles(socket.socket):
    """A listening socket of a process that may open no more files, `times` times."""

    times = 1

    def accept(self) -> tuple[socket.socket, object]:
        if self.times:
            self.times -= 1
            raise OSError(errno.EMFILE, "Too many open files")
        return super().accept()


async def test_where_there_are_no_more_files_it_is_said_and_tried_again_later(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(acceptor, "REST", 0.01)
    with WithoutFiles() as poor, caplog.at_level(logging.ERROR, "dms.http"):
        poor.bind(("127.0.0.1", 0))
        poor.listen()
        taken = Taken()
        accepting = Acceptor(poor, taken.take)
        accepting.start()
        with socket.create_connection(poor.getsockname()):
            await asyncio.wait_for(taken.one.wait(), 5)
        accepting.stop()
    assert ["nobody can be accepted for now: Too many open files"] == [each.getMessage() for each in caplog.records]
