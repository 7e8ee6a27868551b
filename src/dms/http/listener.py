"""Listener: one address where requests are heard, from its socket to the last of its connections."""

import asyncio
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from dms.background_tasks.running.loop_thread import in_thread
from dms.http.acceptor import Acceptor
from dms.http.listening import Listening
from dms.http.socket_address import BACKLOG, share, unbindable
from dms.http.tls import show_certificate
from dms.instant import Clock

if TYPE_CHECKING:
    from uvicorn.config import Config

    from dms.http.connection import Connections

HANDSHAKE_WITHIN = 10.0
"""Seconds that a TLS handshake may take."""

_FIRST_WORDS = 0.05
"""Seconds in which whoever has just come may say what it wants, before it is told that the door closes."""

_LAST_WORDS = 0.1
"""Seconds that a request which is cancelled has to be answered in."""

_LOOK = 0.01
"""Seconds between two looks whether everybody has gone, at the end only."""


class Listener:
    """Serves at a socket that is bound, through `tls` where that is given, `most()` peers at once. All of it runs on
    the loop of the doors.

    What it serves with, `load` gives in a thread once somebody has connected: that costs 100 ms and some megabytes, and
    a node that nobody asks by TCP does without.
    """

    def __init__(
        self,
        listening: Listening,
        bound: socket.socket,
        tls: ssl.SSLContext | None,
        load: Callable[[], "Config"],
        clock: Clock,
        most: Callable[[], int],
    ) -> None:
        self.listening, self.tls, self.socket = listening, tls, bound
        self.port: int = bound.getsockname()[1]
        self._load, self._clock, self._most = load, clock, most
        self._beginning: asyncio.Task[None] | None = None
        self._acceptor: Acceptor | None = None
        self._connections: Connections | None = None
        self._coming: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """The address as a client writes it."""
        return self.listening.url(self.port)

    @property
    def peers(self) -> int:
        """How many are connected."""
        return 0 if self._connections is None else len(self._connections.connections)

    def open(self) -> None:
        """Let people in. AddressInUse where somebody else has come to listen there."""
        try:
            self.socket.listen(BACKLOG)
        except OSError as error:
            raise unbindable(error, self.listening.address, self.port) from None
        asyncio.get_running_loop().add_reader(self.socket, self._knocked)

    def _knocked(self) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(self.socket)
        self._beginning = loop.create_task(self._begin())
        self._beginning.add_done_callback(lambda task: task.cancelled() or task.result())

    async def _begin(self) -> None:
        self._config = await in_thread(self._load)
        from dms.http.connection import Connections

        self._connections = Connections(self._clock, self._most)
        self._acceptor = Acceptor(self.socket, self._take)
        self._acceptor.start()

    def _take(self, accepted: socket.socket) -> None:
        """One more; where they are too many, and can't be told so before a handshake, it is hung up on."""
        if self.tls is not None and len(self._coming) >= self._most():
            accepted.close()
            return
        task = asyncio.get_running_loop().create_task(self._let_in(accepted))
        self._coming.add(task)
        task.add_done_callback(self._coming.discard)

    async def _let_in(self, accepted: socket.socket) -> None:
        from dms.http.connection import HttpConnection

        assert self._connections is not None
        made = partial(HttpConnection, self._config, self._connections)
        within = HANDSHAKE_WITHIN if self.tls else None
        with suppress(OSError):  # it has gone already, or its handshake came to nothing
            loop = asyncio.get_running_loop()
            await loop.connect_accepted_socket(made, accepted, ssl=self.tls, ssl_handshake_timeout=within)

    def shut(self) -> None:
        """Accept nobody any more; who is in, or has come already, may stay until `leave`."""
        if self.socket.fileno() < 0:
            return
        if self._beginning is not None:
            self._beginning.cancel()
        if self._acceptor is None:
            asyncio.get_running_loop().remove_reader(self.socket)
        else:
            self._acceptor.stop()
        self.socket.close()

    async def leave(self, within: float) -> None:
        """See everybody out: sockets are told that it ends, requests are answered. After so many seconds what is still
        under way is cancelled, whoever waits for it told so, and cut off."""
        if self._connections is None:
            return
        try:
            async with asyncio.timeout(within):
                if self._coming or self._connections.connections:
                    await asyncio.sleep(min(_FIRST_WORDS, within / 4))
                self._say_good_bye()
                while self._somebody_is_here():  # noqa: ASYNC110 — nothing tells of it
                    await asyncio.sleep(_LOOK)
        except TimeoutError:
            await self._cut_off()

    def _somebody_is_here(self) -> bool:
        assert self._connections is not None
        return bool(self._coming or self._connections.connections or self._connections.tasks)

    def _say_good_bye(self) -> None:
        assert self._connections is not None
        self._connections.ending = True
        for connection in tuple(self._connections.connections):
            connection.shutdown()

    async def _cut_off(self) -> None:
        assert self._connections is not None
        under_way = (*self._connections.tasks, *self._coming)
        for task in under_way:
            task.cancel()
        if under_way:
            await asyncio.wait(under_way, timeout=_LAST_WORDS)
        for connection in tuple(self._connections.connections):
            transport = getattr(connection, "transport", None)
            if transport is not None:  # a WebSocket looks to its own end
                transport.abort()

    def show(self, listening: Listening) -> None:
        """Take the certificate from these files, as they are now. ConfigError where it can't be used."""
        if self.tls is not None:
            show_certificate(self.tls, listening)
        self.listening = listening

    def alone(self) -> None:
        """Share its port with no other socket of ours any more."""
        share(self.socket, False)
