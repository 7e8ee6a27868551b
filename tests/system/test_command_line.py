"""The command line against the real daemon: what the issue of this part promises, from a second terminal."""

import json
import os
import re
import signal
import socket
import stat
from pathlib import Path
from typing import Any

import pytest

from dms.access.socket_place import LONGEST

TASKS = {
    "works": {"call": "functions:work", "description": "It works."},
    "fails": {"call": "functions:broken"},
    "fails-once": {"call": "functions:work", "kwargs": {"failures": 1}, "retry": {"max_retries": 1, "delay": "1ms"}},
    "listens": {"call": "functions:payload", "on": "door.opened"},
    "obeys": {"call": "functions:obey", "every": "1h"},
    "prints": {"run": ["printf", "\\033[31mred\\nlast \\377 line\\n"]},
}
MEMBERS = {
    "id", "run_id", "task", "attempt", "status", "due_at", "started_at", "ended_at", "error", "event", "results",
}  # fmt: skip
RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?([+-]\d\d:\d\d|Z)").fullmatch


@pytest.fixture
def node(nodes: Any) -> Any:
    nodes.configure(tasks=TASKS)
    return nodes.start()


def document(ended: Any) -> Any:
    return json.loads(ended.stdout)


@pytest.mark.parametrize(("task", "status", "outcome"), [("works", 0, "success"), ("fails", 1, "failed")])
def test_a_run_that_is_waited_for_ends_as_it_did(task: str, status: int, outcome: str, node: Any) -> None:
    ended = node.dms("task", "run", task, "--wait", "--json")
    execution = document(ended)
    assert (status, outcome, "") == (ended.returncode, execution["status"], ended.stderr)
    assert set() == MEMBERS - set(execution)
    assert all(RFC3339(execution[name]) for name in ("due_at", "started_at", "ended_at"))


def test_the_history_has_a_line_an_attempt_and_the_newest_first(node: Any) -> None:
    node.dms("task", "run", "fails-once", "--wait")
    attempts = document(node.dms("task", "history", "fails-once", "--json"))
    assert [(2, "success"), (1, "failed")] == [(each["attempt"], each["status"]) for each in attempts]
    assert 1 == len({each["run_id"] for each in attempts})


def test_the_list_tells_of_every_task(node: Any) -> None:
    listed = {each["name"]: each for each in document(node.dms("task", "list", "--json"))}
    assert set(TASKS) == set(listed)
    assert ("ready", True, ["every 1h"]) == tuple(listed["obeys"][name] for name in ("state", "enabled", "triggers"))
    assert RFC3339(listed["obeys"]["next_fire"])


def test_an_event_fires_the_task_that_listens(node: Any) -> None:
    assert 0 == node.dms("event", "emit", "door.opened", '{"door": "north"}').returncode
    node.wait_for_end_of("listens")
    (execution,) = node.history("listens")
    assert ("door.opened", {"door": "north"}) == (execution["event"]["topic"], execution["results"])


def test_a_key_is_told_with_where_it_comes_from(node: Any) -> None:
    told = document(node.dms("config", "get", "scheduler.import_paths", "--json"))
    assert ("scheduler.import_paths", "main file") == (told["key"], told["origin"])


def test_a_pause_outlives_a_kill(node: Any, nodes: Any) -> None:
    node.dms("task", "pause", "obeys", "--reason", "disk is being replaced")
    node.kill()
    told = document(nodes.start().dms("task", "get", "obeys", "--json"))
    assert ("paused", "disk is being replaced") == (told["state"], told["reason"])


def test_what_a_task_prints_can_not_steer_the_terminal(node: Any) -> None:
    ended = node.dms("task", "run", "prints", "--wait")
    assert "\x1b" not in ended.stdout
    assert ended.stdout.endswith(": last \N{REPLACEMENT CHARACTER} line\n")


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["task", "run", "wroks"], 3, "there is no task called wroks. Did you mean works?"),
        (["config", "get", "scheduler.max_runing_tasks"], 3, "Did you mean max_running_tasks?"),
        (["call", "task.lst"], 3, "there is no method task.lst. Did you mean task.list?"),
        (["call", "task.run", '{"nam": "works"}'], 2, "nam: unknown parameter"),
        (["event", "emit", "a b"], 2, "topic: 'a b' is not words joined by dots"),
        (["tsak"], 2, "no such command tsak. Did you mean task?"),
    ],
)
def test_what_goes_wrong_is_said_in_a_line_with_its_status(
    words: list[str], status: int, message: str, node: Any
) -> None:
    ended = node.dms(*words)
    assert (status, "") == (ended.returncode, ended.stdout)
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_second_node_of_the_folder_is_refused_by_name_and_process(node: Any) -> None:
    ended = node.dms("run")
    name = node.ask("node.info")["name"]
    assert 4 == ended.returncode
    assert f"node {name} (process {node.process.pid}) holds it" in ended.stderr
    assert 0 == node.dms("status").returncode


def test_a_killed_node_is_not_there_and_can_be_started_again(node: Any, nodes: Any) -> None:
    node.kill()
    ended = node.dms("status")
    assert 69 == ended.returncode
    assert f"no node answers at {node.data_dir}; start one with: dms run --data-dir {node.data_dir}\n" in ended.stderr
    assert 0 == nodes.start().dms("status").returncode


def test_the_socket_is_its_owner_s_alone_and_gone_after_the_stop(node: Any) -> None:
    path = node.data_dir / "dms.sock"
    if len(os.fsencode(path)) > LONGEST:
        path = Path((node.data_dir / "dms.sock.path").read_text().strip())
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)
    assert 0 == node.stop()
    assert not path.exists()


def test_a_data_folder_with_a_long_path_has_its_socket_elsewhere(nodes: Any) -> None:
    nodes.configure(tasks=TASKS)
    nodes.data_dir = nodes.folder / ("d" * 120)
    node = nodes.start(XDG_RUNTIME_DIR="")
    assert [f"/tmp/dms-{os.geteuid()}"] == [
        str(Path(line).parent) for line in (node.data_dir / "dms.sock.path").read_text().splitlines()
    ]
    assert 0 == node.dms("status").returncode
    assert 0 == node.stop()
    assert not (node.data_dir / "dms.sock.path").exists()


def test_malformed_messages_are_answered_and_lose_nothing(node: Any) -> None:
    from dms.client.address import connect

    said = b'\xff\n{\n[]\n42\n{"jsonrpc":"2.0","id":1,"method":"rpc.ping"}\n'
    with connect(node.data_dir) as connected, connected.makefile("rb") as reader:
        connected.sendall(said)
        connected.shutdown(socket.SHUT_WR)
        answers = [json.loads(line) for line in reader]
    assert [-32700, -32700, -32600, -32600] == [each["error"]["code"] for each in answers if "error" in each]
    assert ["pong"] == [each["result"] for each in answers if "result" in each]


def test_ctrl_c_in_the_node_s_own_terminal_ends_it_cleanly(node: Any) -> None:
    node.signal(signal.SIGINT)
    assert 0 == node.end()


def test_a_strict_start_with_anything_wrong_ends_with_78(nodes: Any) -> None:
    nodes.configure("tasks:\n  works:\n    run: [true]\n    retires: 3\n")
    node = nodes.begin("--strict")
    assert 78 == node.end()
    assert any("mine.yaml:4:5" in line and "Did you mean retry?" in line for line in node.lines)
