"""What the tests of the command channel share: a caller, a door that remembers what it was sent, a few operations."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from dms.access.caller import ADMIN, Caller
from dms.command.command import Command
from dms.command.connection import Connection
from dms.command.operation import Effect, Nothing, Operation, Operations, by_name
from dms.errors import Conflict


class RememberingDoor:
    """A door without a wire: `sent` is what the peer would read. While it is not `writable` the peer reads nothing."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.hears = True
        self.idled = asyncio.Event()
        self.blocked = asyncio.Event()
        self.writable = asyncio.Event()
        self.writable.set()
        self.news = asyncio.Event()

    def send(self, text: bytes) -> None:
        self.sent.append(json.loads(text))
        self.news.set()

    async def drained(self) -> None:
        if not self.writable.is_set():
            self.blocked.set()
        await self.writable.wait()

    def hold(self) -> None:
        self.hears = False

    def go_on(self) -> None:
        self.hears = True

    def idle(self) -> None:
        self.idled.set()

    async def until(self, count: int) -> list[Any]:
        """What was sent, once it is so many messages."""
        async with asyncio.timeout(5):
            while len(self.sent) < count:
                self.news.clear()
                await self.news.wait()
        return self.sent


class Word(msgspec.Struct):
    word: str


@pytest.fixture
def admin() -> Caller:
    return Caller("root", "socket", frozenset({ADMIN}))


@pytest.fixture
def door() -> RememberingDoor:
    return RememberingDoor()


@pytest.fixture
def operations() -> Operations:
    """`echo` a word, `fail` with a conflict, `break` unforeseen, `wait` for ever; all need the scope `test`."""

    async def echo(params: Word, command: Command) -> str:
        return params.word

    async def fail(params: Nothing, command: Command) -> None:
        raise Conflict("it runs already")

    async def break_(params: Nothing, command: Command) -> None:
        raise ZeroDivisionError("password=hunter2")

    async def wait(params: Nothing, command: Command) -> None:
        await asyncio.Event().wait()

    handlers: list[tuple[str, type[msgspec.Struct], Any]] = [
        ("echo", Word, echo),
        ("fail", Nothing, fail),
        ("break", Nothing, break_),
        ("wait", Nothing, wait),
    ]
    return by_name(Operation(name, kind, Any, "test", Effect.READ, done, name) for name, kind, done in handlers)


@pytest.fixture
def connection(door: RememberingDoor, operations: Operations, admin: Caller) -> Connection:
    return Connection(door, operations, admin)


@pytest.fixture
def ask(admin: Caller) -> Callable[..., Any]:
    """Run one command through operations: `await ask(operations, "task.list", name=...)` gives what goes out."""

    async def run(operations: list[Operation], method: str, **params: Any) -> Any:
        result = await Command(method, params, caller=admin).run(by_name(operations))
        return msgspec.to_builtins(result)

    return run
