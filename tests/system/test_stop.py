"""How a node stops: what runs may finish, what does not is cancelled, and the end always comes."""

import json
import os
import signal
import socket
import sqlite3
from contextlib import ExitStack, suppress
from time import monotonic
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from dms.errors import RemoteError

TASKS = {
    "short": {"call": "functions:work", "kwargs": {"seconds": 0.5}},
    "obedient": {"call": "functions:obey"},
    "program": {"run": ["sh", "-c", "trap 'echo told; exit 3' TERM; echo start; while :; do sleep 0.02; done"]},
    "deaf": {"run": ["sh", "-c", "trap '' TERM; echo start; while :; do sleep 0.02; done"], "kill_after": "1m"},
    "stubborn": {"call": "functions:ignore"},
    "thread": {"call": "functions:leave_a_thread"},
    "hog": {"call": "functions:hog"},
    "together": {"call": "functions:work_together", "kwargs": {"seconds": 60}},
    "follower": {"call": "functions:work", "on": "task.short.success"},
    "clock": {"call": "functions:work", "every": "100ms"},
}


def started(nodes: Any, *tasks: str, timeout: str = "3s") -> Any:
    """A node on which these tasks run."""
    nodes.configure(tasks=TASKS, shutdown={"timeout": timeout}, observability={"log_level": "debug"})
    node = nodes.start()
    for task in tasks:
        node.ask("task.run", name=task)
        node.wait_for(lambda line, task=task: (line.get("task"), line["event"]) == (task, "start"))
    return node


def noted(node: Any, task: str, word: str) -> int:
    return sum(line[0] == task and line[3] == word for line in node.journal)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_runs_may_finish_and_the_status_is_0(nodes: Any, number: signal.Signals) -> None:
    node = started(nodes, "short")
    node.signal(number)
    assert 0 == node.end()
    assert [number.name] == [line["signal"] for line in node.log if line["event"] == "stopping"]
    assert "stopped" == node.log[-1]["event"]
    assert 1 == noted(node, "short", "end")
    assert "success" == nodes.start().history("short")[0]["status"]


def test_nothing_new_starts_after_the_signal(nodes: Any) -> None:
    node = started(nodes, "short")
    node.wait_for_end_of("clock")
    node.signal(signal.SIGTERM)
    node.wait_for(lambda line: line["event"] == "stopping")
    before = noted(node, "clock", "start")
    assert 0 == node.end()
    assert noted(node, "clock", "start") <= before + 1  # one may have begun before the signal was heard
    assert 0 == noted(node, "follower", "start")


def test_a_task_that_outlasts_the_drain_is_told_to_end(nodes: Any) -> None:
    node = started(nodes, "obedient", "program", "together")
    assert 0 == node.stop()
    assert 1 == noted(node, "obedient", "told")
    after = nodes.start()
    ended = {task: after.history(task)[0] for task in ("obedient", "program", "together")}
    assert {"obedient": "interrupted", "program": "interrupted", "together": "interrupted"} == {
        task: execution["status"] for task, execution in ended.items()
    }
    assert "told" in ended["program"]["results"]["output"]


def test_a_program_that_ignores_the_signal_is_killed(nodes: Any) -> None:
    node = started(nodes, "deaf")
    assert 0 == node.stop()
    assert "interrupted" == nodes.start().history("deaf")[0]["status"]


@pytest.mark.parametrize("timeout", ["3s", "500ms"])
def test_a_task_that_ignores_everything_is_left_behind_by_name_and_in_time(nodes: Any, timeout: str) -> None:
    node = started(nodes, "stubborn", timeout=timeout)
    began = monotonic()
    assert 70 == node.stop()
    assert monotonic() - began < {"3s": 3.5, "500ms": 1.0}[timeout]
    assert "stubborn" in str(node.log[-1])
    assert "abandoned" == nodes.start().history("stubborn")[0]["status"]


