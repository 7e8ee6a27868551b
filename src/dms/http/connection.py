"""HttpConnection: one peer of the TCP door, as long as it speaks HTTP; whose requests end, or it is cut off."""

import asyncio
import logging
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

import h11
import msgspec
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from dms.command.pieces import Pieces
from dms.http.guarded import Application
from dms.instant import SECOND, Clock


class Patience(msgspec.Struct, frozen=True):
    """Seconds: until the `head` of a request is whole, from the accept or its first byte on, though bytes come now and
    then; until its `body` is, longer than the application bears with it; and with a peer that `reads` nothing of its
    answer."""

    head: float = 10
    body: float = 70
    reads: float = 60


_BUSY = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 5\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"

_log = logging.getLogger("dms.http")
logging.getLogger("uvicorn.error").setLevel(logging.WARNING)  # below that it tells of its own life


def http_config(application: Application, websocket: Callable[..., asyncio.Protocol]) -> Config:
    """How uvicorn's protocol classes are to work: they only speak; sockets, signals and logs are ours."""
    config = Config(
        application,
        http=HttpConnection,
        ws=websocket,  # type: ignore[arg-type]
        interface="asgi3",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        workers=1,
    )
    config.load()
    return config


class Connections(ServerState):
    """The connections of a listener and their requests: `most()` at once, and how much patience is had with each;
    `ending` once there are to be no more."""

    def __init__(self, clock: Clock, most: Callable[[], int], patience: Patience = Patience()) -> None:  # noqa: B008
        self.most, self.patience = most, patience
        self.ending = False
        self._clock = clock
        super().__init__()

    @property
    def default_headers(self) -> list[tuple[bytes, bytes]]:
        """What each answer begins with; uvicorn would wake up every second for the time."""
        return [(b"date", formatdate(self._clock.now().wall / SECOND, usegmt=True).encode())]

    @default_headers.setter
    def default_headers(self, _: Any) -> None:
        pass


class HttpConnection(H11Protocol):
    """uvicorn's, with an end to what it would wait for without one."""

    def __init__(self, config: Config, connections: Connections) -> None:
        super().__init__(config, connections, {})
        self._listener = connections
        self._patience = connections.patience
        self._pieces = Pieces(self._take, self)
        self._expected: type | None = None
        self._late: asyncio.TimerHandle | None = None
        self._mute: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Somebody has connected."""
        super().connection_made(transport)
        if self._listener.ending:  # it was accepted while the listener closed
            transport.abort()
        elif len(self.connections) > (most := self._listener.most()):
            _log.warning("connections are refused: %d are open, as many as may be", most)
            transport.write(_BUSY)
            transport.close()
        else:
            self._expect(h11.IDLE)

    def data_received(self, data: bytes) -> None:
        """A request, or a part of it."""
        self._pieces.feed(data)
        if self._pieces.waiting:
            self.hold()  # uvicorn reads on after each answer

    def _take(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        super().data_received(data)
        self._expect(self.conn.their_state)

    def send_400_response(self, msg: str) -> None:
        """It has sent what is no HTTP. No other word follows that; after an answer nothing can be said of it."""
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        try:
            super().send_400_response(msg)
        except h11.LocalProtocolError:
            self.transport.abort()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """It speaks another protocol from now on, and has another protocol's limits."""
        self._expect(None)
        self._pieces.stop()
        super().handle_websocket_upgrade(event)

    def hold(self) -> None:
        """It sends more than can be taken at once."""
        self.transport.pause_reading()

    def go_on(self) -> None:
        """It may send more, unless the application has not read what has come."""
        if not self.flow.read_paused:
            self.transport.resume_reading()

    def pause_writing(self) -> None:
        """It reads more slowly than it is answered."""
        super().pause_writing()
        self._mute = self.loop.call_later(self._patience.reads, self.transport.abort)

    def resume_writing(self) -> None:
        """It has caught up."""
        super().resume_writing()
        self._reads_again()

    def connection_lost(self, exc: Exception | None) -> None:
        """It has gone."""
        self._pieces.stop()
        self._expect(None)
        self._reads_again()
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def _reads_again(self) -> None:
        if self._mute is not None:
            self._mute.cancel()
            self._mute = None

    def _expect(self, state: type | None) -> None:
        """A head or a body is to come now, or neither; that one of them is still to come is no new beginning."""
        if state is self._expected:
            return
        if self._late is not None:
            self._late.cancel()
        self._expected = state
        within = {h11.IDLE: self._patience.head, h11.SEND_BODY: self._patience.body}.get(state)  # type: ignore[arg-type]
        self._late = None if within is None else self.loop.call_later(within, self._too_late)

    def _too_late(self) -> None:
        _log.info("hung up on %s: its request was not whole in time", self.client)
        self.transport.abort()
