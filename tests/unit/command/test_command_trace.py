"""A command is a span: part of what its caller names, or the first of a new trace."""

import json
from typing import Any

import pytest

from dms.access.caller import Caller
from dms.command.command import Command
from dms.command.connection import Connection
from dms.command.operation import Effect, Nothing, Operation, by_name
from dms.errors import InvalidParameters
from dms.trace import CURRENT, Trace

CALLER = Caller("ana", "socket", frozenset({"test"}))
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PARENT = f"00-{TRACE}-{SPAN}-01"


def at_once(params: Nothing, command: Command) -> Trace | None:
    return CURRENT.get()


async def in_a_while(params: Nothing, command: Command) -> Trace | None:
    return CURRENT.get()


OPERATIONS = by_name(
    [
        Operation("at.once", Nothing, Any, "test", Effect.READ, at_once, ""),
        Operation("in.a.while", Nothing, Any, "test", Effect.READ, in_a_while, ""),
    ]
)


@pytest.mark.parametrize("method", ["at.once", "in.a.while"])
async def test_what_a_command_does_is_within_its_trace(method: str) -> None:
    command = Command(method, caller=CALLER)
    within = await command.run(OPERATIONS)
    assert isinstance(within, Trace)
    assert within == command.trace


async def test_what_comes_after_a_command_is_not_within_its_trace() -> None:
    outside = CURRENT.get()
    Command("at.once", caller=CALLER).begin(OPERATIONS)
    assert CURRENT.get() is outside


@pytest.mark.parametrize("method", ["at.once", "in.a.while"])
async def test_a_command_is_part_of_the_trace_that_its_caller_names(method: str) -> None:
    command = Command(method, {"_meta": {"traceparent": PARENT}}, caller=CALLER)
    trace = await command.run(OPERATIONS)
    assert (TRACE, int(SPAN, 16)) == (trace.id, trace.parent_id)


@pytest.mark.parametrize("meta", [{"traceparent": "rubbish"}, {"traceparent": 7}, {}, "rubbish", None, ["traceparent"]])
async def test_a_malformed_parent_begins_a_new_trace_and_is_told_to_nobody(
    meta: object, caplog: pytest.LogCaptureFixture
) -> None:
    trace = await Command("at.once", {"_meta": meta}, caller=CALLER).run(OPERATIONS)
    assert 0 == trace.parent_id
    assert [] == caplog.records


async def test_a_command_that_is_refused_has_a_trace_too_and_is_told_of() -> None:
    operations, told = by_name(OPERATIONS.values()), []
    operations.ended = told.append
    command = Command("at.once", {"unknown": 1}, caller=CALLER)
    with pytest.raises(InvalidParameters):
        await command.run(operations)
    assert [command] == told
    assert command.trace is not None


@pytest.mark.parametrize("method", ["fail", "break", "nothing"])
async def test_an_error_says_where_to_look_for_more(connection: Connection, door: Any, method: str) -> None:
    params = {"_meta": {"traceparent": PARENT}}
    connection.receive(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}))
    (answer,) = await door.until(1)
    assert TRACE == answer["error"]["data"]["trace_id"]
