"""With which code the node hangs up; 4401, 4403 and 4429 stand with the hello and with the tokens."""

import asyncio
import contextlib
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from dms.websocket.close_code import CloseCode, close_reason


async def test_at_a_stop_what_waits_is_answered_and_then_it_is_1001(door: Any, operations: Any) -> None:
    peer, stranger = await door.enter(), await door.knock()
    await peer.say(1, "wait")
    await asyncio.wait_for(operations.waiting.wait(), 5)
    door.stop()
    assert "shutting_down" == (await peer.hear())["error"]["data"]["reason"]
    assert "session.closing" == (await peer.hear())["method"]
    assert [(1001, "the node is stopping")] * 2 == [await peer.end(), await stranger.end()]


async def test_a_binary_frame_is_1003(door: Any) -> None:
    peer = await door.enter()
    await peer.wire.send(b'{"jsonrpc":"2.0","id":1,"method":"note"}')
    assert (1003, "messages are text frames") == await peer.end()


@pytest.mark.parametrize("text", [b"\xff", b'"\xc3', b'"\xed\xa0\x80"'])
async def test_bad_utf8_is_1007(door: Any, text: bytes) -> None:
    peer = await door.enter()
    await peer.wire.send(text, text=True)
    assert (1007, "a text frame is not valid UTF-8") == await peer.end()


@pytest.mark.parametrize("parts", [1, 3])
async def test_a_message_of_more_than_1_mib_is_1009(door: Any, parts: int) -> None:
    peer = await door.enter()
    part = "x" * (1024 * 1024 // parts + 1)
    with contextlib.suppress(ConnectionClosed):  # it may be told while it is still speaking
        await peer.wire.send([part] * parts)
    assert 1009 == (await peer.end())[0]


async def test_one_of_exactly_1_mib_is_taken(door: Any) -> None:
    peer = await door.enter()
    await peer.wire.send(" " * (1024 * 1024 - 40) + '{"jsonrpc":"2.0","id":1,"method":"note"}')
    assert "ana" == (await peer.hear())["result"]


async def test_one_that_answers_no_ping_is_4408(open_door: Any) -> None:
    peer = await (await open_door(ping=0.02, grace=0.05)).enter()
    peer.wire.protocol.send_frame = lambda frame: None
    assert (4408, "a ping was not answered within 0.02 s") == await peer.end()


async def test_one_that_answers_them_stays_and_is_asked_again(open_door: Any) -> None:
    peer = await (await open_door(ping=0.02)).enter()
    pinged = asyncio.Event()
    answered, real = 0, peer.wire.protocol.send_frame

    def count(frame: Any) -> None:
        nonlocal answered
        answered += 1
        if answered == 3:
            pinged.set()
        real(frame)

    peer.wire.protocol.send_frame = count
    await asyncio.wait_for(pinged.wait(), 5)
    assert "ana" == await peer.ask("note")


async def test_one_that_does_not_close_its_side_is_cut_off(open_door: Any) -> None:
    door = await open_door(grace=0.02)
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    writer.write(
        b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Version: 13\r\n"
        b"Authorization: Bearer ana-token\r\n\r\n"
    )
    assert b"101" in await reader.readuntil(b"\r\n\r\n")
    door.registry.close_token("t1")
    async with asyncio.timeout(5):
        said = await reader.read()  # to the end, though this side never answered the close frame
    assert said[2:].endswith(b"the token was revoked")
    writer.close()


def test_a_reason_fits_into_a_close_frame() -> None:
    assert ["é" * 61, "short"] == [close_reason("é" * 100), close_reason("short")]


@pytest.mark.parametrize("code", CloseCode)
async def test_every_code_can_be_sent(door: Any, code: CloseCode) -> None:
    peer = await door.enter()
    (connection,) = door.server.server_state.connections
    connection.close(code, "é" * 200)
    assert (code, "é" * 61) == await peer.end()
