"""WebSocketConnection: one peer at the WebSocket, as the protocol class that uvicorn hands an upgrade to.

There is no task and no queue between the wire and the commands: what comes in goes through websockets' sans-IO
protocol straight to the Connection.
"""

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Any, Protocol

import msgspec
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import SEND_EOF, State
from websockets.server import ServerProtocol

from dms.access.bearer import Authenticate, bearer_token
from dms.access.caller import Caller
from dms.command.connection import Connection
from dms.command.limits import Limits
from dms.command.operation import Operations
from dms.command.parameters import decode_parameters
from dms.command.pieces import Pieces
from dms.command.rate_limit import RateLimit
from dms.command.send_buffer import SendBuffer
from dms.errors import Conflict, DmsError, Forbidden, HelloRequired, RateLimited, Refused, Unauthenticated
from dms.instant import Clock
from dms.rpc.message import Params
from dms.rpc.message import Request as Call
from dms.rpc.session import Session
from dms.websocket.close_code import CloseCode, close_code, close_reason
from dms.websocket.expiry import Expiry, has_passed
from dms.websocket.frame import text_frame
from dms.websocket.handshake import Guard, choose_subprotocol, objection, rejection
from dms.websocket.heartbeat import Heartbeat
from dms.websocket.hello import (
    HELLO,
    REFRESH,
    Client,
    Node,
    RefreshParameters,
    first_token,
    no_second_token,
    principal,
    read_greeting,
    read_hello,
    welcome,
)
from dms.websocket.registry import SocketRegistry

MOST_REFUSED = 1_000
"""How often one socket may be told that it asks too often, without a pause, before it is hung up on."""

_log = logging.getLogger("dms.websocket")
_wire_log = logging.getLogger("dms.websocket.wire")
_wire_log.setLevel(logging.WARNING)  # below that the library writes whole headers and frames, and so tokens


class ServerState(Protocol):
    """What uvicorn keeps of its connections, and waits for when it stops."""

    connections: set[Any]
    tasks: set[asyncio.Task[None]]


class Endpoint(msgspec.Struct, frozen=True):
    """What all sockets of a node have in common. `authenticate` tells whose token one is, `guard` what is wrong with a
    request's headers, `limits` what holds for one that comes now, `rate` how often its token may ask, `registry` keeps
    the sockets of each token; `node` is what a hello is answered with."""

    operations: Operations
    authenticate: Authenticate
    guard: Guard
    limits: Callable[[], Limits]
    rate: RateLimit
    registry: SocketRegistry
    node: Node
    clock: Clock


