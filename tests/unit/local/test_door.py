import asyncio
import json
import os
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dms.access.caller import NODE_READ
from dms.command.command import Command
from dms.command.limits import DEFAULT_LIMITS
from dms.command.operation import Effect, Nothing, Operation, by_name
from dms.command.subscription import subscription_operations
from dms.command.topic import Topic
from dms.errors import FolderInUse, Refused, StoreError
from dms.local import door as door_module
from dms.local import peer_connection
from dms.local.door import LocalDoor
from dms.rpc.session import MAX_MESSAGE


class Size(msgspec.Struct):
    size: int


class Operations:
    """`fill` answers with so many bytes, `wait` until it is let go; `freed` is set when nobody waits any more."""

    def __init__(self) -> None:
        self.topic = Topic("logs", scope=NODE_READ, epoch=1, capacity=50)
        self.waiting, self.let_go, self.freed = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.done: list[str] = []
        mine = [
            Operation("fill", Size, str, NODE_READ, Effect.READ, self.fill, ""),
            Operation("wait", Nothing, str, NODE_READ, Effect.ONCE, self.wait, ""),
            Operation("note", Nothing, str, NODE_READ, Effect.ONCE, self.note, ""),
        ]
        self.table = by_name(mine, subscription_operations([self.topic]))

    async def fill(self, params: Size, command: Command) -> str:
        return "x" * params.size

    async def wait(self, params: Nothing, command: Command) -> str:
        self.waiting.set()
        try:
            await self.let_go.wait()
        finally:
            self.freed.set()
        return "let go"

    async def note(self, params: Nothing, command: Command) -> str:
        self.done.append("noted")
        return "noted"


class Peer:
    """The other end, line by line."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def connect(cls, path: Path) -> "Peer":
        return cls(*await asyncio.open_unix_connection(path, limit=64 * 1024 * 1024))

    def say(self, identifier: Any, method: str, **params: Any) -> None:
        message = {"jsonrpc": "2.0", "id": identifier, "method": method, "params": params}
        self.writer.write(json.dumps(message).encode() + b"\n")

    async def hear(self) -> Any:
        async with asyncio.timeout(5):
            return json.loads(await self.reader.readline())

    async def until_closed(self) -> bytes:
        async with asyncio.timeout(5):
            return await self.reader.read()


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="dms") as made:
        yield Path(made)


@pytest.fixture
async def operations() -> Operations:
    return Operations()


@pytest.fixture
async def door(folder: Path, operations: Operations) -> AsyncIterator[LocalDoor]:
    made = LocalDoor(folder, operations.table, patience=0.05)
    await made.start()
    yield made
    await made.stop(0.05)


@pytest.fixture
async def peer(door: LocalDoor, folder: Path) -> AsyncIterator[Peer]:
    connected = await Peer.connect(folder / "dms.sock")
    yield connected
    connected.writer.close()


async def test_what_is_asked_is_answered(peer: Peer) -> None:
    peer.say(1, "note")
    assert {"jsonrpc": "2.0", "id": 1, "result": "noted"} == await peer.hear()


async def test_many_requests_of_one_peer_are_under_way_at_once(peer: Peer, operations: Operations) -> None:
    peer.say(1, "wait")
    peer.say(2, "note")
    assert 2 == (await peer.hear())["id"]
    operations.let_go.set()
    assert {"jsonrpc": "2.0", "id": 1, "result": "let go"} == await peer.hear()


async def test_malformed_lines_are_answered_and_the_next_one_counts(peer: Peer) -> None:
    peer.writer.write(b"\xff\xfe{}\n\n[]\n")
    peer.say(3, "note")
    assert [-32700, -32600] == [(await peer.hear())["error"]["code"] for _ in range(2)]
    assert 3 == (await peer.hear())["id"]


async def test_a_line_too_long_is_answered_and_the_next_one_counts(peer: Peer) -> None:
    peer.writer.write(b"x" * (3 * MAX_MESSAGE) + b"\n")
    peer.say(3, "note")
    assert -32007 == (await peer.hear())["error"]["code"]
    assert 3 == (await peer.hear())["id"]


async def test_one_that_said_its_last_word_gets_its_answers_and_is_let_go(peer: Peer, operations: Operations) -> None:
    """As `printf … | nc -U dms.sock` does."""
    peer.say(1, "wait")
    peer.writer.write_eof()
    await operations.waiting.wait()
    operations.let_go.set()
    assert b'{"jsonrpc":"2.0","id":1,"result":"let go"}\n' == await peer.until_closed()


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (b'{"jsonrpc":"2.0","id":1,"method":"note"}', [(1, "noted", None)]),
        (
            b'{"jsonrpc":"2.0","id":1,"method":"note"}\n{"jsonrpc":"2.0","id":2',
            [(None, None, -32700), (1, "noted", None)],
        ),
    ],
)
async def test_a_last_word_without_the_end_of_its_line_is_answered_too(
    peer: Peer, said: bytes, expected: list[tuple[int | None, str | None, int | None]]
) -> None:
    """ethereum-mining/ethminer#1010: `printf` without a line end got no answer at all."""
    peer.writer.write(said)
    peer.writer.write_eof()
    answers = [json.loads(line) for line in (await peer.until_closed()).splitlines()]
    told = [(each["id"], each.get("result"), each.get("error", {}).get("code")) for each in answers]
    assert expected == sorted(told, key=lambda each: each[0] or 0)


