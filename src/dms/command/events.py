"""`event.*`: tell the node that something happened."""

from typing import Any

import msgspec

from dms.access.caller import EVENT_EMIT
from dms.background_tasks.scheduler import Scheduler
from dms.command.command import Command
from dms.command.operation import Effect, Operation


class EmitParameters(msgspec.Struct, frozen=True):
    """The event's topic, and what comes with it."""

    topic: str
    payload: Any = None


class Emitted(msgspec.Struct, frozen=True):
    """The topic under which it was told to whatever listens."""

    topic: str


def event_operations(scheduler: Scheduler) -> list[Operation]:
    """`event.emit`, into this scheduler."""

    def emit(params: EmitParameters, command: Command) -> Emitted:
        scheduler.emit(params.topic, params.payload)
        return Emitted(params.topic)

    return [
        Operation(
            "event.emit",
            EmitParameters,
            Emitted,
            EVENT_EMIT,
            Effect.ONCE,
            emit,
            "Emits an event: the tasks that listen to its topic come due.",
            ({"topic": "door.opened", "payload": {"door": "north"}},),
        )
    ]
