"""Caller: who asks for something, by which door, and what they may."""

import msgspec

TASK_READ = "task:read"
TASK_RUN = "task:run"
EVENT_EMIT = "event:emit"
CONFIG_READ = "config:read"
NODE_READ = "node:read"
LOGS_READ = "logs:read"
ADMIN = "admin"
"""Holds every other scope."""


class Caller(msgspec.Struct, frozen=True):
    """Somebody who asks: a name for the log, the door they came in by, and the scopes that they hold."""

    name: str
    door: str
    scopes: frozenset[str]

    def may(self, scope: str) -> bool:
        """Whether they hold a scope, or the one that holds all."""
        return scope in self.scopes or ADMIN in self.scopes
