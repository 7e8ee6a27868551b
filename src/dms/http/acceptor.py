"""Acceptor: takes whoever comes to a listening socket, and loses nobody who has come when it stops."""

import asyncio
import logging
import socket
from collections.abc import Callable

from dms.http.socket_address import BACKLOG

REST = 1.0
"""Seconds without accepting where the system has no more files to give."""

_log = logging.getLogger("dms.http")


class Acceptor:
    """Gives each accepted socket to `take`, on the running loop.

    asyncio's own server is not used: one that is closed leaves those hanging whom it has just accepted, and resets
    those who wait to be.
    """

    def __init__(self, listening: socket.socket, take: Callable[[socket.socket], object]) -> None:
        self._socket, self._take = listening, take
        self._loop = asyncio.get_running_loop()
        self._resting: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Accept from now on."""
        self._resting = None
        self._socket.setblocking(False)
        self._loop.add_reader(self._socket, self._accept)

    def stop(self) -> None:
        """Accept those who have come already, and nobody after them."""
        self._loop.remove_reader(self._socket)
        self._accept()
        if self._resting is not None:
            self._resting.cancel()

    def _accept(self) -> None:
        for _ in range(BACKLOG):
            try:
                accepted, _address = self._socket.accept()
            except BlockingIOError:
                return
            except ConnectionAbortedError:
                continue
            except OSError as error:
                return self._rest(error)
            accepted.setblocking(False)
            self._take(accepted)

    def _rest(self, error: OSError) -> None:
        """The socket would call again at once, and in vain."""
        _log.error("nobody can be accepted for now: %s", error.strerror or error)
        self._loop.remove_reader(self._socket)
        self._resting = self._loop.call_later(REST, self.start)
