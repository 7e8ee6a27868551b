"""Command: one request to run an operation, from whichever door it came."""

import logging
from collections.abc import Coroutine
from enum import StrEnum
from functools import lru_cache
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any

import msgspec

from dms.access.caller import Caller
from dms.clock import stopwatch
from dms.command.operation import Effect, Operation, Operations
from dms.command.parameters import decode_parameters
from dms.errors import DmsError, Forbidden, NotFound, ShuttingDown, UnknownMethod, did_you_mean
from dms.trace import CURRENT, Trace, begin, read_traceparent

if TYPE_CHECKING:
    from dms.command.connection import Connection

_log = logging.getLogger("dms.command")
_waits = lru_cache(256)(iscoroutinefunction)


class State(StrEnum):
    """How far a command has come; `rejected` is one that was never run."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    REJECTED = "rejected"


class Command:
    """Somebody asking for something: the operation's name, its parameters, who asks, and what became of it.

    `node_id` names the node on which it is to run; None is the node that hears it. `connection` is where it came in,
    None where there is no lasting one. `trace` is its span once it runs, a part of the one that `_meta.traceparent` of
    its parameters names; `took` is how many seconds it ran, once it has ended.
    """

    __slots__ = ("caller", "command", "connection", "error", "node_id", "params", "result", "state", "took", "trace")

    def __init__(
        self,
        command: str,
        params: dict[str, Any] | list[Any] | None = None,
        *,
        caller: Caller,
        connection: "Connection | None" = None,
        node_id: str | None = None,
    ) -> None:
        self.command = command
        self.params = {} if params is None else params
        self.caller = caller
        self.connection = connection
        self.node_id = node_id
        self.state = State.PENDING
        self.result: Any = None
        self.error: BaseException | None = None
        self.trace: Trace | None = None
        self.took = 0.0

    async def run(self, operations: Operations) -> Any:
        """Run it, once, and give its result, which is then also in `result`. What it raises is also in `error`:
        UnknownMethod, Forbidden, InvalidParameters or ShuttingDown before it runs, and after that whatever the
        operation raises."""
        waiting = self.begin(operations)
        return self.result if waiting is None else await waiting

    def begin(self, operations: Operations) -> Coroutine[Any, Any, Any] | None:
        """Run it as far as it waits for nothing: gives None where that was all of it, and else what is still to be
        awaited. It raises what `run` does. All that it does is part of its trace."""
        self.trace = begin(_parent(self.params) if "_meta" in self.params else None)
        outside = CURRENT.set(self.trace)
        began = stopwatch()
        try:
            waiting = self._begin(operations, began)
        except BaseException:
            self._over(operations, began)
            raise
        finally:
            CURRENT.reset(outside)
        if waiting is None:
            self._over(operations, began)
        return waiting

    def _begin(self, operations: Operations, began: float) -> Coroutine[Any, Any, Any] | None:
        try:
            operation, parameters = self._prepare(operations)
        except DmsError as error:
            self.state, self.error = State.REJECTED, error
            raise
        self.state = State.RUNNING
        if _waits(operation.handler):
            return self._wait(operation, parameters, operations, began)
        try:
            self._succeeded(operation.handler(parameters, self))
        except BaseException as error:
            self._failed(error)
            raise
        return None

    async def _wait(
        self, operation: Operation, parameters: msgspec.Struct, operations: Operations, began: float
    ) -> Any:
        CURRENT.set(self.trace)
        try:
            self._succeeded(await operation.handler(parameters, self))
        except BaseException as error:
            self._failed(error)
            raise
        finally:
            self._over(operations, began)
        return self.result

    def _over(self, operations: Operations, began: float) -> None:
        self.took = stopwatch() - began
        operations.ended(self)

    def _succeeded(self, result: Any) -> None:
        self.result, self.state = result, State.SUCCEEDED

    def _prepare(self, operations: Operations) -> tuple[Operation, msgspec.Struct]:
        operation = operations.get(self.command)
        if operation is None:
            raise UnknownMethod(f"there is no method {self.command}.{did_you_mean(self.command, operations)}")
        if not self.caller.may(operation.scope):
            raise Forbidden(f"{self.command} needs the scope {operation.scope}, which {self.caller.name} does not hold")
        if self.node_id is not None:
            raise NotFound(f"no node {self.node_id} can be reached from here: this node has joined no fleet")
        if operation.effect is not Effect.READ and not operation.while_stopping and operations.closed:
            raise ShuttingDown("the node is stopping and takes nothing new; ask again once it is back")
        return operation, decode_parameters(operation.parameters, self.params)

    def _failed(self, error: BaseException) -> None:
        self.error = error
        self.state = State.FAILED if isinstance(error, Exception) else State.CANCELLED
        if isinstance(error, Exception) and not isinstance(error, DmsError):
            _log.error("%s failed unforeseen", self.command, exc_info=error)


def _parent(params: dict[str, Any] | list[Any]) -> Trace | None:
    meta = params["_meta"] if isinstance(params, dict) else None
    return read_traceparent(meta.get("traceparent")) if isinstance(meta, dict) else None
