"""One peer at the Unix socket: bytes to lines to the connection, answers back, at the speed at which it reads."""

import asyncio
import os
import select
import socket
from collections.abc import Callable

from dms.access.caller import caller_by_socket
from dms.access.peer import peer_of
from dms.command.connection import Connection
from dms.command.limits import DEFAULT_LIMITS
from dms.command.operation import Operations
from dms.command.pieces import Pieces
from dms.command.send_buffer import SendBuffer
from dms.errors import DmsError
from dms.rpc.error import error_from
from dms.rpc.lines import Lines
from dms.rpc.session import MAX_MESSAGE
from dms.rpc.strict_json import encode


class PeerConnection(asyncio.Protocol):
    """A connected peer. `admit` and `forget` keep the door's list of them; `patience` is how many seconds a peer with
    a full buffer may read nothing before it is cut off."""

    def __init__(
        self,
        operations: Operations,
        admit: Callable[["PeerConnection"], None],
        forget: Callable[["PeerConnection"], None],
        patience: float,
    ) -> None:
        self._operations = operations
        self._admit, self._forget = admit, forget
        self._patience = patience
        self._lines = Lines(MAX_MESSAGE)
        self._pieces = Pieces(self._take, self)
        self._connection: Connection | None = None
        self._ended = False
        self.gone = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody connected: see who it is."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        limit = DEFAULT_LIMITS.send_buffer
        self._buffer = SendBuffer(transport, limit=limit, patience=self._patience, too_slow=transport.abort)
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
        self._pieces.feed(data)

    def _take(self, data: bytes) -> None:
        lines = self._lines.feed(data)
        if self._connection is not None:
            self._connection.receive(*lines)

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
        self._buffer.write(text + b"\n")

    def idle(self) -> None:
        """Nothing is due to it: one that has said its last word is let go."""
        if self._ended:
            self._transport.close()

    async def drained(self) -> None:
        """Wait until it has read enough for more."""
        await self._buffer.drained()

    def hold(self) -> None:
        """It asks for more than can be done at once."""
        self._buffer.hold()

    def go_on(self) -> None:
        """It may ask for more; one that has said its last word can't."""
        if not self._ended:
            self._buffer.go_on()

    def pause_writing(self) -> None:
        """It reads too slowly: take nothing more from it until it does, and not for ever."""
        self._buffer.pause()

    def resume_writing(self) -> None:
        """It has caught up."""
        if self._ended:
            self._buffer.release()
        else:
            self._buffer.resume()

    def connection_lost(self, error: Exception | None) -> None:
        """It has gone."""
        self._pieces.stop()
        self._buffer.release()
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
