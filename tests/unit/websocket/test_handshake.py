import asyncio
import logging
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus


async def refused(knocking: Any) -> tuple[int, str]:
    """The status and the text with which an upgrade is refused."""
    with pytest.raises(InvalidStatus) as error:
        await knocking
    response = error.value.response
    return response.status_code, (response.body or b"").decode()


async def test_a_token_in_the_header_lets_one_in(door: Any) -> None:
    peer = await door.enter("ana-token")
    assert "ana" == await peer.ask("note")


@pytest.mark.parametrize("header", ["Bearer wrong", "Basic YW5hOmFuYQ==", "Bearer", "ana-token", "Bearer  "])
async def test_a_header_that_shows_no_good_token_is_401_before_the_upgrade(door: Any, header: str) -> None:
    status, text = await refused(door.knock(additional_headers={"Authorization": header}))
    assert (401, True) == (status, "token" in text.lower())


async def test_a_401_names_the_scheme(door: Any) -> None:
    with pytest.raises(InvalidStatus) as error:
        await door.enter("wrong")
    assert "Bearer" == error.value.response.headers["WWW-Authenticate"]


async def test_two_authorisations_are_none(door: Any) -> None:
    headers = [("Authorization", "Bearer ana-token"), ("Authorization", "Bearer root-token")]
    assert 401 == (await refused(door.knock(additional_headers=headers)))[0]


async def test_one_who_may_not_come_in_by_this_door_is_403(door: Any) -> None:
    assert (403, "dora may not come in here\n") == await refused(door.enter("dora-token"))


async def test_an_expired_token_is_401_whatever_the_list_of_tokens_says(door: Any, tokens: Any) -> None:
    tokens.expire("ana-token", -1)
    assert 401 == (await refused(door.enter("ana-token")))[0]


@pytest.mark.parametrize("path", ["/", "/ws/", "/wss", "/api/v1/ws"])
async def test_another_path_is_404(door: Any, path: str) -> None:
    assert (404, "the WebSocket is at /ws\n") == await refused(door.knock(path))


async def test_what_the_guard_says_against_is_403_before_the_upgrade_and_logged(open_door: Any, caplog: Any) -> None:
    def guard(headers: list[tuple[bytes, bytes]]) -> str | None:
        origins = [value.decode() for name, value in headers if name == b"origin"]
        return f"Origin {origins[0]} is not in http.origins" if origins else None

    door = await open_door(guard)
    knocking = door.knock("/anything", origin="http://evil.example")
    assert (403, "Origin http://evil.example is not in http.origins\n") == await refused(knocking)
    assert "Origin http://evil.example is not in http.origins" in caplog.text
    assert "ana" == await (await door.enter()).ask("note")


@pytest.mark.parametrize("query", ["token=ana-token", "a=1&access_token=ana-token", "TOKEN="])
async def test_a_token_in_the_url_is_refused_with_what_to_do_and_not_logged(door: Any, query: str, caplog: Any) -> None:
    caplog.set_level(logging.DEBUG, "dms")
    status, text = await refused(door.knock(f"/ws?{query}"))
    assert (400, True) == (status, "Authorization: Bearer TOKEN" in text)
    assert "ana-token" not in caplog.text


async def test_another_query_does_no_harm(door: Any) -> None:
    peer = await door.knock("/ws?from=console", additional_headers={"Authorization": "Bearer ana-token"})
    assert "ana" == await peer.ask("note")


@pytest.mark.parametrize(
    ("offered", "expected"), [(None, None), (["dms.v1"], "dms.v1"), (["graphql-ws", "dms.v1"], "dms.v1"), (["x"], None)]
)
async def test_the_subprotocol_may_be_named_and_need_not(door: Any, offered: Any, expected: str | None) -> None:
    peer = await door.enter(subprotocols=offered)
    assert expected == peer.wire.subprotocol
    assert "ana" == await peer.ask("note")


async def test_nothing_is_compressed(door: Any) -> None:
    peer = await door.enter(compression="deflate")
    assert [] == peer.wire.protocol.extensions


async def test_an_upgrade_of_another_version_of_websocket_is_400(door: Any) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    writer.write(
        b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Version: 8\r\n\r\n"
    )
    async with asyncio.timeout(5):
        said = await reader.read()
    writer.close()
    assert (True, True) == (said.startswith(b"HTTP/1.1 400 "), b"Sec-WebSocket-Version" in said)


async def test_no_token_is_logged_however_much_is(door: Any, caplog: Any) -> None:
    for name in (None, "dms", "dms.websocket", "websockets", "uvicorn"):
        caplog.set_level(logging.DEBUG, name)
    peer = await door.knock()
    await peer.say(1, "session.hello", protocol=["1.0"], auth={"token": "root-token"})
    await peer.hear()
    await door.enter("ana-token")
    node_side = [each.getMessage() for each in caplog.records if not each.name.startswith("websockets.client")]
    assert [] == [line for line in node_side if "-token" in line]
