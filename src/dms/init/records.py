"""What a collector is told, as plain values: spans, lines of the log, figures. They are OpenTelemetry's once sent."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from dms.background_tasks.tasks.task import Execution, Status
from dms.command.command import Command, State
from dms.config.store import Revision
from dms.errors import DmsError, UnknownMethod
from dms.instant import SECOND
from dms.metrics import OTHER, Reading
from dms.trace import Trace, first_span

Attributes = Callable[[], Mapping[str, str]]
"""What the node that tells it is called at this moment, by OpenTelemetry's names."""


class Span(msgspec.Struct, frozen=True):
    """What it was, in which trace, and from when to when (wall microseconds). `error` says what went wrong, `link` is
    the `traceparent` of what led to it; `asked` is whether somebody outside asked for it."""

    name: str
    trace: Trace
    start: int
    end: int
    attributes: Mapping[str, str | int]
    error: str = ""
    link: str = ""
    asked: bool = False


class LogLine(NamedTuple):
    """A line of the log, as its plain fields, and the span that it was written in, if any."""

    fields: Mapping[str, Any]
    trace: Trace | None


class Figures(NamedTuple):
    """All figures at the moment `at`, counted since `since` (wall microseconds)."""

    readings: Sequence[Reading]
    since: int
    at: int


def command_span(command: Command, now: int) -> Span | None:
    """The span of a command that has just ended; None where nobody wants it."""
    if command.trace is None or not command.trace.sampled:
        return None
    method = OTHER if isinstance(command.error, UnknownMethod) else command.command
    attributes = {
        "rpc.system.name": "jsonrpc",
        "rpc.method": method,
        "dms.command.state": command.state.value,
        "dms.door": command.caller.door,
        "dms.caller": command.caller.name,
    }
    error = ""
    if command.error is not None and command.state is not State.CANCELLED:
        error = command.error.code if isinstance(command.error, DmsError) else "internal"
        attributes["error.type"] = error
    return Span(method, command.trace, now - round(command.took * SECOND), now, attributes, error, asked=True)


def execution_span(execution: Execution, link: str = "") -> Span | None:
    """The span of an execution that has ended; None of one that never ran."""
    if execution.trace_id is None or execution.started is None or execution.ended is None:
        return None
    attributes: dict[str, str | int] = {
        "dms.task.name": execution.task,
        "dms.execution.id": execution.id,
        "dms.execution.status": execution.status.value,
        "dms.execution.cause": execution.cause,
        "dms.execution.attempt": execution.attempt,
        "dms.run.id": execution.run_id,
    }
    error = "" if execution.status is Status.SUCCESS else execution.error or execution.status.value
    trace = first_span(int(execution.trace_id, 16))
    end = max(execution.started, execution.ended)
    return Span(f"task {execution.task}", trace, execution.started, end, attributes, error, link)


def change_span(revision: Revision, trace: Trace | None, now: int) -> Span | None:
    """The span of a change of the configuration that is in force now: the keys, and no value."""
    if trace is None or not trace.sampled:
        return None
    attributes: dict[str, str | int] = {
        "dms.config.revision": revision.number,
        "dms.config.author": revision.author,
        "dms.config.keys": ", ".join(change.key for change in revision.changes),
    }
    return Span("config change", trace, revision.at, max(revision.at, now), attributes)
