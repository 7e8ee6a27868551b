import asyncio
import json
from typing import Any

import pytest


def message(identifier: Any, method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": identifier, "method": method, "params": params}


async def test_many_requests_of_one_peer_are_under_way_at_once(door: Any, operations: Any) -> None:
    peer = await door.enter()
    await peer.say(1, "wait")
    assert "ana" == await peer.ask("note")
    operations.let_go.set()
    assert {"jsonrpc": "2.0", "id": 1, "result": "let go"} == await peer.hear()


async def test_a_batch_is_answered_as_one(door: Any) -> None:
    peer = await door.enter()
    batch = [message(1, "note"), message(2, "secret"), 3, {"jsonrpc": "2.0", "method": "note"}]
    await peer.wire.send(json.dumps(batch))
    answers = {each["id"]: each.get("result") or each["error"]["code"] for each in await peer.hear()}
    assert {1: "ana", 2: -32003, None: -32600} == answers


@pytest.mark.parametrize("text", ["{", "NaN", '{"jsonrpc":"2.0","id":1e999,"method":"note"}', "[" * 100, '"\\ud800"'])
async def test_what_is_no_strict_json_is_answered_and_the_next_message_counts(door: Any, text: str) -> None:
    peer = await door.enter()
    await peer.wire.send(text)
    assert -32700 == (await peer.hear())["error"]["code"]
    assert "ana" == await peer.ask("note")


async def test_a_cancelled_request_is_answered(door: Any, operations: Any) -> None:
    peer = await door.enter()
    await peer.say(7, "wait")
    await peer.wire.send(json.dumps({"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": 7}}))
    assert (7, -32800) == ((answer := await peer.hear())["id"], answer["error"]["code"])


async def test_two_requests_in_flight_with_one_id_do_not_mix_and_another_socket_has_its_own(
    door: Any, operations: Any
) -> None:
    """modelcontextprotocol/python-sdk#3060: one got the other's answer, and the second none."""
    first, other = await door.enter(), await door.enter()
    await first.say(7, "wait")
    await first.say(7, "note")
    assert -32600 == (await first.hear())["error"]["code"]
    await other.say(7, "note")
    assert {"jsonrpc": "2.0", "id": 7, "result": "ana"} == await other.hear()
    operations.let_go.set()
    assert {"jsonrpc": "2.0", "id": 7, "result": "let go"} == await first.hear()
    await first.say(7, "note")
    assert {"jsonrpc": "2.0", "id": 7, "result": "ana"} == await first.hear()


async def test_events_reach_a_follower_after_the_answer_and_until_it_closes(door: Any, operations: Any) -> None:
    peer = await door.enter()
    opened = await peer.ask("sub.open", topic="logs")
    operations.topic.publish({"event": "hello"})
    told = await peer.hear()
    assert ("sub.event", opened["sub"], {"event": "hello"}) == (
        told["method"],
        told["params"]["sub"],
        told["params"]["event"],
    )
    assert {"sub": opened["sub"]} == await peer.ask("sub.close", sub=opened["sub"])
    operations.topic.publish({"event": "unheard"})
    assert "ana" == await peer.ask("note")


async def test_a_follower_that_comes_again_goes_on_where_it_was(door: Any, operations: Any) -> None:
    peer = await door.enter()
    cursor = (await peer.ask("sub.open", topic="logs"))["cursor"]
    await peer.wire.close()
    operations.topic.publish({"event": "meanwhile"})
    again = await door.enter()
    await again.ask("sub.open", topic="logs", **{"from": cursor})
    assert {"event": "meanwhile"} == (await again.hear())["params"]["event"]


async def test_a_message_in_parts_is_one_message(door: Any) -> None:
    peer = await door.enter()
    text = json.dumps(message(1, "note", _meta={"note": "é"}), ensure_ascii=False)
    await peer.wire.send([*text[:10], "", *text[10:]])
    assert "ana" == (await peer.hear())["result"]


async def test_what_was_said_right_before_the_end_is_done(door: Any, operations: Any) -> None:
    peer = await door.enter()
    peer.wire.protocol.send_text(json.dumps({"jsonrpc": "2.0", "method": "note"}).encode())
    peer.wire.protocol.send_close(1000)
    peer.wire.transport.write(b"".join(peer.wire.protocol.data_to_send()))
    await asyncio.wait_for(operations.noted.wait(), 5)


async def test_a_peers_own_ping_is_answered(door: Any) -> None:
    peer = await door.enter()
    async with asyncio.timeout(5):
        await (await peer.wire.ping())


async def test_one_that_goes_frees_what_waited_for_it(door: Any, operations: Any) -> None:
    peer = await door.enter()
    await peer.say(1, "wait")
    await asyncio.wait_for(operations.waiting.wait(), 5)
    peer.wire.transport.abort()
    await asyncio.wait_for(operations.freed.wait(), 5)
    assert not operations.let_go.is_set()


async def test_a_token_that_asks_too_often_is_told_when_to_come_again_and_then_may(open_door: Any, clock: Any) -> None:
    peer = await (await open_door(rate=1)).enter()
    for identifier in range(3):
        await peer.say(identifier, "note")
    answers = {answer["id"]: answer for answer in [await peer.hear() for _ in range(3)]}
    assert ["ana", "ana"] == [answers[number]["result"] for number in (0, 1)]
    assert (-32006, 1000) == (answers[2]["error"]["code"], answers[2]["error"]["data"]["retry_after_ms"])
    clock.advance("1s")
    assert "ana" == await peer.ask("note")


async def test_each_message_of_a_batch_counts(open_door: Any) -> None:
    peer = await (await open_door(rate=1)).enter()
    await peer.wire.send(json.dumps([message(number, "note") for number in range(4)]))
    assert 2 == sum("error" in answer for answer in await peer.hear())


async def test_one_that_asks_on_and_on_is_hung_up_on(open_door: Any) -> None:
    peer = await (await open_door(rate=1)).enter()
    for identifier in range(0, 1_100, 50):
        await peer.wire.send(json.dumps([message(identifier + number, "note") for number in range(50)]))
    assert 4429 == (await peer.end())[0]
