"""The WebSocket as uvicorn takes it: a protocol class, for its setting `ws`."""

import asyncio
from typing import Any

from dms.websocket.connection import Endpoint, ServerState, WebSocketConnection


def websocket_protocol(endpoint: Endpoint) -> type[asyncio.Protocol]:
    """The class to give to `uvicorn.Config(ws=…)`."""

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
