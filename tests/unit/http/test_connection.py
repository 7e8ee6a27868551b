"""Peers that would hold a connection for ever, and how the door speaks HTTP."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from dms.http.connection import Patience

Serve = Callable[..., Any]
GET = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"
SOON = 0.05
"""Seconds after which a request is too late in these tests."""


@pytest.mark.parametrize(
    "part",
    [
        b"",
        b"GET / HT",
        b"GET / HTTP/1.1\r\nhost: localhost\r\n",
        b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\n\r\nab",
        b"POST / HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab",
    ],
)
async def test_a_request_that_never_ends_ends_with_its_connection(serve: Serve, part: bytes) -> None:
    """guzba/mummy#141, akka/akka-http#813: a request that never ends holds its connection for ever."""
    server = await serve(patience=Patience(head=SOON, body=SOON))
    peer = await server.connect()
    peer.say(part)
    assert b"" == await peer.rest()
    assert not server.connections.connections


async def test_a_byte_now_and_then_does_not_put_the_end_off(serve: Serve) -> None:
    """guzba/mummy#141: a peer that drips bytes held its connection for ever."""
    peer = await (await serve(patience=Patience(head=SOON, body=SOON))).connect()
    ended = asyncio.create_task(peer.rest())
    peer.say(b"GET / HTTP/1.1\r\nx: ")
    async with asyncio.timeout(5):
        while not ended.done():
            peer.say(b"x")
            await asyncio.sleep(SOON / 5)
    assert b"" == await ended


async def test_the_second_request_of_a_connection_must_end_too(serve: Serve) -> None:
    peer = await (await serve(patience=Patience(head=SOON, body=SOON))).connect()
    peer.say(GET)
    await peer.hear()
    peer.say(GET[:9])
    assert b"" == await peer.rest()


async def test_an_answer_may_take_longer_than_a_request(serve: Serve) -> None:
    let_go = asyncio.Event()

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await let_go.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
        await send({"type": "http.response.body", "body": b"hello"})

    server = await serve(slow, patience=Patience(head=SOON, body=SOON))
    peer, late = await server.connect(), await server.connect()
    peer.say(GET)
    assert b"" == await late.rest()
    let_go.set()
    assert (await peer.hear()).endswith(b"hello")


async def test_beyond_as_many_connections_as_may_be_one_is_told_so(serve: Serve) -> None:
    server = await serve(most=2)
    first, second = await server.connect(), await server.connect()
    for peer in (first, second):
        peer.say(GET)
        await peer.hear()
    assert (await (await server.connect()).rest()).startswith(b"HTTP/1.1 503 ")
    first.say(GET)
    assert (await first.hear()).endswith(b"hello")


async def test_one_that_comes_while_the_listener_closes_is_hung_up_on(serve: Serve) -> None:
    server = await serve()
    server.connections.ending = True
    assert b"" == await (await server.connect()).rest()


async def test_an_answer_tells_the_time_and_nothing_of_the_server(serve: Serve, said: Any) -> None:
    head, _, body = (await said((await serve()).url)).partition(b"\r\n\r\n")
    assert b"hello" == body
    assert (
        b"date: Thu, 01 Jan 2026 00:00:00 GMT\r\ncontent-length: 5\r\nConnection: close" == head.partition(b"\r\n")[2]
    )


@pytest.mark.parametrize(
    "request_",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: localhost\r\nhost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: localhost\r\nx y\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
        b"not http\r\n\r\n",
        b"\r\n",
    ],
    ids=["no host", "two hosts", "no header", "two lengths", "no http", "an empty line"],
)
async def test_what_is_not_http_gets_a_400_and_the_connection_ends(serve: Serve, said: Any, request_: bytes) -> None:
    assert (await said((await serve()).url, request_)).startswith(b"HTTP/1.1 400 ")


CHUNKED = b"POST / HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n"
NO_CHUNK = b"no length\r\n"


async def at_once(scope: Any, receive: Any, send: Any) -> None:
    """An application that says hello and reads nothing."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": b"hello"})


async def test_what_is_not_http_any_more_after_the_answer_ends_the_connection_without_a_word(
    serve: Serve, caplog: Any
) -> None:
    peer = await (await serve(at_once)).connect()
    peer.say(CHUNKED)
    await peer.hear()
    peer.say(NO_CHUNK)
    assert b"" == await peer.rest()
    assert ["WARNING"] == [record.levelname for record in caplog.records]


async def test_after_a_400_in_the_midst_of_a_body_no_other_answer_is_tried(serve: Serve, caplog: Any) -> None:
    peer = await (await serve(at_once)).connect()
    peer.say(CHUNKED + NO_CHUNK)
    assert 1 == (await peer.rest()).count(b"HTTP/1.1")
    assert ["WARNING"] == [record.levelname for record in caplog.records]


async def test_a_body_of_thousands_of_chunks_comes_whole_and_the_next_request_after_it(serve: Serve) -> None:
    peer = await (await serve()).connect()
    peer.say(CHUNKED + b"1\r\na\r\n" * 50_000 + b"0\r\n\r\n" + GET)
    assert [True, True] == [(await peer.hear()).endswith(b"hello") for _ in range(2)]


async def test_a_header_without_an_end_is_not_kept(serve: Serve) -> None:
    server = await serve()
    peer = await server.connect()
    peer.say(b"GET / HTTP/1.1\r\nhost: localhost\r\nx: " + b"a" * 600_000)
    assert b" 200 " not in await peer.rest()
    assert not server.connections.connections


async def test_a_body_may_take_longer_than_a_head(serve: Serve) -> None:
    server = await serve(patience=Patience(head=SOON))
    peer, late = await server.connect(), await server.connect()
    peer.say(b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\n\r\na")
    assert b"" == await late.rest()
    peer.say(b"b")
    assert (await peer.hear()).endswith(b"hello")


async def test_a_peer_that_reads_nothing_of_its_answer_is_cut_off(serve: Serve) -> None:
    """aio-libs/aiohttp#1367: what was queued for a peer that never reads grew without bound."""

    async def pour(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(1_000):
            await send({"type": "http.response.body", "body": b"x" * 100_000, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    server = await serve(pour, patience=Patience(reads=SOON))
    peer = await server.connect()
    peer.say(GET)
    await peer.hear(b"x")
    async with asyncio.timeout(5):
        while server.connections.connections:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0)
    assert len(await peer.rest()) < 50_000_000