def test_a_coroutine_that_blocks_stops_nobody_else_and_is_left_behind_by_name(nodes: Any) -> None:
    node = started(nodes, "hog", timeout="1s")
    assert "success" == node.run("short")["status"]
    assert 70 == node.stop()
    assert ("stopped late", ["hog"]) == (node.log[-1]["event"], node.log[-1]["left_behind"])


def test_a_thread_that_a_task_left_does_not_hold_the_process(nodes: Any) -> None:
    node = started(nodes, "thread", timeout="2s")
    node.wait_for_end_of("thread")
    began = monotonic()
    assert 70 == node.stop()
    assert monotonic() - began < 2.5
    assert ("the end of the process", ["theirs"]) == (node.log[-1]["stage"], node.log[-1]["threads"])


def test_a_second_signal_hurries(nodes: Any) -> None:
    node = started(nodes, "obedient", timeout="15s")
    began = monotonic()
    node.signal(signal.SIGTERM)
    node.wait_for(lambda line: line["event"] == "stopping")
    node.signal(signal.SIGTERM)
    assert 0 == node.end()
    assert monotonic() - began < 2
    assert "interrupted" == nodes.start().history("obedient")[0]["status"]


def test_a_third_signal_ends_it_at_once(nodes: Any) -> None:
    node = started(nodes, "stubborn", timeout="15s")
    began = monotonic()
    for event in ("stopping", "stopping now; what runs is cancelled"):
        node.signal(signal.SIGINT)
        node.wait_for(lambda line, event=event: line["event"] == event)
    node.signal(signal.SIGINT)
    assert 70 == node.end()
    assert monotonic() - began < 2
    assert "interrupted" == nodes.start().history("stubborn")[0]["status"]


def test_while_it_drains_it_answers_and_takes_nothing_new(nodes: Any) -> None:
    node = started(nodes, "obedient", timeout="6s")
    node.signal(signal.SIGTERM)
    node.wait_for(lambda line: line["event"] == "stopping")
    assert "not_ready" == node.ask("node.status")["state"]
    refused = node.dms("task", "run", "short")
    assert (4, "") == (refused.returncode, refused.stdout)
    assert "the node is stopping and takes nothing new; ask again once it is back" in refused.stderr
    with pytest.raises(RemoteError) as told:
        node.ask("config.set", changes={"general.debug": True})
    assert ("shutting_down", True) == (told.value.reason, told.value.data["retryable"])


def test_a_kill_after_the_first_stage_loses_nothing(nodes: Any) -> None:
    """Another program holds the database, so that the end of a run can't be written until the stop has begun."""
    node = started(nodes, "short", "obedient", timeout="30s")
    on_disk = "what has happened is on disk"
    holding = sqlite3.connect(node.data_dir / "dms.db", isolation_level=None)
    try:
        holding.execute("BEGIN IMMEDIATE")
        while node.ask("task.get", name="short")["state"] == "running":
            pass
        node.signal(signal.SIGTERM)
        node.wait_for(lambda line: line["event"] == "stopping")
        assert not node.tells(lambda line: line["event"] == on_disk, within=0.3)
    finally:
        holding.close()
    assert ["obedient"] == node.wait_for(lambda line: line["event"] == on_disk)["running"]
    node.kill()
    after = nodes.start()
    assert "success" == after.history("short")[0]["status"]
    assert "interrupted" == after.history("obedient")[0]["status"]


ASK_MUCH = [{"id": number, "method": "rpc.discover"} for number in range(60)]
"""More answers than the system's buffers take."""

FOLLOW = {"id": 1, "method": "sub.open", "params": {"topic": "logs"}}


