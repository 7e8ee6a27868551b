"""Functions in processes of their own, on a node: they do what others do, and none outlives its node."""

import os
import select
import signal
from typing import Any

import pytest

PATIENCE = 10
STAY = {"call": "functions:stay", "executor": "process"}


def process_of(node: Any) -> int:
    said = node.wait_for(lambda line: line["event"].startswith("process-"))
    return int(said["event"].partition("-")[2])


def test_a_declared_function_runs_in_a_process_and_its_log_is_kept(nodes: Any) -> None:
    work = {"call": "functions:work", "executor": "process", "args": [0, 1], "retry": {"max_retries": 1, "delay": 0}}
    nodes.configure(tasks={"work": work})
    node = nodes.start()
    end = node.run("work")
    assert ("success", 2, 2) == (end["status"], end["attempt"], end["results"])
    assert ["start", "start", "end"] == [entry[3] for entry in node.journal]


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_none_outlives_its_node(nodes: Any, how: str) -> None:
    nodes.configure(tasks={"stay": {**STAY, "kill_after": "200ms"}}, shutdown={"timeout": "2s"})
    node = nodes.start()
    node.ask("task.run", name="stay")
    process = os.pidfd_open(process_of(node))
    getattr(node, how)()
    assert [process] == select.select([process], [], [], PATIENCE)[0]
    os.close(process)


@pytest.mark.parametrize(
    "task",
    [
        {"run": ["sh", "-c", "setsid sleep 60 > /dev/null 2>&1 & echo $!"]},
        {"call": "functions:leave_a_daemon"},
        {"call": "functions:leave_a_daemon", "executor": "process"},
    ],
)
def test_what_outlives_the_node_holds_neither_its_port_nor_its_files(nodes: Any, task: Any) -> None:
    """tsl0922/ttyd#162: a child kept the server's socket, and the next server could not have its port."""
    nodes.configure(tasks={"leave": task})
    node = nodes.start()
    port = node.ask("config.get", key="rest.port")["value"] or door_of(node).rpartition(":")[2].rstrip("/")
    results = node.run("leave")["results"]
    daemon = int(results["output"] if isinstance(results, dict) else results)
    try:
        assert {"0", "1", "2"} == set(os.listdir(f"/proc/{daemon}/fd"))
        node.stop()
        assert door_of(nodes.start("--set", f"rest.port={port}")).rstrip("/").endswith(f":{port}")
    finally:
        os.kill(daemon, signal.SIGKILL)


def door_of(node: Any) -> str:
    return str(next(door for door in node.ask("node.status")["doors"] if door.startswith("http")))
