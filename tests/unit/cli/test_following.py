"""`task watch`, `logs -f` and a reader that leaves, as processes of their own."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from dms.client import Client

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(node: Any) -> Iterator[Start]:
    started: list[subprocess.Popen[str]] = []

    def run(*words: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-m", "dms", *words, "--data-dir", str(node.data_dir)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


def line_of(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def interrupted(process: "subprocess.Popen[str]") -> tuple[int, str]:
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=10)
    return process.returncode, told


def test_the_log_is_followed_until_ctrl_c_which_ends_it_quietly(start: Start, node: Any) -> None:
    node.logs.publish({"at": "2026-11-25T02:00:00+00:00", "level": "info", "event": "before"})
    process = start("logs", "-f")
    assert line_of(process).endswith(" before\n")
    node.logs.publish({"at": "2026-11-25T02:00:01+00:00", "level": "info", "event": "after"})
    assert line_of(process).endswith(" after\n")
    assert (0, "") == interrupted(process)


def test_runs_are_watched_a_document_a_line_with_json(start: Start, node: Any) -> None:
    process = start("task", "watch", "answer", "--json")
    with Client(node.data_dir) as client:
        while not (following := node.following()):
            client.call("rpc.ping")
        assert 1 == following
        client.call("task.run", {"name": "hold"})
        client.call("task.run", {"name": "answer", "wait": True})
    told = [json.loads(line_of(process)) for _ in range(2)]
    assert [("started", "answer"), ("ended", "answer")] == [(event["kind"], event["task"]) for event in told]
    assert (0, "") == interrupted(process)


def test_ctrl_c_while_waiting_for_a_run_ends_with_130_and_the_run_goes_on(start: Start, node: Any) -> None:
    process = start("task", "run", "hold", "--wait")
    assert node.begun.wait(10)
    assert (130, "dms: no longer waited for; hold goes on\n") == interrupted(process)
    with Client(node.data_dir) as client:
        assert "running" == client.call("task.get", {"name": "hold"})["state"]


def test_a_follower_of_a_node_that_stops_ends_with_69(start: Start, node: Any) -> None:
    node.logs.publish({"at": "2026-11-25T02:00:00+00:00", "level": "info", "event": "before"})
    process = start("logs", "-f")
    line_of(process)
    with Client(node.data_dir) as client:
        while not node.following():
            client.call("rpc.ping")
    node.stop()
    _, told = process.communicate(timeout=10)
    assert (69, f"dms: the node at {node.data_dir} is stopping\n") == (process.returncode, told)


def test_a_reader_that_leaves_early_is_no_fault(start: Start, node: Any) -> None:
    """As `dms logs -f | head -1` does."""
    node.logs.publish({"at": "2026-11-25T02:00:00+00:00", "level": "info", "event": "before"})
    process = start("logs", "-f")
    line_of(process)
    assert process.stdout is not None
    process.stdout.close()
    with Client(node.data_dir) as client:
        while not node.following():
            client.call("rpc.ping")
    for _ in range(3):
        node.logs.publish({"at": "2026-11-25T02:00:01+00:00", "level": "info", "event": "after"})
    assert process.stderr is not None
    assert "" == process.stderr.read()
    assert 0 == process.wait(10)
