"""What a peer costs that reads slowly, or not at all. Source of the case: aio-libs/aiohttp#1367."""

import asyncio
import json
from typing import Any

from dms.command.limits import Limits

BUFFER = Limits().send_buffer


async def test_one_that_never_reads_is_4430_and_the_others_notice_nothing(open_door: Any, operations: Any) -> None:
    """aio-libs/aiohttp#1367: what it did not read was kept without bound."""
    door = await open_door(patience=0.05)
    lazy, other = await door.enter(max_queue=1), await door.enter()
    await lazy.say(1, "wait")
    for number in range(2, 40):
        await lazy.say(number, "fill", size=4 * BUFFER)
    assert "ana" == await other.ask("note")
    await asyncio.wait_for(operations.freed.wait(), 5)
    assert (4430, "nothing was read for 0.05 s while much was waiting") == await lazy.end()
    assert "ana" == await other.ask("note")


async def test_one_that_does_not_read_even_that_is_cut_off(open_door: Any, until: Any) -> None:
    door = await open_door(patience=0.05, grace=0.02)
    lazy = await door.enter(max_queue=1)
    for number in range(10):
        await lazy.say(number, "fill", size=4 * BUFFER)
    await lazy.say(10, "wait")
    await until(lambda: not door.registry.count("t1"))
    await lazy.end()
    assert 1006 == lazy.wire.close_code


async def test_events_that_it_does_not_read_cost_no_more_than_the_buffer(open_door: Any, operations: Any) -> None:
    """aio-libs/aiohttp#1367: 50 MB of output for one that stopped reading."""
    door = await open_door()
    lazy, other = await door.enter(max_queue=1), await door.enter()
    await lazy.ask("sub.open", topic="logs")
    most, event = 0, {"event": "x" * 50_000}
    for _ in range(1000):
        operations.topic.publish(event)
        await asyncio.sleep(0)
        most = max(most, door.buffered())
    assert "ana" == await other.ask("note")
    assert BUFFER < most < BUFFER + 20 * 50_000
    told = [await lazy.hear()]
    while told[-1]["method"] != "sub.gap":
        told.append(await lazy.hear())
    assert (0 < told[-1]["params"]["dropped"] < 1000, "slow_reader") == (True, told[-1]["params"]["reason"])


async def test_one_that_reads_slowly_gets_everything(open_door: Any) -> None:
    peer = await (await open_door(patience=5)).enter(max_queue=1)
    for number in range(20):
        await peer.say(number, "fill", size=BUFFER)
    answers = [await peer.hear() for _ in range(20)]
    assert [(number, BUFFER) for number in range(20)] == sorted((each["id"], len(each["result"])) for each in answers)


async def test_nothing_more_is_read_from_one_whose_buffer_is_full(open_door: Any, operations: Any, until: Any) -> None:
    door = await open_door()
    lazy = await door.enter(max_queue=1)
    for number in range(10):
        await lazy.say(number, "fill", size=4 * BUFFER)
    await until(lambda: door.buffered() > BUFFER)
    await lazy.wire.send(json.dumps({"jsonrpc": "2.0", "method": "note"}))
    other = await door.enter()
    assert "forbidden" == await other.ask("secret")  # a round trip later it has still not been read
    assert not operations.noted.is_set()
    assert set(range(10)) == {(await lazy.hear())["id"] for _ in range(10)}
    await asyncio.wait_for(operations.noted.wait(), 5)


async def test_one_that_reads_nothing_does_not_hold_up_the_stop(open_door: Any, until: Any) -> None:
    door = await open_door(grace=0.05)
    lazy = await door.enter(max_queue=1)
    for number in range(10):
        await lazy.say(number, "fill", size=4 * BUFFER)
    await lazy.hear()
    door.stop()
    await until(lambda: not door.server.server_state.connections)
