"""Client: asks a node and blocks until it answers. No event loop, no thread: it starts in no time."""

import os
import socket
from collections.abc import Generator, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any

from dms.client.address import connect
from dms.client.conversation import Answered, Conversation, Notified
from dms.errors import NoNode, WaitTimeout


class _Line:
    """One connection: a request goes out, messages come in."""

    def __init__(self, data_dir: str | os.PathLike[str]) -> None:
        self.data_dir = os.fspath(data_dir)
        self._socket = connect(data_dir)
        self._reader = self._socket.makefile("rb")
        self._conversation = Conversation()

    def ask(self, method: str, params: Mapping[str, Any] | None, timeout: float | None) -> Any:
        """The answer to a request. WaitTimeout where it takes longer than `timeout` seconds."""
        number, line = self._conversation.request(method, params)
        self._socket.settimeout(timeout)
        try:
            self._socket.sendall(line)
            return self._result(number)
        except TimeoutError:
            raise WaitTimeout(f"the node at {self.data_dir} did not answer {method} within {timeout:g} s") from None
        except OSError:
            raise self._lost() from None

    def _result(self, number: int) -> Any:
        while True:
            message = self.next_message()
            if isinstance(message, Answered) and message.id in (number, None):
                if message.error is not None:
                    raise message.error
                return message.result

    def next_message(self) -> Answered | Notified:
        """The next message, whenever it comes. NoNode where the node has gone."""
        line = self._reader.readline()
        if not line.endswith(b"\n"):
            raise self._lost()
        return self._conversation.receive(line)

    def _lost(self) -> NoNode:
        return NoNode(f"the node at {self.data_dir} went away before it answered")

    def hang_up(self) -> None:
        """End the conversation, from another thread: whoever reads is told that nothing more comes."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Hang up."""
        self._reader.close()
        self._socket.close()


class Client:
    """A caller of the node of a data folder. It connects when it first asks; `with` hangs up at the end."""

    def __init__(self, data_dir: str | os.PathLike[str]) -> None:
        self.data_dir = os.fspath(data_dir)
        self._line: _Line | None = None
        self._followed: _Line | None = None

    def call(self, method: str, params: Mapping[str, Any] | None = None, *, timeout: float | None = None) -> Any:
        """The result of a method, as plain values. RemoteError is what the node answers where it can't; NoNode
        where none answers; WaitTimeout after `timeout` seconds (None: never), and what was asked goes on."""
        if self._line is None:
            self._line = _Line(self.data_dir)
        try:
            return self._line.ask(method, params, timeout)
        except (WaitTimeout, NoNode):
            self.close()  # a late answer must not be taken for the next one's
            raise

    def follow(
        self, topic: str, wanted: Mapping[str, Any] | None = None, cursor: str | None = None
    ) -> Generator[Notified, None, None]:
        """The events of a topic as they come: `sub.event`, or `sub.gap` where some were missed. `wanted` lets through
        only those whose members are equal; `cursor` is where to go on from. NoNode once the node stops."""
        line = self._followed = _Line(self.data_dir)
        try:
            line.ask("sub.open", {"topic": topic, "filter": dict(wanted or {}), "from": cursor}, None)
            while True:
                message = line.next_message()
                if isinstance(message, Notified) and message.method == "session.closing":
                    raise NoNode(f"the node at {self.data_dir} is stopping")
                if isinstance(message, Notified):
                    yield message
        finally:
            self._followed = None
            line.close()

    def unfollow(self) -> None:
        """From another thread: end what is being followed, which then raises NoNode there."""
        followed = self._followed
        if followed is not None:
            followed.hang_up()

    def close(self) -> None:
        """Hang up; asking again connects anew."""
        if self._line is not None:
            self._line.close()
            self._line = None

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
