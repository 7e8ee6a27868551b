import asyncio
import os
import socket
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from dms.access.peer import Peer
from dms.client import AsyncClient, Client
from dms.errors import NoNode, Refused, RemoteError, WaitTimeout


def test_a_call_gives_its_result(node: Any) -> None:
    with Client(node.data_dir) as client:
        assert "pong" == client.call("rpc.ping")
        assert 42 == client.call("task.run", {"name": "answer", "wait": True})["results"]


def test_what_the_node_answers_is_raised(node: Any) -> None:
    with Client(node.data_dir) as client, pytest.raises(RemoteError, match=r"Did you mean answer\?") as raised:
        client.call("task.get", {"name": "anwser"})
    assert ("not_found", -32004) == (raised.value.reason, raised.value.number)


def test_patience_has_an_end_and_the_next_call_gets_its_own_answer(node: Any) -> None:
    with Client(node.data_dir) as client:
        with pytest.raises(WaitTimeout, match=r"did not answer task.run within 0.05 s"):
            client.call("task.run", {"name": "hold", "wait": True}, timeout=0.05)
        node.let_go.set()
        assert "pong" == client.call("rpc.ping")


def test_a_node_is_found_by_a_relative_path_too(node: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(node.data_dir.parent)
    with Client(node.data_dir.name) as client:
        assert "pong" == client.call("rpc.ping")


def test_a_node_that_took_a_short_path_is_found_by_a_long_one(node: Any, data_dir: Path, tmp_path: Path) -> None:
    """The path of a socket may have 107 bytes, a folder's many more."""
    link = tmp_path / ("x" * 120)
    link.symlink_to(node.data_dir)
    with Client(link) as client:
        assert "pong" == client.call("rpc.ping")


def test_a_node_on_a_long_path_is_found_in_the_run_time_folder(
    data_dir: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = data_dir / ("y" * 120)
    deep.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(data_dir))
    node = request.getfixturevalue("node")
    made = type(node)(deep)
    made.start()
    try:
        monkeypatch.delenv("XDG_RUNTIME_DIR")
        with Client(deep) as client:
            assert "pong" == client.call("rpc.ping")
    finally:
        made.stop()


@pytest.mark.parametrize("left_behind", ["nothing", "socket"])
def test_where_no_node_answers_it_is_said_how_to_start_one(left_behind: str, data_dir: Path) -> None:
    if left_behind == "socket":
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(data_dir / "dms.sock"))
    with pytest.raises(NoNode) as raised:
        Client(data_dir).call("rpc.ping")
    assert f"no node answers at {data_dir}; start one with: dms run --data-dir {data_dir}" == str(raised.value)


