"""One peer at the Unix socket: bytes to lines to the connection, answers back, at the speed at which it reads."""

import asyncio
import os
import select
import socket
from collections.abc import Callable, Mapping

from dms.access.caller import caller_by_socket
from dms.access.peer import peer_of
from dms.command.connection import Connection
from dms.command.operation import Operation
from dms.errors import DmsError
from dms.rpc.error import error_from
from dms.rpc.lines import Lines
from dms.rpc.session import MAX_MESSAGE
from dms.rpc.strict_json import encode

SEND_BUFFER = 1024 * 1024
"""Bytes that may wait for a peer to read before nothing more is read from it."""


class PeerConnection(asyncio.Protocol):
    """A connected peer. `admit` and `forget` keep the door's list of them; `patience` is how many seconds a peer with
    a full buffer may read nothing before it is cut off."""

    def __init__(
        self,
        operations: Mapping[str, Operation],
        admit: Callable[["PeerConnection"], None],
        forget: Callable[["PeerConnection"], None],
        patience: float,
    ) -> None:
        self._operations = operations
        self._admit, self._forget = admit, forget
        self._patience = patience
        self._lines = Lines(MAX_MESSAGE)
        self._writable = asyncio.Event()
        self._writable.set()
        self._impatience: asyncio.TimerHandle | None = None
        self._sent = 0
        self._connection: Connection | None = None
        self._ended = False
        self.gone = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody connected: see who it is."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._transport.set_write_buffer_limits(high=SEND_BUFFER)
        try:
            caller = caller_by_socket(peer_of(self._socket), os.geteuid())
            self._admit(self)
        except DmsError as error:
            self.send(b'{"jsonrpc":"2.0","id":null,"error":%b}' % encode(error_from(error)))
            self._transport.close()
        else:
            self._connection = Connection(self, self._operations, caller)

    @property
    def _socket(self) -> socket.socket:
        found: socket.socket = self._transport.get_extra_info("socket")
        return found

    def data_received(self, data: bytes) -> None:
        """It said something, or a part of it."""
        for line in self._lines.feed(data):
            if self._connection is not None:
                self._connection.receive(line)

    def eof_received(self) -> bool:
        """It will say no more. Where it still listens it gets the answers that are due. Its last message may lack the
        end of its line: half a message is never taken for a whole one, since no object is one before its last brace."""
        self._ended = True
        self.data_received(b"\n")
        return not self._hung_up() and self._connection is not None and not self._connection.idle

    def _hung_up(self) -> bool:
        poll = select.poll()
        poll.register(self._socket.fileno(), 0)
        return any(event & select.POLLHUP for _, event in poll.poll(0))

    def send(self, text: bytes) -> None:
        """A message for it."""
        self._transport.write(text + b"\n")
        self._sent += len(text) + 1

    def idle(self) -> None:
        """Nothing is due to it: one that has said its last word is let go."""
        if self._ended:
            self._transport.close()

    async def drained(self) -> None:
        """Wait until it has read enough for more."""
        await self._writable.wait()

    def pause_writing(self) -> None:
        """It reads too slowly: take nothing more from it until it does, and not for ever."""
        self._writable.clear()
        self._transport.pause_reading()
        self._bear_with_it(self._taken)

    @property
    def _taken(self) -> int:
        """Bytes that the system has taken for it so far."""
        return self._sent - self._transport.get_write_buffer_size()

    def _bear_with_it(self, taken: int) -> None:
        loop = asyncio.get_running_loop()
        self._impatience = loop.call_later(self._patience, self._lose_patience, taken)

    def _lose_patience(self, taken: int) -> None:
        """Cut it off where it read nothing for so long; one that merely reads slowly is let be."""
        if self._taken == taken:
            self._transport.abort()
        else:
            self._bear_with_it(self._taken)

    def resume_writing(self) -> None:
        """It has caught up."""
        if self._impatience is not None:
            self._impatience.cancel()
        self._writable.set()
        if not self._ended and not self._transport.is_closing():
            self._transport.resume_reading()

    def connection_lost(self, error: Exception | None) -> None:
        """It has gone."""
        if self._impatience is not None:
            self._impatience.cancel()
        self._forget(self)
        if self._connection is None:
            self.gone.set()
        else:
            self._farewell = asyncio.get_running_loop().create_task(self._close(self._connection))

    async def _close(self, connection: Connection) -> None:
        await connection.close()
        self.gone.set()

    async def stop(self, grace: float) -> None:
        """The node stops: answer what is due, and give the peer so many seconds to read it."""
        if self._connection is not None:
            await self._connection.stop()
        self._transport.close()
        try:
            async with asyncio.timeout(grace):
                await self.gone.wait()
        except TimeoutError:
            self._transport.abort()
            await self.gone.wait()
