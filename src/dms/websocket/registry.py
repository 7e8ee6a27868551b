"""SocketRegistry: which sockets each token has opened, so that there are not too many and a revoked one has none."""

from collections.abc import Callable
from typing import Protocol

from dms.errors import Overloaded
from dms.websocket.close_code import CloseCode


class Closable(Protocol):
    """A socket that can be hung up on."""

    def close(self, code: CloseCode, reason: str) -> None:
        """Hang up, with a code and a reason."""


class SocketRegistry:
    """The open sockets by token. All of it runs on the loop of the doors. `limit` tells how many a token may have."""

    def __init__(self, limit: Callable[[], int]) -> None:
        self._limit = limit
        self._sockets: dict[str, set[Closable]] = {}

    def admit(self, token_id: str, socket: Closable) -> None:
        """One more of this token. Overloaded where it has as many as it may."""
        limit = self._limit()
        if self.count(token_id) >= limit:
            raise Overloaded(f"this token has {limit} sockets open, as many as it may; close one of them")
        self._sockets.setdefault(token_id, set()).add(socket)

    def forget(self, token_id: str, socket: Closable) -> None:
        """It has gone, or goes by another token now."""
        remaining = self._sockets.get(token_id, set())
        remaining.discard(socket)
        if not remaining:
            self._sockets.pop(token_id, None)

    def count(self, token_id: str) -> int:
        """How many a token has open."""
        return len(self._sockets.get(token_id, ()))

    def close_token(self, token_id: str) -> None:
        """A token was revoked: none of its sockets stays open, and none gets another word."""
        for socket in self._sockets.pop(token_id, set()):
            socket.close(CloseCode.UNAUTHENTICATED, "the token was revoked")
