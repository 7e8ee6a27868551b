"""What we rely on of uvicorn's setting `ws`, and nothing documents: how it makes a protocol, what it calls on it."""

import asyncio
from typing import Any, ClassVar

from websockets.server import ServerProtocol


class Recorder(asyncio.Protocol):
    """Notes what it is told, and says nothing."""

    calls: ClassVar[list[Any]] = []

    def __init__(self, config: Any, server_state: Any, app_state: Any, _loop: Any = None) -> None:
        self.state = server_state
        self.calls.append(("made", type(app_state), isinstance(server_state.tasks, set)))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self.calls.append(("connected", isinstance(transport, asyncio.Transport)))
        self.state.connections.add(self)

    def data_received(self, data: bytes) -> None:
        self.calls.append(("received", data))

    def connection_lost(self, error: Exception | None) -> None:
        self.calls.append("lost")
        self.state.connections.discard(self)

    def shutdown(self) -> None:
        self.calls.append("shutdown")
        self.transport.close()


async def test_an_upgrade_is_handed_over_whole_and_then_every_byte_and_the_stop(served: Any, until: Any) -> None:
    head = (
        b"GET /ws?a=b HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"
        b"sec-websocket-key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nsec-websocket-version: 13\r\n\r\n"
    )
    async with served(Recorder) as (server, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head[:30])
        await writer.drain()
        writer.write(head[30:])
        await until(lambda: len(Recorder.calls) == 3)
        writer.write(b"a frame")
        await until(lambda: len(Recorder.calls) == 4)
        server.ending.set()
        assert b"" == await asyncio.wait_for(reader.read(), 5)
        writer.close()
    assert [("made", dict, True), ("connected", True), ("received", head)] == Recorder.calls[:3]
    assert [("received", b"a frame"), "shutdown", "lost"] == Recorder.calls[3:]


def test_what_is_handed_over_is_a_request_that_websockets_reads() -> None:
    protocol = ServerProtocol()
    protocol.receive_data(b"GET /ws?a=b HTTP/1.1\r\nhost: localhost\r\norigin: http://a\r\n\r\n")
    (request,) = protocol.events_received()
    assert ("/ws?a=b", "http://a") == (request.path, request.headers["Origin"])  # type: ignore[union-attr]
