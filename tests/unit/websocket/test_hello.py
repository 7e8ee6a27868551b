import json
from typing import Any

import pytest

from dms.command.limits import Limits

GOOD = {"protocol": ["1.0"], "auth": {"token": "ana-token"}}


async def test_a_hello_with_a_token_lets_one_in_and_tells_where_it_is(door: Any) -> None:
    peer = await door.knock()
    answer = await peer.ask("session.hello", **GOOD, client={"name": "dms-cli", "version": "1"})
    expected = {
        "protocol": "1.0",
        "node": "brisk-otter",
        "boot": "1795574168686333",
        "principal": {"id": "ana", "scopes": ["node:read"], "expires": None},
        "limits": Limits().told(),
        "capabilities": [],
    }
    assert expected == answer
    assert "ana" == await peer.ask("note")


async def test_the_limits_that_are_told_are_those_that_count(open_door: Any) -> None:
    peer = await (await open_door(message=2000, in_flight=1)).knock()
    told = (await peer.ask("session.hello", **GOOD))["limits"]
    assert (2000, 1) == (told["message"], told["in_flight"])
    await peer.say(1, "wait")
    assert "overloaded" == await peer.ask("note")
    await peer.say(2, "fill", word="x" * 2000)
    assert 1009 == (await peer.end())[0]


async def test_when_the_token_expires_is_told(door: Any, tokens: Any) -> None:
    tokens.expire("ana-token", 3600)
    principal = (await (await door.knock()).ask("session.hello", **GOOD))["principal"]
    assert "2026-01-01T01:00:00.000000+00:00" == principal["expires"]


async def test_scopes_hold(door: Any) -> None:
    assert "forbidden" == await (await door.enter("ana-token")).ask("secret")
    assert "root" == await (await door.enter("root-token")).ask("secret")


@pytest.mark.parametrize(
    ("params", "reason", "code"),
    [
        ({"protocol": ["1.0"], "auth": {"token": "wrong"}}, "unauthenticated", 4401),
        ({"protocol": ["1.0"]}, "unauthenticated", 4401),
        ({"protocol": ["0.9", "2.0"], "auth": {"token": "ana-token"}}, "unsupported", 4401),
        ({"protocol": [], "auth": {"token": "ana-token"}}, "unsupported", 4401),
        ({"protocol": "1.0", "auth": {"token": "ana-token"}}, "invalid_params", 4401),
        ({"auth": {"token": "ana-token"}}, "invalid_params", 4401),
        ({**GOOD, "token": "ana-token"}, "invalid_params", 4401),
        ({**GOOD, "auth": {"token": 7}}, "invalid_params", 4401),
        ({**GOOD, "client": {"name": "x" * 65}}, "invalid_params", 4401),
        ({"protocol": ["1.0"], "auth": {"token": "dora-token"}}, "forbidden", 4403),
    ],
)
async def test_a_hello_that_is_not_good_is_answered_with_why_and_ends_it(
    door: Any, params: dict[str, Any], reason: str, code: int
) -> None:
    peer = await door.knock()
    assert reason == await peer.ask("session.hello", **params)
    closed, why = await peer.end()
    assert (code, True) == (closed, why.startswith(f"{reason}: "))


async def test_another_method_before_the_hello_is_not_run(door: Any, operations: Any) -> None:
    peer = await door.knock()
    assert "hello_required" == await peer.ask("note")
    code, reason = await peer.end()
    assert (4401, True) == (code, reason.startswith("hello_required"))
    assert not operations.noted.is_set()


@pytest.mark.parametrize(
    ("said", "reasons"),
    [
        ("what?", ["parse_error"]),
        ("[]", ["invalid_request"]),
        ('{"id": 1}', ["invalid_request"]),
        ('{"jsonrpc": "2.0", "method": "session.hello", "params": {}}', []),
        ('{"jsonrpc": "2.0", "method": "note"}', []),
    ],
)
async def test_anything_else_before_the_hello_ends_it_too(door: Any, said: str, reasons: list[str]) -> None:
    peer = await door.knock()
    await peer.wire.send(said)
    assert reasons == [(await peer.hear())["error"]["data"]["reason"] for _ in reasons]
    assert 4401 == (await peer.end())[0]


async def test_a_hello_in_a_batch_lets_nobody_in(door: Any) -> None:
    peer = await door.knock()
    await peer.wire.send(json.dumps([{"jsonrpc": "2.0", "id": 1, "method": "session.hello", "params": GOOD}]))
    (answer,) = await peer.hear()
    assert "hello_required" == answer["error"]["data"]["reason"]
    assert 4401 == (await peer.end())[0]


async def test_one_that_says_nothing_is_hung_up_on(open_door: Any) -> None:
    peer = await (await open_door(hello_within=0.02)).knock()
    assert (4401, "no session.hello within 0.02 s") == await peer.end()


async def test_one_that_has_said_hello_in_time_stays(open_door: Any) -> None:
    door = await open_door(hello_within=0.5)
    peer = await door.knock()
    await peer.ask("session.hello", **GOOD)
    later = await door.knock()
    assert 4401 == (await later.end())[0]  # by now the first one's time is over too
    assert "ana" == await peer.ask("note")


async def test_more_than_8_kib_before_the_hello_are_too_much_and_after_it_are_not(door: Any) -> None:
    big = "x" * 8 * 1024
    stranger = await door.knock()
    await stranger.say(1, "session.hello", **GOOD, word=big)
    assert 1009 == (await stranger.end())[0]
    peer = await door.knock()
    await peer.ask("session.hello", **GOOD)
    assert "invalid_params" == await peer.ask("note", word=big)


async def test_a_second_hello_is_a_conflict_and_the_connection_goes_on(door: Any) -> None:
    peer = await door.knock()
    await peer.ask("session.hello", **GOOD)
    assert "conflict" == await peer.ask("session.hello", **GOOD)
    assert "ana" == await peer.ask("note")


async def test_one_with_a_token_in_the_header_may_say_hello_once_and_without_one(door: Any) -> None:
    peer = await door.enter("ana-token")
    assert "invalid_params" == await peer.ask("session.hello", **GOOD)
    assert "unsupported" == await peer.ask("session.hello", protocol=["2.0"])
    assert "ana" == (await peer.ask("session.hello", protocol=["1.0"]))["principal"]["id"]
    assert "conflict" == await peer.ask("session.hello", protocol=["1.0"])
