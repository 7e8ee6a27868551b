"""What becomes of an open socket when its token expires, is revoked or is renewed."""

import asyncio
import json
from typing import Any

import pytest

from dms.access.caller import NODE_READ, TASK_READ, Caller
from dms.command.command import Command
from dms.command.operation import Effect, Nothing, Operation


def request(identifier: int, method: str) -> str:
    return json.dumps({"jsonrpc": "2.0", "id": identifier, "method": method})


async def test_at_its_expiry_a_token_ends_the_socket_though_nobody_says_a_word(
    door: Any, tokens: Any, operations: Any, clock: Any
) -> None:
    """libsql/sqld#338: a token was looked at only when the socket was opened. No event comes after it, either."""
    tokens.expire("ana-token", 0.05)
    peer = await door.enter("ana-token")
    await peer.ask("sub.open", topic="logs")
    assert "ana" == await peer.ask("note")
    await peer.say(1, "wait")
    await asyncio.wait_for(operations.waiting.wait(), 5)
    clock.advance("50ms")
    await asyncio.wait_for(operations.freed.wait(), 5)  # what was under way for it ends too
    operations.topic.publish({"event": "secret"})
    assert [] == await peer.rest()
    assert (4401, True) == (peer.wire.close_code, peer.wire.close_reason.startswith("the token has expired"))
    assert 0 == len(operations.topic._followers)


async def test_a_clock_that_is_set_forward_ends_it_with_the_next_ping(open_door: Any, tokens: Any, clock: Any) -> None:
    tokens.expire("ana-token", 3600)
    peer = await (await open_door(ping=0.02)).enter("ana-token")
    assert "ana" == await peer.ask("note")
    clock.advance("1h")
    assert 4401 == (await peer.end())[0]


async def test_a_revoked_token_has_no_socket_a_moment_later_and_the_others_stay(door: Any, operations: Any) -> None:
    """libsql/sqld#338: the second half of the case, a token without expiry."""
    first, second, other = await door.enter("ana-token"), await door.enter("ana-token"), await door.enter("root-token")
    await first.say(1, "wait")
    await asyncio.wait_for(operations.waiting.wait(), 5)
    door.registry.close_token("t1")
    revoked = (4401, "the token was revoked")
    assert [revoked, revoked] == [await first.end(), await second.end()]
    await asyncio.wait_for(operations.freed.wait(), 5)
    assert "root" == await other.ask("note")


async def test_what_it_said_before_and_was_not_done_yet_is_not_done(door: Any, operations: Any) -> None:
    done = []

    def revoke(params: Nothing, command: Command) -> None:
        done.append(command.command)
        door.registry.close_token("t1")

    for name in ("revoke", "again"):
        operations.table[name] = Operation(name, Nothing, None, NODE_READ, Effect.ONCE, revoke, "")
    peer = await door.enter("ana-token")
    await peer.wire.send(f"[{request(1, 'revoke')}, {request(2, 'again')}]")
    assert (4401, "the token was revoked") == await peer.end()
    assert ["revoke"] == done


async def test_a_renewed_token_keeps_the_socket_open(door: Any, tokens: Any, clock: Any) -> None:
    tokens.expire("ana-token", 0.05)
    renewed, forgetful = await door.enter("ana-token"), await door.enter("ana-token")
    tokens.expire("ana-token", 3600)
    principal = (await renewed.ask("session.refresh", token="ana-token"))["principal"]
    assert ("ana", ["node:read"], "2026-01-01T01:00:00.000000+00:00") == tuple(principal.values())
    clock.advance("10s")
    assert 4401 == (await forgetful.end())[0]
    assert "ana" == await renewed.ask("note")


@pytest.mark.parametrize(
    ("token", "expected"), [("wrong", "unauthenticated"), ("expired", "unauthenticated"), ("narrow", "forbidden")]
)
async def test_what_is_no_good_renews_nothing_and_ends_nothing(
    door: Any, tokens: Any, token: str, expected: str
) -> None:
    tokens.callers["expired"] = Caller("ana", "token", frozenset({NODE_READ}), token_id="t3", expires=1)
    tokens.callers["narrow"] = Caller("ana", "token", frozenset({TASK_READ}), token_id="t4")
    peer = await door.enter("ana-token")
    assert expected == await peer.ask("session.refresh", token=token)
    assert "ana" == await peer.ask("note")
    assert (1, 0) == (door.registry.count("t1"), door.registry.count("t4"))


async def test_one_that_goes_by_a_new_token_is_no_longer_ended_with_the_old(door: Any) -> None:
    peer = await door.enter("ana-token")
    await peer.ask("session.refresh", token="root-token")
    door.registry.close_token("t1")
    assert "root" == await peer.ask("secret")
    door.registry.close_token("t2")
    assert 4401 == (await peer.end())[0]


async def test_a_token_has_so_many_sockets_and_no_more(open_door: Any) -> None:
    door = await open_door(sockets=2)
    first, _ = await door.enter("ana-token"), await door.enter("ana-token")
    code, reason = await (await door.enter("ana-token")).end()
    assert (4429, True) == (code, reason.startswith("overloaded: "))
    by_hello = await door.knock()
    assert "overloaded" == await by_hello.ask("session.hello", protocol=["1.0"], auth={"token": "ana-token"})
    assert 4429 == (await by_hello.end())[0]
    assert "root" == await (await door.enter("root-token")).ask("note")
    await first.wire.close()
    assert "ana" == await (await door.enter("ana-token")).ask("note")


async def test_a_socket_that_has_gone_is_forgotten(door: Any) -> None:
    peer = await door.enter("ana-token")
    assert 1 == door.registry.count("t1")
    await peer.wire.close()
    assert 0 == door.registry.count("t1")
