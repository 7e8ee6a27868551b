"""What becomes of a command when its client, or the node, goes before the answer."""

import asyncio
from typing import Any

import msgspec
import pytest

from dms.command.command import Command, State

WAITING = "/api/v1/tasks/hold/run?wait"


async def test_a_client_that_goes_away_ends_its_wait_and_not_the_run(node: Any, app: Any, wire: Any) -> None:
    client = wire("POST", WAITING)
    asking = asyncio.ensure_future(client.ask(app))
    await node.begun.wait()
    client.left.set()
    await asking
    assert ([], State.CANCELLED) == (client.sent, node.asked[0].state)
    assert 1 == node.scheduler.view("hold").running


async def test_whoever_waits_when_the_node_stops_is_told_so(node: Any, app: Any, wire: Any) -> None:
    client = wire("POST", WAITING)
    asking = asyncio.ensure_future(client.ask(app))
    await node.begun.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert (503, "shutting_down", State.CANCELLED) == (client.status, client.told["code"], node.asked[0].state)


class SlowSubscriber:
    """One that takes until `go_on` is set to prepare for a change; `applied` is set once it is in force."""

    name = "slow"

    def __init__(self) -> None:
        self.begun, self.go_on, self.applied = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def prepare(self, change: Any) -> None:
        self.begun.set()
        await self.go_on.wait()

    async def apply(self, change: Any) -> None:
        self.applied.set()


async def test_a_client_that_goes_away_cuts_no_change_in_half(node: Any, app: Any, wire: Any) -> None:
    """divviup/janus#2604."""
    slow = SlowSubscriber()
    node.live.subscribe(slow)
    client = wire("POST", "/api/v1/tasks/filed/disable")
    asking = asyncio.ensure_future(client.ask(app))
    await slow.begun.wait()
    client.left.set()
    await asking
    slow.go_on.set()
    await slow.applied.wait()
    assert (2, False) == (node.live.revision, node.live.config.tasks["filed"].enabled)


async def test_one_that_goes_away_within_its_body_has_asked_for_nothing(node: Any, app: Any, wire: Any) -> None:
    client = wire("POST", "/api/v1/events", b'{"topic": "door.opened"}', more=True)
    client.left.set()
    await client.ask(app)
    assert ([], []) == (client.sent, node.asked)


async def test_an_operation_that_fails_unforeseen_is_logged_once_and_no_word_of_it_gets_out(
    node: Any, wire: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """actionhero/keryx#82, simpleidserver/SimpleIdServer#373."""

    def breaks(params: Any, command: Command) -> None:
        raise ZeroDivisionError("password=hunter2")

    broken = msgspec.structs.replace(node.operations["node.info"], handler=breaks)
    client = wire("GET", "/api/v1/node")
    await client.ask(node.app(operations={"node.info": broken}))
    assert (500, "internal", False) == (client.status, client.told["code"], "hunter2" in str(client.told))
    assert ["node.info failed unforeseen"] == [record.getMessage() for record in caplog.records]


async def test_what_the_node_has_no_operation_for_does_not_exist(node: Any, wire: Any) -> None:
    client = wire("GET", "/api/v1/node")
    await client.ask(node.app(operations={}))
    assert 404 == client.status
