"""`logs.*`: what the node says of itself."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from dms.access.caller import LOGS_READ
from dms.command.command import Command
from dms.command.operation import Effect, Operation
from dms.command.topic import Topic


class TailParameters(msgspec.Struct, frozen=True):
    """How many of the newest lines."""

    limit: Annotated[int, Meta(ge=1, le=1000)] = 100


class Tail(msgspec.Struct, frozen=True):
    """The newest lines, oldest first, and the cursor from which `sub.open` of `logs` goes on without a gap."""

    lines: list[dict[str, Any]]
    cursor: str


def logs_topic(epoch: int) -> Topic:
    """`logs`: the logger publishes each line that it writes, as an object with `at`, `level`, `event` and more."""
    return Topic("logs", scope=LOGS_READ, epoch=epoch, fields=("level", "logger", "task"))


def logs_operations(topic: Topic) -> list[Operation]:
    """`logs.tail`, of this topic."""

    def tail(params: TailParameters, command: Command) -> Tail:
        cursor, lines = topic.tail(params.limit)
        return Tail(lines, cursor)

    return [
        Operation(
            "logs.tail",
            TailParameters,
            Tail,
            LOGS_READ,
            Effect.READ,
            tail,
            "Tells the newest lines of the log.",
            ({"limit": 20},),
        )
    ]