async def test_one_that_only_notified_is_let_go_too(peer: Peer, operations: Operations) -> None:
    peer.writer.write(b'{"jsonrpc":"2.0","method":"note"}\n')
    peer.writer.write_eof()
    assert b"" == await peer.until_closed()
    assert ["noted"] == operations.done


async def test_one_that_goes_frees_what_waited_for_it(peer: Peer, operations: Operations) -> None:
    peer.say(1, "wait")
    await operations.waiting.wait()
    peer.writer.close()
    await asyncio.wait_for(operations.freed.wait(), 5)
    assert not operations.let_go.is_set()


async def test_one_that_never_reads_is_cut_off_and_the_others_are_not(
    peer: Peer, folder: Path, operations: Operations
) -> None:
    """aio-libs/aiohttp#1367: what it did not read was kept without bound."""
    peer.say(1, "wait")
    await operations.waiting.wait()
    for number in range(2, 40):
        peer.say(number, "fill", size=4 * DEFAULT_LIMITS.send_buffer)
    other = await Peer.connect(folder / "dms.sock")
    other.say(1, "note")
    assert "noted" == (await other.hear())["result"]
    await asyncio.wait_for(operations.freed.wait(), 5)
    other.writer.close()


async def test_a_peer_that_reads_slowly_gets_everything(peer: Peer) -> None:
    for number in range(20):
        peer.say(number, "fill", size=DEFAULT_LIMITS.send_buffer)
    answers = [await peer.hear() for _ in range(20)]
    assert set(range(20)) == {answer["id"] for answer in answers}
    assert {DEFAULT_LIMITS.send_buffer} == {len(answer["result"]) for answer in answers}


async def test_at_the_stop_a_peer_is_told_why_and_the_socket_is_gone(
    peer: Peer, door: LocalDoor, operations: Operations, folder: Path
) -> None:
    peer.say(1, "wait")
    await operations.waiting.wait()
    await door.stop(0.05)
    assert "shutting_down" == (await peer.hear())["error"]["data"]["reason"]
    assert "session.closing" == (await peer.hear())["method"]
    assert b"" == await peer.until_closed()
    assert [] == os.listdir(folder)


async def test_a_peer_that_reads_nothing_does_not_hold_up_the_stop(peer: Peer, door: LocalDoor) -> None:
    for number in range(10):
        peer.say(number, "fill", size=4 * DEFAULT_LIMITS.send_buffer)
    assert 0 <= (await peer.hear())["id"]
    await asyncio.wait_for(door.stop(0.05), 5)


async def test_one_that_comes_while_the_door_closes_is_told_so(door: LocalDoor, folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as late:
        late.connect(str(folder / "dms.sock"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)  # one turn to see it, one to accept it
        await door.stop(0.05)
        late.setblocking(False)
        assert b"the node is stopping" in late.recv(1000)


async def test_a_stopped_door_can_be_stopped_again(door: LocalDoor) -> None:
    await door.stop(0.05)
    await door.stop(0.05)


async def test_a_second_door_of_the_folder_is_refused_and_the_first_goes_on(
    peer: Peer, folder: Path, operations: Operations
) -> None:
    with pytest.raises(FolderInUse):
        await LocalDoor(folder, operations.table).start()
    peer.say(1, "note")
    assert "noted" == (await peer.hear())["result"]


async def test_beyond_the_limit_a_peer_is_turned_away_with_a_message(
    peer: Peer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door_module, "MAX_PEERS", 1)
    peer.say(1, "note")
    await peer.hear()
    other = await Peer.connect(folder / "dms.sock")
    assert "overloaded" == (await other.hear())["error"]["data"]["reason"]
    assert b"" == await other.until_closed()
    other.writer.close()


async def test_a_stranger_is_turned_away_with_a_message(
    door: LocalDoor, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object) -> None:
        raise Refused("user mallory may not command this node")

    monkeypatch.setattr(peer_connection, "caller_by_socket", refuse)
    stranger = await Peer.connect(folder / "dms.sock")
    stranger.say(1, "note")
    error = (await stranger.hear())["error"]
    assert (-32003, "user mallory may not command this node") == (error["code"], error["message"])
    stranger.writer.close()


async def test_events_reach_a_follower(peer: Peer, operations: Operations) -> None:
    peer.say(1, "sub.open", topic="logs")
    await peer.hear()
    operations.topic.publish({"event": "hello"})
    assert {"event": "hello"} == (await peer.hear())["params"]["event"]


async def test_a_peer_that_connects_and_leaves_at_once_does_no_harm(door: LocalDoor, folder: Path) -> None:
    for _ in range(5):
        with socket.socket(socket.AF_UNIX) as hasty:
            hasty.connect(str(folder / "dms.sock"))
    patient = await Peer.connect(folder / "dms.sock")
    patient.say(1, "note")
    assert "noted" == (await patient.hear())["result"]
    patient.writer.close()


async def test_a_socket_for_which_there_is_no_place_says_what_is_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "dms.sock.path").mkdir()
    with pytest.raises(StoreError, match=r"no place for the node's socket: .*dms\.sock\.path"):
        await LocalDoor(tmp_path, {}).start()
