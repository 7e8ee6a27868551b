"""The WebSocket as uvicorn takes it: a protocol class, for its setting `ws`."""

import asyncio
from collections.abc import Callable
from typing import Any

from dms.access.bearer import Authenticate
from dms.command.limits import Limits
from dms.command.operation import Operations
from dms.command.rate_limit import RateLimit
from dms.instant import Clock
from dms.websocket.connection import Endpoint, ServerState, WebSocketConnection
from dms.websocket.handshake import Guard
from dms.websocket.hello import Node
from dms.websocket.registry import SocketRegistry


def websocket_protocol(
    operations: Operations,
    authenticate: Authenticate,
    guard: Guard,
    limits: Callable[[], Limits],
    rate: RateLimit,
    registry: SocketRegistry,
    *,
    node: Node,
    clock: Clock,
) -> type[asyncio.Protocol]:
    """The class to give to `uvicorn.Config(ws=…)`. `authenticate` tells whose token one is, `guard` what is wrong with
    a request's headers, `limits` what holds for one that comes now, `rate` how often its token may ask, `registry`
    keeps the sockets of each token; `node` is what a hello is answered with."""
    endpoint = Endpoint(operations, authenticate, guard, limits, rate, registry, node, clock)

    class Protocol(WebSocketConnection):
        def __init__(
            self,
            config: object,
            server_state: ServerState,
            app_state: dict[str, Any],
            _loop: asyncio.AbstractEventLoop | None = None,
        ) -> None:
            super().__init__(endpoint, server_state)

    return Protocol
