"""The door in a test: certificates of an authority of its own, a configuration that changes, and peers to drive it."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import trustme

from dms.adapters.config_store import MemoryConfigStore
from dms.clock import SystemClock
from dms.config import ConfigChange, Loaded, load
from dms.config.live import LiveConfig
from dms.errors import ConfigError
from dms.http.connection import Connections, HttpConnection, http_config
from dms.http.guard import LiveGuard
from dms.http.live import LiveDoor, Serving
from dms.testing import FakeClock


async def hello(scope: Any, receive: Any, send: Any) -> None:
    """An application that reads the whole request and then says hello."""
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": b"hello"})


class NoSocket(asyncio.Protocol):
    """Whoever wants a WebSocket is hung up on."""

    def __init__(self, config: Any, server_state: Any, app_state: Any) -> None:
        pass

    def connection_made(self, transport: Any) -> None:
        transport.close()

    def shutdown(self) -> None:
        """Nothing is left to say."""


REQUEST = b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"


async def said(url: str, request: bytes = REQUEST, trust: ssl.SSLContext | None = None) -> bytes:
    """All that is said to a request at this address, until the end."""
    scheme, _, authority = url.partition("://")
    host, _, port = authority.rpartition(":")
    async with asyncio.timeout(5):
        reader, writer = await asyncio.open_connection(
            host.strip("[]"), int(port), ssl=trust if scheme == "https" else None
        )
        writer.write(request)
        answer = await reader.read()
        writer.close()
        return answer


class Authority:
    """Makes certificates for this machine, and trusts those that it made."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._authority = trustme.CA()
        self.trust = ssl.create_default_context()
        self._authority.configure_trust(self.trust)

    def issue(self, name: str = "node", *, key_of: str | None = None) -> tuple[Path, Path]:
        """Write a certificate and its key, or the key of another one beside it; gives both files."""
        made = self._authority.issue_cert("127.0.0.1", "localhost")
        certificate, key = self.folder / f"{name}.crt", self.folder / f"{name}.key"
        made.cert_chain_pems[0].write_to_path(certificate)
        if key_of is None:
            made.private_key_pem.write_to_path(key)
        else:
            key.write_bytes((self.folder / f"{key_of}.key").read_bytes())
        return certificate, key

    async def serial_at(self, url: str) -> str:
        """The serial number of the certificate that is shown there."""
        host, _, port = url.removeprefix("https://").rpartition(":")
        _, writer = await asyncio.open_connection(host, int(port), ssl=self.trust)
        shown = writer.get_extra_info("peercert")
        writer.close()
        await writer.wait_closed()
        return str(shown["serialNumber"])


class Veto:
    """A subscriber that comes after the door, and refuses while it is told to."""

    name = "veto"

    def __init__(self) -> None:
        self.refuses = False

    async def prepare(self, change: ConfigChange) -> None:
        if self.refuses:
            raise ConfigError("no")

    async def apply(self, change: ConfigChange) -> None:
        """There is nothing to do."""

    async def abandon(self, change: ConfigChange) -> None:
        """There is nothing to undo."""


class Life:
    """A door that follows a live configuration."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.folder, self.settings = folder, settings
        loaded = self.read()

        async def again() -> Loaded:
            return self.read()

        self.live = LiveConfig(loaded, MemoryConfigStore(), SystemClock(), again)
        self.live.start()
        self.veto = Veto()
        guard = LiveGuard(loaded.config.rest)
        self.application = hello
        most = lambda: self.live.config.rest.max_connections  # noqa: E731
        self.door = LiveDoor(lambda: Serving(self.application, NoSocket), guard, SystemClock(), most)
        self.live.subscribe(self.door)
        self.live.subscribe(self.veto)

    def read(self) -> Loaded:
        arguments = [f"rest.{name}={value}" for name, value in {"port": 0, **self.settings}.items()]
        return load(arguments=arguments, environ={"HOME": str(self.folder)})

    async def begin(self) -> "Life":
        self.door.claim(self.live.loaded)
        self.door.open()
        return self

    @property
    def url(self) -> str:
        (url,) = self.door.urls
        return url

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @property
    def told(self) -> list[str]:
        return [str(finding) for finding in self.door.findings]

    async def set(self, **values: Any) -> None:
        await self.live.set({f"rest.{name}": value for name, value in values.items()}, author="ana", volatile=True)

    async def refresh(self) -> None:
        async with self.live.unchanging() as loaded:
            await self.door.refresh(loaded)


Begin = Callable[..., Any]


@pytest.fixture
async def begin(tmp_path: Path) -> AsyncIterator[Begin]:
    """Begins the life of a door with these settings."""
    lives: list[Life] = []

    async def begin_(**settings: Any) -> Life:
        lives.append(Life(tmp_path, **settings))
        return await lives[-1].begin()

    yield begin_
    for life in lives:
        await life.door.stop(within=1)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture(name="said")
def said_() -> Any:
    return said


class Server:
    """A listener's connections, without a door around them."""

    def __init__(self, server: asyncio.Server, connections: Connections) -> None:
        self.connections = connections
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._writers: list[asyncio.StreamWriter] = []

    async def connect(self) -> "Peer":
        reader, writer = await asyncio.open_connection("127.0.0.1", int(self.url.rpartition(":")[2]))
        self._writers.append(writer)
        return Peer(reader, writer)

    def leave(self) -> None:
        for writer in self._writers:
            writer.close()


class Peer:
    """The other end of a connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    def say(self, data: bytes) -> None:
        self._writer.write(data)

    async def hear(self, until: bytes = b"hello") -> bytes:
        async with asyncio.timeout(5):
            return await self._reader.readuntil(until)

    async def rest(self) -> bytes:
        """All that it is told until it is hung up on."""
        try:
            async with asyncio.timeout(5):
                return await self._reader.read()
        except ConnectionResetError:
            return b""


@pytest.fixture
async def serve() -> AsyncIterator[Callable[..., Any]]:
    """Serves an application (else one that says hello) with these limits."""
    async with AsyncExitStack() as stack:

        async def serve_(application: Any = hello, most: int = 256, **limits: Any) -> Server:
            config, connections = http_config(application, NoSocket), Connections(FakeClock(), lambda: most, **limits)
            loop = asyncio.get_running_loop()
            listening = await loop.create_server(lambda: HttpConnection(config, connections), "127.0.0.1", 0)
            server = Server(await stack.enter_async_context(listening), connections)
            stack.callback(server.leave)
            return server

        yield serve_
