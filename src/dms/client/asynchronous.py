"""AsyncClient: asks a node from a coroutine, many things at once over one connection."""

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from types import TracebackType
from typing import Any

from dms.client.address import connect
from dms.client.conversation import Answered, Conversation, Notified
from dms.errors import DmsError, NoNode
from dms.rpc.lines import Lines

_LONGEST_ANSWER = 256 * 1024 * 1024


class AsyncClient:
    """A caller of the node of a data folder: `async with AsyncClient(data_dir) as client: await client.call(...)`."""

    def __init__(self, data_dir: str | os.PathLike[str]) -> None:
        self.data_dir = os.fspath(data_dir)
        self._conversation = Conversation()
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._writer: asyncio.StreamWriter | None = None
        self._listening: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "AsyncClient":
        reader, self._writer = await asyncio.open_unix_connection(sock=connect(self.data_dir))
        self._listening = asyncio.create_task(self._listen(reader))
        return self

    async def call(self, method: str, params: Mapping[str, Any] | None = None) -> Any:
        """The result of a method, as plain values. RemoteError is what the node answers where it can't; NoNode where
        it has gone. Cancelled, it tells the node that the answer is no longer wanted."""
        if self._writer is None or self._listening is None or self._listening.done():
            raise self._lost()
        number, line = self._conversation.request(method, params)
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            self._writer.write(line)
            await self._writer.drain()
            return await answer
        except OSError:
            raise self._lost() from None
        except asyncio.CancelledError:
            self._writer.write(b'{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":%d}}\n' % number)
            raise
        finally:
            self._waiting.pop(number, None)

    async def follow(
        self, topic: str, wanted: Mapping[str, Any] | None = None, cursor: str | None = None
    ) -> AsyncGenerator[Notified, None]:
        """The events of a topic as they come, over a connection of their own: `sub.event`, or `sub.gap` where some
        were missed. NoNode once the node stops."""
        reader, writer = await asyncio.open_unix_connection(sock=connect(self.data_dir))
        conversation, params = Conversation(), {"topic": topic, "filter": dict(wanted or {}), "from": cursor}
        try:
            writer.write(conversation.request("sub.open", params)[1])
            async for message in _messages(reader, conversation):
                if isinstance(message, Answered) and message.error is not None:
                    raise message.error
                if isinstance(message, Notified) and message.method != "session.closing":
                    yield message
            raise self._lost()
        finally:
            writer.close()

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        async for message in _messages(reader, self._conversation):
            if isinstance(message, Answered):
                self._settle(message)
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(self._lost())

    def _settle(self, answered: Answered) -> None:
        answer = self._waiting.get(answered.id or 0)
        if answer is None or answer.done():
            return
        if answered.error is not None:
            answer.set_exception(answered.error)
        else:
            answer.set_result(answered.result)

    def _lost(self) -> DmsError:
        return NoNode(f"the node at {self.data_dir} went away, or this client is not connected")

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._writer is not None:
            self._writer.close()
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)


async def _messages(reader: asyncio.StreamReader, conversation: Conversation) -> AsyncIterator[Answered | Notified]:
    """What comes, until the node hangs up."""
    lines = Lines(_LONGEST_ANSWER)
    while data := await _read(reader):
        for line in lines.feed(data):
            yield conversation.receive(line)


async def _read(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read(64 * 1024)
    except OSError:
        return b""
