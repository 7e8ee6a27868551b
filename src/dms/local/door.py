"""LocalDoor: listens at the node's Unix socket and keeps the list of those who are connected."""

import asyncio
import os
from pathlib import Path

from dms.access.socket_place import place_socket, remove_socket
from dms.command.operation import Operations
from dms.errors import Overloaded, ShuttingDown, StoreError
from dms.local.peer_connection import PeerConnection
from dms.local.socket_file import bind

MAX_PEERS = 64
"""Peers that may be connected at once."""


class LocalDoor:
    """The Unix socket of a node's data folder. `start` and `stop` run on the loop that its commands run on.

    `patience` is how many seconds a peer that reads nothing is borne with.
    """

    def __init__(
        self,
        data_dir: str | os.PathLike[str],
        operations: Operations,
        *,
        patience: float = 60,
    ) -> None:
        self._data_dir = data_dir
        self._operations = operations
        self._patience = patience
        self._peers: set[PeerConnection] = set()
        self._server: asyncio.Server | None = None
        self._path: Path | None = None

    @property
    def peers(self) -> int:
        """How many are connected."""
        return len(self._peers)

    async def start(self) -> Path:
        """Listen, and give the socket's path. FolderInUse where another node listens there; StoreError where the
        socket can't be made; Refused where the run-time folder for a long path is somebody else's."""
        self._path = self._place()
        listening = bind(self._path)
        os.register_at_fork(after_in_child=listening.close)  # what a task forks may outlive the node
        self._server = await asyncio.get_running_loop().create_unix_server(self._peer, sock=listening)
        return self._path

    def _place(self) -> Path:
        try:
            return place_socket(self._data_dir)
        except OSError as error:
            raise StoreError(
                f"no place for the node's socket: {error}; look at who owns that, and at the disk"
            ) from None

    def _peer(self) -> PeerConnection:
        return PeerConnection(self._operations, self._admit, self._peers.discard, self._patience)

    def _admit(self, peer: PeerConnection) -> None:
        if self._server is None:  # it came while the door was closing
            raise ShuttingDown("the node is stopping; ask again once it is back")
        if len(self._peers) >= MAX_PEERS:
            raise Overloaded(f"{MAX_PEERS} callers are connected already; close one, or try again later")
        self._peers.add(peer)

    async def stop(self, grace: float) -> None:
        """Listen no longer, tell everybody why, give them so many seconds to read it, and take the socket away. Safe
        where it was never started."""
        if self._server is None or self._path is None:
            return
        server, self._server = self._server, None
        await _accept_no_more(server)
        server.close()
        await asyncio.gather(*(peer.stop(grace) for peer in tuple(self._peers)))
        remove_socket(self._data_dir, self._path)


async def _accept_no_more(server: asyncio.Server) -> None:
    """Let those come in who were accepted already: a server that is closed under them would leave them hanging."""
    for listening in server.sockets:
        asyncio.get_running_loop().remove_reader(listening.fileno())
    for _ in range(2):  # one turn of the loop to make their transport, one to tell the protocol
        await asyncio.sleep(0)
