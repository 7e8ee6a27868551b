"""Caller: who asks for something, by which door, and what they may."""

import msgspec

from dms.access.peer import Peer, user_name
from dms.errors import Refused

TASK_READ = "task:read"
TASK_RUN = "task:run"
TASK_WRITE = "task:write"
EVENT_EMIT = "event:emit"
CONFIG_READ = "config:read"
CONFIG_WRITE = "config:write"
NODE_READ = "node:read"
LOGS_READ = "logs:read"
TOKEN_WRITE = "token:write"
EXEC_RUN = "exec:run"
ADMIN = "admin"
"""Holds every other scope."""

SCOPES = frozenset(
    {
        TASK_READ,
        TASK_RUN,
        TASK_WRITE,
        EVENT_EMIT,
        CONFIG_READ,
        CONFIG_WRITE,
        NODE_READ,
        LOGS_READ,
        TOKEN_WRITE,
        EXEC_RUN,
        ADMIN,
    }
)
"""Those that the node itself asks for; a plugin's operations may ask for others."""


class Caller(msgspec.Struct, frozen=True):
    """Somebody who asks: a name for the log, the door they came in by, and the scopes that they hold.

    One who showed a token is known by its `token_id`, until it `expires` (wall microseconds, None for never).
    """

    name: str
    door: str
    scopes: frozenset[str]
    token_id: str | None = None
    expires: int | None = None

    def may(self, scope: str) -> bool:
        """Whether they hold a scope, or the one that holds all."""
        return scope in self.scopes or ADMIN in self.scopes


def caller_by_socket(peer: Peer, own_uid: int) -> Caller:
    """The caller that a peer is: the node's own user and root may do everything, and Refused everybody else."""
    if peer.uid not in (0, own_uid):
        raise Refused(
            f"user {user_name(peer.uid)} may not command this node, which runs as {user_name(own_uid)}; "
            f"ask as {user_name(own_uid)} or as root"
        )
    return Caller(user_name(peer.uid), "socket", frozenset({ADMIN}))