def test_a_script_that_asks_for_us_names_its_own_companion_to_start_one_with(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DMS_RUN_COMMAND", "scripts/run")
    monkeypatch.setenv("DMS_GENERAL__DATA_DIR", str(data_dir))
    with pytest.raises(NoNode, match=r"; start one with: scripts/run$"):
        Client(data_dir).call("rpc.ping")
    other = data_dir / "other"
    other.mkdir()
    with pytest.raises(NoNode, match=rf"; start one with: scripts/run --data-dir {other}$"):
        Client(other).call("rpc.ping")


def test_where_there_is_no_folder_that_is_said_too(data_dir: Path) -> None:
    with pytest.raises(NoNode, match="there is no such folder"):
        Client(data_dir / "no where").call("rpc.ping")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_listener_that_is_neither_ours_nor_the_folder_s_owner_s_is_not_trusted(
    node: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("dms.client.address.peer_of", lambda connected: Peer(1, 4321, 1))
        with pytest.raises(Refused, match="belongs to user 4321 and not to the folder's owner"):
            Client(node.data_dir).call("rpc.ping")
    with Client(node.data_dir) as client:  # so that the node has taken the first one on before it stops
        client.call("rpc.ping")


def impostor(data_dir: Path, says: bytes) -> Thread:
    """Listens at the node's socket, takes one request, says this and hangs up."""
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(data_dir / "dms.sock"))
    listening.listen()

    def serve() -> None:
        with listening, listening.accept()[0] as accepted:
            accepted.recv(1000)
            accepted.sendall(says)

    thread = Thread(target=serve)
    thread.start()
    return thread


@pytest.mark.parametrize(
    ("says", "message"),
    [
        (b"", "went away before it answered"),
        (b'{"jsonrpc":"2.0","id":1,"res', "went away before it answered"),
        (b"HTTP/1.1 400 Bad Request\r\n", "what answers is no DMS node"),
    ],
)
def test_one_that_answers_nothing_or_nonsense_is_no_node(says: bytes, message: str, data_dir: Path) -> None:
    serving = impostor(data_dir, says)
    with pytest.raises(NoNode, match=message):
        Client(data_dir).call("rpc.ping")
    serving.join()


def test_a_follower_gets_what_comes_and_what_it_missed_before(node: Any) -> None:
    node.logs.publish({"event": "one"})
    following = Client(node.data_dir).follow("logs", cursor="1-0")
    assert {"event": "one"} == next(following).params["event"]
    node.logs.publish({"event": "two"})
    assert {"event": "two"} == next(following).params["event"]
    following.close()


def test_a_follower_learns_that_the_node_stops(node: Any) -> None:
    node.logs.publish({"event": "one"})
    following = Client(node.data_dir).follow("logs", cursor="1-0")
    next(following)
    node.stop()
    with pytest.raises(NoNode, match="is stopping"):
        next(following)


def test_what_can_t_be_followed_is_said(node: Any) -> None:
    with pytest.raises(RemoteError, match=r"no topic log; .* Did you mean logs\?"):
        next(Client(node.data_dir).follow("log"))


async def test_an_async_client_asks_many_things_at_once(node: Any) -> None:
    async with AsyncClient(node.data_dir) as client:
        held = asyncio.create_task(client.call("task.run", {"name": "hold", "wait": True}))
        assert ["pong"] * 10 == await asyncio.gather(*(client.call("rpc.ping") for _ in range(10)))
        node.let_go.set()
        assert "let go" == (await held)["results"]


async def test_what_the_node_answers_is_raised_in_a_coroutine_too(node: Any) -> None:
    async with AsyncClient(node.data_dir) as client:
        with pytest.raises(RemoteError, match=r"there is no method task\.lst"):
            await client.call("task.lst")


async def test_a_cancelled_call_is_cancelled_at_the_node(node: Any) -> None:
    async with AsyncClient(node.data_dir) as client:
        held = asyncio.create_task(client.call("task.run", {"name": "hold", "wait": True}))
        await asyncio.to_thread(node.begun.wait, 5)
        held.cancel()
        with pytest.raises(asyncio.CancelledError):
            await held
        assert "running" == (await client.call("task.get", {"name": "hold"}))["state"]


async def test_whoever_waits_when_the_node_stops_is_told(node: Any) -> None:
    async with AsyncClient(node.data_dir) as client:
        held = asyncio.create_task(client.call("task.run", {"name": "hold", "wait": True}))
        await asyncio.to_thread(node.begun.wait, 5)
        await asyncio.to_thread(node.stop)
        with pytest.raises(RemoteError, match="the node is stopping"):
            await held
        with pytest.raises(NoNode):
            await client.call("rpc.ping")


async def test_an_async_follower_gets_what_comes(node: Any) -> None:
    node.logs.publish({"event": "one"})
    following = AsyncClient(node.data_dir).follow("logs", cursor="1-0")
    assert {"event": "one"} == (await anext(following)).params["event"]
    await following.aclose()


async def test_a_client_that_is_not_connected_says_so(data_dir: Path) -> None:
    with pytest.raises(NoNode):
        await AsyncClient(data_dir).call("rpc.ping")
