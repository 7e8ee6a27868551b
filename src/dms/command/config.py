"""`config.*`: what the configuration says, and why."""

from collections.abc import Callable
from typing import Any

import msgspec

from dms.access.caller import CONFIG_READ
from dms.command.command import Command
from dms.command.operation import Effect, Operation
from dms.config import Explanation, Loaded, explain, get


class KeyParameters(msgspec.Struct, frozen=True):
    """A key such as `scheduler.max_running_tasks`, or a section such as `scheduler`."""

    key: str


def config_operations(loaded: Callable[[], Loaded]) -> list[Operation]:
    """`config.get` and `config.explain`, of what is loaded when they are asked."""

    async def get_key(params: KeyParameters, command: Command) -> dict[str, Any]:
        return get(loaded(), params.key)

    async def explain_key(params: KeyParameters, command: Command) -> Explanation:
        return explain(loaded(), params.key)

    example = ({"key": "scheduler.max_running_tasks"},)
    return [
        Operation(
            "config.get",
            KeyParameters,
            dict[str, Any],
            CONFIG_READ,
            Effect.READ,
            get_key,
            "Tells a key's or a section's value and where it comes from.",
            example,
        ),
        Operation(
            "config.explain",
            KeyParameters,
            Explanation,
            CONFIG_READ,
            Effect.READ,
            explain_key,
            "Tells what each layer says of a key, which is in force, and why the default is what it is.",
            example,
        ),
    ]
