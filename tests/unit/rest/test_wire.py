"""The application at a real socket, behind a real uvicorn, asked by hand: what httpx without a wire can't show."""

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn

from dms.command.command import State
from servers import Server

ADMIN = b"Authorization: Bearer admin\r\n"
JSON = b"Content-Type: application/json\r\n"
CLOSE = b"Connection: close\r\n"


class Client:
    """One connection, byte by byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self.writer = reader, writer

    def ask(self, line: bytes, headers: bytes = ADMIN, body: bytes = b"") -> None:
        self.writer.write(line + b" HTTP/1.1\r\nHost: node\r\n" + headers + b"\r\n" + body)

    async def heads(self) -> list[bytes]:
        """The beginnings of the answers, until the other side hangs up."""
        async with asyncio.timeout(5):
            said = await self._reader.read()
        return [line[:12] for line in said.split(b"\n") if line.startswith(b"HTTP/1.1 ")]

    async def answer(self, *, bodiless: bool = False) -> tuple[bytes, bytes]:
        """The beginning of the next answer, and its body."""
        async with asyncio.timeout(5):
            head = await self._reader.readuntil(b"\r\n\r\n")
            return head[:12], b"" if bodiless else await self._reader.readline()


@pytest.fixture
async def server(app: Any) -> AsyncIterator[Server]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        config = uvicorn.Config(
            app,
            http="h11",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=1,
        )
        server = Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        await server.up.wait()
        yield server
        server.ending.set()
        async with asyncio.timeout(5):
            await serving


@pytest.fixture
async def client(server: Server) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection(*server.servers[0].sockets[0].getsockname())
    yield Client(reader, writer)
    writer.close()


async def test_requests_follow_each_other_on_one_connection(client: Client) -> None:
    for line in (b"GET /health/live", b"HEAD /api/v1/tasks", b"OPTIONS /api/v1/tasks", b"GET /nowhere"):
        client.ask(line)
    client.ask(b"POST /api/v1/tasks/answer/run?wait", ADMIN + CLOSE)
    heads = [b"HTTP/1.1 200", b"HTTP/1.1 200", b"HTTP/1.1 204", b"HTTP/1.1 404", b"HTTP/1.1 200"]
    assert heads == await client.heads()


async def test_a_body_that_was_refused_unread_is_never_taken_for_the_next_request(client: Client, node: Any) -> None:
    hidden = b"POST /api/v1/tasks/answer/run HTTP/1.1\r\nHost: node\r\n" + ADMIN + b"\r\n"
    client.ask(b"POST /api/v1/events", JSON + b"Content-Length: %d\r\n" % len(hidden), hidden)
    client.ask(b"GET /health/live", CLOSE)
    assert ([b"HTTP/1.1 401", b"HTTP/1.1 200"], []) == (await client.heads(), node.asked)


async def test_a_body_that_is_too_large_is_answered_while_it_is_still_sent(client: Client) -> None:
    client.ask(b"PATCH /api/v1/config", ADMIN + JSON + b"Transfer-Encoding: chunked\r\n")
    for _ in range(17):
        client.writer.write(b"10000\r\n" + b" " * 0x10000 + b"\r\n")
    status, body = await client.answer()
    assert (b"HTTP/1.1 413", True) == (status, b'"too_large"' in body)


async def test_one_that_asks_before_it_sends_its_body_is_answered_first(client: Client) -> None:
    client.ask(b"PATCH /api/v1/config", ADMIN + JSON + b"Content-Length: 2000000\r\nExpect: 100-continue\r\n")
    assert b"HTTP/1.1 413" == (await client.answer())[0]


async def test_a_client_that_hangs_up_ends_its_wait(client: Client, node: Any) -> None:
    """tomaka/rouille#142, modelcontextprotocol/rust-sdk#967."""
    client.ask(b"POST /api/v1/tasks/hold/run?wait")
    await node.begun.wait()
    client.writer.close()
    async with asyncio.timeout(5):
        await node.ended.wait()
    assert (State.CANCELLED, 1) == (node.asked[0].state, node.scheduler.view("hold").running)


async def test_one_that_waits_while_the_server_stops_is_told_so(client: Client, server: Server, node: Any) -> None:
    client.ask(b"POST /api/v1/tasks/hold/run?wait")
    await node.begun.wait()
    server.ending.set()
    status, body = await client.answer()
    assert (b"HTTP/1.1 503", True) == (status, b'"shutting_down"' in body)


async def test_a_token_that_is_revoked_before_its_body_has_come_changes_nothing(client: Client, node: Any) -> None:
    """Whoever kept requests open would have been let in for as long as a body may take."""
    token, text = node.tokens.create("ana", ["admin"], "root", None)
    authorization = f"Authorization: Bearer {text}\r\n".encode()
    body = b'{"scheduler.max_running_tasks": 1}'
    headers = authorization + JSON + b"Content-Length: %d\r\nExpect: 100-continue\r\n" % len(body)
    client.ask(b"PATCH /api/v1/config", headers)
    assert b"HTTP/1.1 100" == (await client.answer(bodiless=True))[0]
    node.tokens.revoke(token.id)
    client.writer.write(body)
    assert (b"HTTP/1.1 401", []) == ((await client.answer())[0], node.asked)


async def test_of_two_conditions_none_is_passed_over(client: Client, node: Any) -> None:
    conditions = b'If-Match: *\r\nIf-Match: "0"\r\nContent-Length: 1\r\n'
    client.ask(b"PUT /api/v1/config/scheduler.max_running_tasks", ADMIN + JSON + conditions, b"2")
    assert (b"HTTP/1.1 422", []) == ((await client.answer())[0], node.asked)
