"""A node's WebSocket on loopback: a real uvicorn with our protocol class, and a real client to drive it."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec
import pytest
import uvicorn
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from dms.access.caller import ADMIN, NODE_READ, Caller
from dms.command.command import Command
from dms.command.limits import Limits
from dms.command.operation import Effect, Nothing, Operation, by_name
from dms.command.rate_limit import RateLimit
from dms.command.subscription import subscription_operations
from dms.command.topic import Topic
from dms.errors import Forbidden, Unauthenticated
from dms.testing import FakeClock
from dms.websocket.connection import Endpoint
from dms.websocket.endpoint import websocket_protocol
from dms.websocket.hello import Node
from dms.websocket.registry import SocketRegistry
from servers import Server


class Size(msgspec.Struct):
    size: int


class Operations:
    """`note` is done at once, `fill` answers with so many bytes, `wait` until it is let go; `secret` needs a scope that
    only the administrator has. `freed` is set when nobody waits any more."""

    def __init__(self) -> None:
        self.topic = Topic("logs", scope=NODE_READ, epoch=1, capacity=50)
        self.waiting, self.let_go, self.freed = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.noted = asyncio.Event()
        mine = [
            Operation("note", Nothing, str, NODE_READ, Effect.ONCE, self.note, ""),
            Operation("fill", Size, str, NODE_READ, Effect.READ, self.fill, ""),
            Operation("wait", Nothing, str, NODE_READ, Effect.ONCE, self.wait, ""),
            Operation("secret", Nothing, str, ADMIN, Effect.READ, self.note, ""),
        ]
        self.table = by_name(mine, subscription_operations([self.topic]))

    async def note(self, params: Nothing, command: Command) -> str:
        self.noted.set()
        return command.caller.name

    async def fill(self, params: Size, command: Command) -> str:
        return "x" * params.size

    async def wait(self, params: Nothing, command: Command) -> str:
        self.waiting.set()
        try:
            await self.let_go.wait()
        finally:
            self.freed.set()
        return "let go"


class Tokens:
    """Whose token is whose; `ana` may read, `root` everything, `dora` may not come in by this door."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.callers = {
            "ana-token": Caller("ana", "token", frozenset({NODE_READ}), token_id="t1"),
            "root-token": Caller("root", "token", frozenset({ADMIN}), token_id="t2"),
        }

    def __call__(self, token: str) -> Caller:
        if token == "dora-token":
            raise Forbidden("dora may not come in here")
        if token not in self.callers:
            raise Unauthenticated("no such token; see dms token list")
        return self.callers[token]

    def expire(self, token: str, seconds: float) -> None:
        """So many seconds from now, by the clock that is turned by hand."""
        expires = self._clock.now().wall + round(seconds * 1_000_000)
        self.callers[token] = msgspec.structs.replace(self.callers[token], expires=expires)


async def no_app(scope: Any, receive: Any, send: Any) -> None:
    raise AssertionError("nothing of a WebSocket gets as far as the application")


@contextlib.asynccontextmanager
async def served(protocol: type[asyncio.Protocol]) -> AsyncIterator[tuple[Server, int]]:
    """A server whose WebSockets are this class, and its port."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        config = uvicorn.Config(
            no_app, ws=protocol, http="h11", lifespan="off", log_config=None, access_log=False, server_header=False
        )
        server = Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        await server.up.wait()
        try:
            yield server, listening.getsockname()[1]
        finally:
            server.ending.set()
            async with asyncio.timeout(5):
                await serving


class Peer:
    """The other end, message by message."""

    def __init__(self, wire: ClientConnection) -> None:
        self.wire = wire

    async def say(self, identifier: Any, method: str, **params: Any) -> None:
        await self.wire.send(request(identifier, method, **params))

    async def hear(self) -> Any:
        async with asyncio.timeout(5):
            return json.loads(await self.wire.recv())

    async def ask(self, method: str, **params: Any) -> Any:
        """The result, or the reason of the error."""
        await self.say(99, method, **params)
        return outcome(await self.hear())

    async def rest(self) -> list[Any]:
        """All that the node still says before it hangs up."""
        heard = []
        async with asyncio.timeout(10):
            with contextlib.suppress(ConnectionClosed):
                while True:
                    heard.append(json.loads(await self.wire.recv()))
        return heard

    async def end(self) -> tuple[int, str]:
        """With which code the node hangs up, and why; whatever it says before that goes by."""
        await self.rest()
        return self.wire.close_code or 0, self.wire.close_reason or ""


def request(identifier: Any, method: str, **params: Any) -> str:
    return json.dumps({"jsonrpc": "2.0", "id": identifier, "method": method, "params": params})


def outcome(answer: Any) -> Any:
    return answer["error"]["data"]["reason"] if "error" in answer else answer["result"]


class Door:
    """The node's side of it: its registry, its server, and how to get in."""

    def __init__(self, server: Server, port: int, registry: SocketRegistry) -> None:
        self.server, self.port, self.registry = server, port, registry
        self._wires: list[ClientConnection] = []

    async def knock(self, path: str = "/ws", **options: Any) -> Peer:
        """A peer whose upgrade has succeeded, and who has said nothing yet."""
        options = {"proxy": None, "compression": None, "max_size": None, "ping_interval": None, **options}
        wire = await connect(f"ws://127.0.0.1:{self.port}{path}", **options)
        self._wires.append(wire)
        return Peer(wire)

    async def enter(self, token: str = "ana-token", **options: Any) -> Peer:
        """A peer whose upgrade has shown a token."""
        return await self.knock(additional_headers={"Authorization": f"Bearer {token}"}, **options)

    def buffered(self) -> int:
        """Bytes that wait for the slowest of all to read."""
        return max(each._transport.get_write_buffer_size() for each in self.server.server_state.connections)

    def stop(self) -> None:
        self.server.ending.set()

    async def leave(self) -> None:
        for wire in self._wires:
            wire.transport.abort()
            await wire.wait_closed()


async def until(condition: Callable[[], object]) -> None:
    """Let the loop come round until something is so that nobody tells of."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 — there is no event to wait for, and no time passes
            await asyncio.sleep(0)


Open = Callable[..., Awaitable[Door]]


@pytest.fixture
async def operations() -> Operations:
    return Operations()


@pytest.fixture(name="served")
def served_() -> Callable[[type[asyncio.Protocol]], Any]:
    return served


@pytest.fixture(name="until")
def until_() -> Callable[[Callable[[], object]], Awaitable[None]]:
    return until


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def tokens(clock: FakeClock) -> Tokens:
    return Tokens(clock)


@pytest.fixture
async def open_door(operations: Operations, tokens: Tokens, clock: FakeClock) -> AsyncIterator[Open]:
    """Opens a door with limits of its own: `await open_door(patience=0.05)`."""
    async with contextlib.AsyncExitStack() as stack:

        async def open_(guard: Any = lambda headers: None, rate: int = 0, **limits: Any) -> Door:
            registry = SocketRegistry(lambda: limits.get("sockets", Limits().sockets))
            asking, node = RateLimit(lambda: rate, clock), Node("brisk-otter", "1795574168686333")
            allowed = lambda: Limits(**limits)  # noqa: E731
            endpoint = Endpoint(operations.table, tokens, guard, allowed, asking, registry, node, clock)
            server, port = await stack.enter_async_context(served(websocket_protocol(endpoint)))
            door = Door(server, port, registry)
            stack.push_async_callback(door.leave)
            return door

        yield open_


@pytest.fixture
async def door(open_door: Open) -> Door:
    return await open_door()
