"""`rpc.*`: the channel itself."""

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import msgspec

from dms.access.caller import NODE_READ
from dms.command.command import Command
from dms.command.operation import Effect, Nothing, Operation


def rpc_operations(operations: Callable[[], Iterable[Operation]], version: str) -> list[Operation]:
    """`rpc.ping`, and `rpc.discover` for all of `operations`."""

    def ping(params: Nothing, command: Command) -> str:
        return "pong"

    @cache  # milliseconds, and there are no more of them once somebody can ask
    def described() -> dict[str, Any]:
        return describe(operations(), version)

    def discover(params: Nothing, command: Command) -> dict[str, Any]:
        return described()

    return [
        Operation("rpc.ping", Nothing, str, NODE_READ, Effect.READ, ping, "Answers `pong`.", ({},)),
        Operation(
            "rpc.discover",
            Nothing,
            dict[str, Any],
            NODE_READ,
            Effect.READ,
            discover,
            "Describes every method, as an OpenRPC document.",
            ({},),
        ),
    ]


def describe(operations: Iterable[Operation], version: str) -> dict[str, Any]:
    """An OpenRPC document: https://spec.open-rpc.org."""
    known = list(operations)
    kinds = [kind for operation in known for kind in (operation.parameters, operation.result)]
    schemas, components = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    methods = [
        _method(operation, components[operation.parameters.__name__], result)
        for operation, result in zip(known, schemas[1::2], strict=True)
    ]
    return {
        "openrpc": "1.3.2",
        "info": {"title": "DMS", "version": version},
        "methods": methods,
        "components": {"schemas": components},
    }


def _method(operation: Operation, parameters: dict[str, Any], result: dict[str, Any]) -> dict[str, Any]:
    required = parameters.get("required", [])
    return {
        "name": operation.name,
        "summary": operation.summary,
        "params": [
            {"name": name, "required": name in required, "schema": schema}
            for name, schema in parameters.get("properties", {}).items()
        ],
        "result": {"name": "result", "schema": result},
        "x-scope": operation.scope,
        "x-effect": operation.effect,
    }