class WebSocketConnection(asyncio.Protocol):
    """A peer from its upgrade on. It is known by the token of the upgrade's header or of its `session.hello`, and has a
    Connection from then on."""

    def __init__(self, endpoint: Endpoint, server: ServerState) -> None:
        self._endpoint, self._server, self._limits = endpoint, server, endpoint.limits()
        self._loop = asyncio.get_running_loop()
        self._protocol = ServerProtocol(
            max_size=self._limits.hello, select_subprotocol=choose_subprotocol, logger=_wire_log
        )
        self._heartbeat = Heartbeat(self._limits.ping, ping=self._beat, silent=self._silent)
        self._expiry = Expiry(endpoint.clock, self._expired)
        self._connection: Connection | None = None
        self._client = Client()
        self._greeted = self._closing = self._flushing = False
        self._pieces = Pieces(self._take, self)
        self._partial = bytearray()
        self._said: list[bytes] = []
        self._outgoing: list[bytes] = []
        self._refused = 0
        self._hello_timer: asyncio.TimerHandle | None = None
        self._grace_timer: asyncio.TimerHandle | None = None

    # ── what uvicorn and the loop call ────────────────────────────────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody wants a WebSocket; the request itself follows at once."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._server.connections.add(self)
        self._buffer = SendBuffer(
            transport, limit=self._limits.send_buffer, patience=self._limits.patience, too_slow=self._too_slow
        )

    def data_received(self, data: bytes) -> None:
        """The upgrade's request, whole, and then frames or parts of them."""
        self._heartbeat.heard()
        self._pieces.feed(data)

    def _take(self, data: bytes) -> None:
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if isinstance(event, Request):
                self._upgrade(event)
            elif isinstance(event, Frame) and not self._closing:
                self._frame(event)
        self._hear()
        if self._protocol.parser_exc is not None and not self._closing:
            self._hung_up(str(self._protocol.close_sent))
        self._flush()

    def eof_received(self) -> None:
        """It will say no more, so neither do we."""
        self._protocol.receive_eof()
        self._flush()

    def pause_writing(self) -> None:
        """It reads too slowly: take nothing more from it until it does, and not for ever."""
        self._heartbeat.stop()  # its pongs are not read now
        self._buffer.pause()

    def resume_writing(self) -> None:
        """It has caught up."""
        self._buffer.resume()
        self._reads_again()

    def shutdown(self) -> None:
        """The node stops: answer what is due, say so, and hang up."""
        if self._connection is None:
            self.close(CloseCode.SHUTDOWN, "the node is stopping")
        else:
            self._let_the_server_wait_for(self._stop(self._connection))

    def connection_lost(self, error: Exception | None) -> None:
        """It has gone."""
        self._closing = True
        self._pieces.stop()
        self._heartbeat.stop()
        self._expiry.stop()
        self._buffer.release()
        for timer in (self._hello_timer, self._grace_timer):
            if timer is not None:
                timer.cancel()
        self._server.connections.discard(self)
        if self._connection is not None:
            self._forget(self._connection.caller)
            self._let_the_server_wait_for(self._connection.close())

    def _let_the_server_wait_for(self, ending: Any) -> None:
        task = self._loop.create_task(ending)
        self._server.tasks.add(task)
        task.add_done_callback(self._server.tasks.discard)

    async def _stop(self, connection: Connection) -> None:
        await connection.stop()
        self.close(CloseCode.SHUTDOWN, "the node is stopping")

    # ── what the Connection calls ─────────────────────────────────────────────────────────────────────────────────────

    def send(self, text: bytes) -> None:
        """A message for it; nothing more is said to one that is being hung up on, or whose wire has broken."""
        if self._protocol.state is State.OPEN and not self._closing and not self._transport.is_closing():
            self._outgoing += self._protocol.data_to_send()
            self._outgoing.append(text_frame(text))
            self._flush_soon()

    async def drained(self) -> None:
        """Wait until it has read enough for more."""
        self._flush()
        await self._buffer.drained()

    def hold(self) -> None:
        """It asks for more than can be done at once."""
        self._heartbeat.stop()  # its pongs are not read now
        self._buffer.hold()

    def go_on(self) -> None:
        """It may ask for more."""
        self._buffer.go_on()
        self._reads_again()

    def _reads_again(self) -> None:
        if self._protocol.state is State.OPEN and self._buffer.reads:
            self._heartbeat.start()

    def idle(self) -> None:
        """Nothing is due to it: it stays as long as it likes."""

    # ── the wire ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _flush_soon(self) -> None:
        """Answers that are ready together leave together: one call of the system for all of them."""
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        if chunks := self._outgoing + self._protocol.data_to_send():
            self._outgoing = []
            ends = chunks[-1] == SEND_EOF
            self._buffer.write(b"".join(chunks))
            if ends:
                self._end_of_stream()
        if self._grace_timer is None and self._protocol.close_expected():
            self._grace_timer = self._loop.call_later(self._limits.grace, self._transport.abort)

    def _end_of_stream(self) -> None:
        """Ours only where that can be: data that is still on its way here would otherwise reset the connection, and the
        peer would not read why it was closed."""
        if self._transport.can_write_eof():
            self._transport.write_eof()
        else:
            self._transport.close()

    def close(self, code: CloseCode, reason: str) -> None:
        """Hang up, and say why; one that doesn't do its part in time is cut off."""
        if self._protocol.state is State.CONNECTING:
            self._transport.close()
        elif self._protocol.state is State.OPEN:
            self._hung_up(f"{code:d} {reason}")
            self._protocol.send_close(code, close_reason(reason))
            self._flush()

    def _hung_up(self, why: str) -> None:
        """Whoever is being hung up on gets no other word, and nothing that it asked for goes on."""
        self._closing = True
        self._heartbeat.stop()
        self._expiry.stop()
        _log.info("hung up on %s: %s", self._who, why)
        if self._connection is not None:
            self._let_the_server_wait_for(self._connection.close())

    @property
    def _who(self) -> str:
        name = "a peer that did not say who it is" if self._connection is None else self._connection.caller.name
        return f"{name} ({self._client.name} {self._client.version})" if self._client.name else name

    def _frame(self, frame: Frame) -> None:
        if frame.opcode is Opcode.BINARY:
            self.close(CloseCode.BINARY, "messages are text frames")
        elif frame.opcode is Opcode.TEXT or frame.opcode is Opcode.CONT:
            if frame.fin and not self._partial:
                self._message(bytes(frame.data))
                return
            self._partial += frame.data  # not a list: there is no end to empty parts
            if frame.fin:
                text, self._partial = bytes(self._partial), bytearray()
                self._message(text)

    def _message(self, text: bytes) -> None:
        if not _is_utf8(text):
            self.close(CloseCode.NOT_UTF8, "a text frame is not valid UTF-8")
        elif self._connection is None:
            self._greet(text)
        else:
            self._said.append(text)

    def _hear(self) -> None:
        """All that has come at once goes on at once, so that it takes its share of the time and no more."""
        if self._said and self._connection is not None:
            said, self._said = self._said, []
            self._connection.receive(*said)

    # ── coming in ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _upgrade(self, request: Request) -> None:
        found = objection(request, self._endpoint.guard)
        if found:
            return self._reject(*found)
        response = self._protocol.accept(request)
        if response.status_code != HTTPStatus.SWITCHING_PROTOCOLS:
            return self._protocol.send_response(response)
        try:
            token = bearer_token(request.headers.get_all("Authorization"))
            caller = None if token is None else self._authenticate(token)
        except Unauthenticated as error:
            return self._reject(HTTPStatus.UNAUTHORIZED, str(error))
        except Refused as error:
            return self._reject(HTTPStatus.FORBIDDEN, str(error))
        self._protocol.send_response(response)
        self._heartbeat.start()
        self._await_hello() if caller is None else self._let_in(caller)

    def _reject(self, status: HTTPStatus, text: str) -> None:
        address, *_ = self._transport.get_extra_info("peername") or ("?",)  # its port would make each line another
        _log.warning("a WebSocket of %s was refused before its upgrade: %d %s", address, status, text)
        self._protocol.send_response(rejection(self._protocol, status, text))

    def _authenticate(self, token: str) -> Caller:
        caller = self._endpoint.authenticate(token)
        if has_passed(caller.expires, self._endpoint.clock):
            raise Unauthenticated("the token has expired; make a new one with dms token create")
        return msgspec.structs.replace(caller, door="websocket")

    def _await_hello(self) -> None:
        late = partial(self.close, CloseCode.UNAUTHENTICATED, f"no {HELLO} within {self._limits.hello_within:g} s")
        self._hello_timer = self._loop.call_later(self._limits.hello_within, late)

    def _greet(self, text: bytes) -> None:
        """The first message of one that is not known yet: a good hello, or the end."""
        session = Session(self._limits.hello)
        greeting = read_greeting(session, text)
        if isinstance(greeting, Call):
            self._try_to_let_in(session, greeting)
        else:
            for answer in greeting:
                self.send(answer)
            self.close(CloseCode.UNAUTHENTICATED, f"{HelloRequired.code}: the first message must be {HELLO}")

    def _try_to_let_in(self, session: Session, greeting: Call) -> None:
        try:
            hello = read_hello(greeting.params)
            caller = self._authenticate(first_token(hello))
            self._enrol(caller)
        except DmsError as error:
            self.send(session.fail(greeting, error) or b"")
            self.close(close_code(error), f"{error.code}: {error}")
        else:
            self._client, self._greeted = hello.client, True
            self._open(caller)
            self.send(session.reply(greeting, welcome(self._endpoint.node, caller, self._limits)) or b"")

    def _let_in(self, caller: Caller) -> None:
        """One that the upgrade's header made known."""
        try:
            self._enrol(caller)
        except DmsError as error:
            self.close(close_code(error), f"{error.code}: {error}")
        else:
            self._open(caller)

    def _open(self, caller: Caller) -> None:
        if self._hello_timer is not None:
            self._hello_timer.cancel()
        self._protocol.max_message_size = self._limits.message
        own = {HELLO: self._hello, REFRESH: self._refresh}
        self._connection = Connection(
            self, self._endpoint.operations, caller, limits=self._limits, own=own, admit=self._admit
        )
        self._expiry.watch(caller.expires)
        _log.debug("%s came in", self._who)

    def _enrol(self, caller: Caller) -> None:
        if caller.token_id is not None:
            self._endpoint.registry.admit(caller.token_id, self)

    def _admit(self) -> None:
        """RateLimited where its token asks too often; one that does not even listen to that is hung up on. What it said
        before that, or before its token was revoked, is not done any more: Unauthenticated."""
        assert self._connection is not None
        if self._closing:
            raise Unauthenticated("this connection is being hung up on")
        token_id = self._connection.caller.token_id
        if token_id is None:
            return
        try:
            self._endpoint.rate.take(token_id)
        except RateLimited:
            self._refused += 1
            if self._refused > MOST_REFUSED:
                self.close(CloseCode.FLOOD, "it asks again and again, and far too often")
            raise
        self._refused = 0

    def _forget(self, caller: Caller) -> None:
        if caller.token_id is not None:
            self._endpoint.registry.forget(caller.token_id, self)

    # ── staying in ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _hello(self, params: Params) -> dict[str, Any]:
        """From one that the upgrade's header has made known already: what it is told is the same."""
        assert self._connection is not None
        if self._greeted:
            raise Conflict(f"{HELLO} comes once, and this connection has had it; {REFRESH} takes another token")
        hello = read_hello(params)
        no_second_token(hello)
        self._client, self._greeted = hello.client, True
        return welcome(self._endpoint.node, self._connection.caller, self._limits)

    def _refresh(self, params: Params) -> dict[str, Any]:
        """A token that is good for longer, and for no less: what this connection follows was opened with the old one's
        scopes."""
        assert self._connection is not None
        old, new = self._connection.caller, self._authenticate(decode_parameters(RefreshParameters, params).token)
        if missing := sorted(scope for scope in old.scopes if not new.may(scope)):
            raise Forbidden(
                f"the token lacks {', '.join(missing)}, which this connection has; open another one with it"
            )
        if new.token_id != old.token_id:
            self._enrol(new)
            self._forget(old)
        self._connection.caller = new
        self._expiry.watch(new.expires)
        return {"principal": principal(new)}

    def _expired(self) -> None:
        self.close(CloseCode.UNAUTHENTICATED, f"the token has expired; {REFRESH} would have renewed it")

    def _beat(self) -> None:
        if self._expiry.passed:  # the clock was set forward, or the machine slept
            self._expired()
        elif self._protocol.state is State.OPEN:
            self._protocol.send_ping(b"")
            self._flush()

    def _silent(self) -> None:
        self.close(CloseCode.SILENT, f"a ping was not answered within {self._limits.ping:g} s")

    def _too_slow(self) -> None:
        self.close(CloseCode.SLOW_READER, f"nothing was read for {self._limits.patience:g} s while much was waiting")


def _is_utf8(text: bytes) -> bool:
    if text.isascii():
        return True
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