def local_peer(keep: ExitStack, node: Any, *messages: dict[str, Any]) -> socket.socket:
    """Somebody at the node's socket who has said something, and reads nothing of the answers."""
    peer = keep.enter_context(socket.socket(socket.AF_UNIX))
    peer.connect(str(node.data_dir / "dms.sock"))
    peer.sendall(b"".join(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n" for message in messages))
    return peer


def web_peer(keep: ExitStack, node: Any, *messages: dict[str, Any]) -> ClientConnection:
    """The same at its WebSocket."""
    url = next(door for door in node.ask("node.status")["doors"] if door.startswith("http"))
    token = (node.data_dir / "admin.token").read_text().strip()
    options: dict[str, Any] = {"proxy": None, "compression": None, "max_queue": 1, "close_timeout": 0.1}
    headers = {"Authorization": f"Bearer {token}"}
    peer = keep.enter_context(connect(f"ws{url[4:]}/ws", additional_headers=headers, **options))
    for message in messages:
        peer.send(json.dumps({"jsonrpc": "2.0", **message}))
    return peer


def last_code(peer: ClientConnection) -> int | None:
    """The code with which it was closed, once all that came before is read."""
    with suppress(ConnectionClosed):
        for _ in peer:
            pass
    return peer.close_code


def test_nobody_who_is_connected_holds_a_stop(nodes: Any) -> None:
    """NousResearch/hermes-agent#58005: a stop waited without end for an open socket, so that the manager killed it."""
    nodes.configure(tasks={**TASKS, "job": {"call": "functions:work", "kwargs": {"seconds": 1}}})
    node = nodes.start("--set", "shutdown.timeout=6s")
    with ExitStack() as keep, node.waiting_for("job") as caller:
        idle, on_the_web = local_peer(keep, node), web_peer(keep, node)
        following = web_peer(keep, node, FOLLOW)
        assert "result" in json.loads(following.recv(timeout=5))
        for peer in (local_peer, web_peer):
            peer(keep, node, FOLLOW)
            peer(keep, node, *ASK_MUCH)
        began = monotonic()
        node.signal(signal.SIGTERM)
        out, _ = caller.communicate(timeout=10)
        assert 0 == node.end()
        assert monotonic() - began < 4
        assert b"session.closing" in idle.recv(4096)
        assert (1001, 1001) == (last_code(on_the_web), last_code(following))
    assert (0, "success") == (caller.returncode, json.loads(out)["status"])
    assert "success" == nodes.start().history("job")[0]["status"]


def test_a_changed_timeout_counts_for_the_next_stop(nodes: Any) -> None:
    node = started(nodes, "stubborn", timeout="1h")
    node.ask("config.set", changes={"shutdown.timeout": "600ms"})
    assert 70 == node.stop()
    (stopping,) = [line for line in node.log if line["event"] == "stopping"]
    assert "0.6s" == stopping["within"]


def test_a_caller_that_waits_for_a_run_is_told_what_became_of_it(nodes: Any) -> None:
    nodes.configure(tasks=TASKS, shutdown={"timeout": "2s"})
    node = nodes.start()
    with node.waiting_for("obedient") as caller:
        node.signal(signal.SIGTERM)
        out, _ = caller.communicate(timeout=10)
    assert (1, "interrupted") == (caller.returncode, json.loads(out)["status"])


def test_a_signal_while_it_starts_stops_it_too(nodes: Any) -> None:
    nodes.configure(tasks=TASKS)
    node = nodes.begin("--set", "observability.log_level=debug")
    node.wait_for(lambda line: True)
    assert 0 == node.stop()


def test_a_signal_to_a_process_that_a_task_forked_does_not_stop_the_node(nodes: Any) -> None:
    nodes.configure(tasks={"fork": {"call": "functions:leave_a_process"}})
    node = nodes.start()
    os.kill(node.run("fork")["results"], signal.SIGTERM)
    assert not node.tells(lambda line: line["event"] == "stopping", within=0.3)
    assert "well" == node.ask("node.status")["state"]


def test_a_hangup_without_a_terminal_reads_the_configuration_anew_and_ends_nothing(nodes: Any) -> None:
    """zeroclaw-labs/zeroclaw#3721: the end of a session ended the service that was started in it."""
    node = started(nodes, "short")
    node.signal(signal.SIGHUP)
    node.wait_for(lambda line: line.get("signal") == "SIGHUP")
    assert "well" == node.ask("node.status")["state"]
    assert 0 == node.stop()
