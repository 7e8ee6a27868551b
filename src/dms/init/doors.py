"""The doors of a node: who may ask it, where. All of them lead to the same operations."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from dms.access.bearer import Authenticate
from dms.command.operation import Operations
from dms.config import ConfigFinding, Loaded
from dms.config.live import LiveConfig
from dms.health import Health
from dms.http.guard import LiveGuard
from dms.http.live import LiveDoor, Serving
from dms.init.limits import limits_of
from dms.instant import Clock
from dms.local.door import LocalDoor
from dms.websocket.registry import SocketRegistry


class Doors:
    """The Unix socket in the data folder, and the TCP door, which follows the configuration. All of it runs on the
    node's loop; `node` is what a peer is told of it, its name and the number of its start."""

    def __init__(
        self,
        folder: Path,
        live: LiveConfig,
        operations: Operations,
        authenticate: Authenticate,
        *,
        node: tuple[str, str],
        health: Health,
        metrics: Callable[[], bytes],
        clock: Clock,
    ) -> None:
        self._live, self._operations, self._authenticate = live, operations, authenticate
        self._node, self._health, self._metrics, self._clock = node, health, metrics, clock
        self._sockets = SocketRegistry(lambda: limits_of(live.config).sockets)
        self._guard = LiveGuard(live.config.rest)
        self._local, self._socket = LocalDoor(folder, operations), ""
        self.http = LiveDoor(self._serving, self._guard, clock, lambda: live.config.rest.max_connections)

    def _serving(self) -> Serving:
        from dms.init.serving import serving  # with the first who comes by TCP

        return serving(
            self._operations,
            self._authenticate,
            self._guard,
            self._sockets,
            config=lambda: self._live.config,
            node=self._node,
            health=self._health,
            metrics=self._metrics,
            clock=self._clock,
        )

    @property
    def places(self) -> list[str]:
        """Where they are, as a status tells it."""
        return [*self.urls, *([f"socket {self._socket}"] if self._socket else [])]

    @property
    def urls(self) -> list[str]:
        """Where the TCP door is."""
        return self.http.urls

    @property
    def findings(self) -> Sequence[ConfigFinding]:
        """Why the TCP door is not as the configuration wants it."""
        return self.http.findings

    def peers(self) -> Mapping[tuple[str, ...], int]:
        """How many are connected, by door."""
        return {("socket",): self._local.peers, ("http",): self.http.peers}

    def claim(self) -> None:
        """Before anything else begins: take the TCP door's address. AddressInUse where somebody else has it."""
        self.http.claim(self._live.loaded)

    async def open(self) -> None:
        """Let people in. StoreError where the socket can't be made."""
        self._socket = str(await self._local.start())
        self.http.open()

    async def refresh(self, loaded: Loaded) -> None:
        """What the configuration names may have changed with it: a certificate, an address."""
        await self.http.refresh(loaded)

    def hang_up(self, token_id: str) -> None:
        """A token was revoked: whoever came in with it goes."""
        self._sockets.close_token(token_id)

    async def close(self, within: float) -> None:
        """Answer what is due, tell everybody, and cut off who has not gone after half of so many seconds."""
        await asyncio.gather(self._local.stop(within / 2), self.http.stop(within / 2))
