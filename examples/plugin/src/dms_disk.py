"""A plugin for DMS: a task that looks each minute how full the disk is, an operation that tells
it when asked, and a gate for tasks that need room on it."""

import shutil
from collections.abc import Callable
from typing import Any

import msgspec

from dms import Command, Effect, NodeContext, Operation, PeriodicTrigger, Task


class DiskParameters(msgspec.Struct, frozen=True):
    """From how many percent on the disk counts as full."""

    limit: float = 90


class Disk(msgspec.Struct, frozen=True):
    """How many bytes the disk of the node's data folder has, how many are free, and whether it is full."""

    total: int
    free: int
    full: bool


def disk(context: NodeContext, limit: float = 90) -> Disk:
    """How it is now."""
    usage = shutil.disk_usage(context.data_dir)
    return Disk(usage.total, usage.free, usage.used >= usage.total * limit / 100)


def tasks(context: NodeContext) -> list[Task]:
    """What the node is to do by itself."""

    def look() -> dict[str, Any]:
        found = disk(context)
        if found.full:
            context.scheduler.emit("disk.full", {"free": found.free})
            context.logger.warning("the disk is nearly full", free=found.free)
        return msgspec.to_builtins(found)  # type: ignore[no-any-return]

    every_minute = PeriodicTrigger("1m", at_start=True)
    return [Task("disk", look, description="How full the disk is", triggers=[every_minute], timeout="10s")]


def room(context: NodeContext) -> Callable[[], bool]:
    """A gate: whether there is room on the disk."""
    return lambda: not disk(context).full


def operations(context: NodeContext) -> list[Operation]:
    """What may be asked of the node."""

    def tell(parameters: DiskParameters, command: Command) -> Disk:
        return disk(context, parameters.limit)

    return [
        Operation(
            "disk.get",
            DiskParameters,
            Disk,
            "node:read",
            Effect.READ,
            tell,
            "Tells how full the disk is.",
            ({"limit": 80},),
        )
    ]
