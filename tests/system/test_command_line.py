"""The command line against a real node: what it prints for people and for programs, and each exit status."""

import json
import signal
import socket
import subprocess
from datetime import datetime
from threading import Timer
from typing import Any

import pytest

EXECUTION = {
    "id", "run_id", "task", "task_id", "attempt", "status", "cause", "due_at", "started_at", "ended_at", "error",
    "event", "results", "retry_at", "trace_id", "usage",
}  # fmt: skip
TASK = {
    "id", "name", "description", "state", "enabled", "priority", "triggers", "lane", "origin", "next_fire", "last",
    "running", "waiting", "skipped", "reason", "progress", "skip_next", "paused_until",
}  # fmt: skip

TASKS = {
    "work": {"call": "functions:work", "every": "1h", "description": "Does a little"},
    "broken": {"call": "functions:broken"},
    "hold": {"call": "functions:obey"},
    "payload": {"call": "functions:payload", "on": "door.opened"},
    "after": {"call": "functions:payload", "on": "task.work.success"},
    "alarm": {"call": "functions:payload", "on": "task.broken.failed"},
    "last": {"call": "functions:payload", "on": "task.after.success"},
    "program": {"run": ["sh", "-c", "echo one; echo two; exit 7"]},
    "missing": {"run": ["no-such-program"]},
    "lost": {"call": "functions:nothing"},
    "resting": {"call": "functions:work", "enabled": False, "every": "1h"},
}


@pytest.fixture
def node(nodes: Any) -> Any:
    nodes.configure(tasks=TASKS)
    return nodes.start()


@pytest.fixture(scope="module")
def shared(shared_nodes: Any) -> Any:
    """One for all tests that leave it as they found it."""
    shared_nodes.configure(tasks=TASKS)
    return shared_nodes.start()


def said(node: Any, *words: str) -> tuple[int, str, str]:
    ended = node.dms(*words)
    assert "Traceback" not in ended.stderr + ended.stdout
    return ended.returncode, ended.stdout, ended.stderr


def document(node: Any, *words: str, status: int = 0) -> Any:
    """What a command tells a program: one JSON document."""
    code, out, _ = said(node, *words, "--json")
    assert status == code
    assert 1 == out.count("\n")
    return json.loads(out)


# ── exit statuses ──


@pytest.mark.parametrize(
    ("words", "status", "error"),
    [
        ("task run work --wait", 0, ""),
        ("task run broken --wait", 1, ""),
        ("task run program --wait", 1, ""),
        ("task run missing --wait", 1, ""),
        ("task rum work", 2, "Did you mean one of: 'resume', 'run'?"),
        ("tsak list", 2, "no such command tsak. Did you mean task?"),
        ("task list --jsn", 2, "--json"),
        ("task run", 2, "Missing argument 'NAME'"),
        ("task run work --timeout 5s", 2, "--timeout belongs to --wait"),
        ("task run work --wait --timeout never", 2, "never"),
        ("task run work --event {", 2, "is not JSON"),
        ("task history work --limit 0", 2, "--limit"),
        ("task history work --before nonsense", 3, "nonsense"),
        ("event emit UPPER!", 2, "UPPER!"),
        ("call task.run {}", 2, "name"),
        ("call task.run []", 2, "give an object"),
        ("task get wrok", 3, "Did you mean work?"),
        ("task get 999", 3, "999"),
        ("task history nobody", 3, "nobody"),
        ("task pause nobody", 3, "nobody"),
        ("config get scheduler.nothing", 3, "scheduler.nothing"),
        ("call no.such", 3, "no.such"),
        ("task run lost", 4, "lost is parked: "),
        ("config validate nowhere.yaml", 78, "no such file"),
    ],
)
def test_each_end_has_its_exit_status_and_its_sentence(shared: Any, words: str, status: int, error: str) -> None:
    code, _, told = said(shared, *words.split())
    assert (status, True) == (code, error in told), told


def test_a_run_of_what_runs_is_a_conflict(node: Any) -> None:
    assert 0 == said(node, "task", "run", "hold")[0]
    assert (4, "", "dms: hold is running already; its overlap is skip\n") == said(node, "task", "run", "hold")
    refused = document(node, "task", "run", "hold", status=4)
    assert {"error": {"reason": "conflict", "message": "hold is running already; its overlap is skip"}} == refused


@pytest.mark.parametrize(
    "words",
    ["status", "task list", "task run work", "logs", "logs -f", "task watch", "event emit a.b", "call rpc.ping"],
)
def test_where_no_node_is_the_status_is_69_and_the_next_step_is_named(nodes: Any, words: str) -> None:
    nodes.configure(tasks=TASKS)
    killed = nodes.start()
    killed.kill()
    hint = f"dms: no node answers at {nodes.data_dir}; start one with: dms run --data-dir {nodes.data_dir}\n"
    assert (69, "", hint) == said(killed, *words.split())


# ── documents ──


def test_lists_and_executions_have_their_members(node: Any) -> None:
    run = document(node, "task", "run", "work", "--wait")
    assert EXECUTION == run.keys()
    assert ("work", 1, "success", None, 1) == tuple(
        run[key] for key in ("task", "attempt", "status", "error", "results")
    )
    assert run["due_at"] <= run["started_at"] <= run["ended_at"]
    assert [True] * 3 == [
        datetime.fromisoformat(run[key]).tzinfo is not None for key in ("due_at", "started_at", "ended_at")
    ]
    listed = document(node, "task", "list")
    assert set(TASKS) == {task["name"] for task in listed}
    assert [TASK] * len(TASKS) == [set(task) for task in listed]
    assert run == next(task["last"] for task in listed if task["name"] == "work")
    assert [run] == document(node, "task", "history", "work")
    assert TASK == document(node, "task", "get", "work").keys()
    everything = {task["name"]: task["lane"] for task in document(node, "task", "list", "--all")}
    assert {"node-facts": "node", "node-retention": "node"} == {
        name: lane for name, lane in everything.items() if lane != "user"
    }


def test_a_failure_says_what_failed_and_where(node: Any) -> None:
    failed = document(node, "task", "run", "broken", "--wait", status=1)
    assert "failed" == failed["status"]
    assert failed["error"].startswith("ConnectionError: connect to 127.0.0.1:8080 refused (functions.py:")
    program = document(node, "task", "run", "program", "--wait", status=1)
    assert {"exit_status": 7, "output": "one\ntwo\n"} == program["results"]
    missing = document(node, "task", "run", "missing", "--wait", status=1)
    assert "no program called no-such-program is on the PATH" == missing["error"]


def test_a_value_tells_where_it_is_from(node: Any) -> None:
    value = document(node, "config", "get", "scheduler.import_paths")
    assert {"key", "value", "origin"} <= value.keys()
    assert ("scheduler.import_paths", "file") == (value["key"], value["origin"].split()[-1])
    assert "default" in document(node, "config", "get", "shutdown.timeout")["origin"]


def test_the_states_of_tasks_are_shown(node: Any) -> None:
    states = {task["name"]: task["state"] for task in document(node, "task", "list")}
    assert ("ready", "parked", "disabled") == (states["work"], states["lost"], states["resting"])
    assert "success" == document(node, "task", "run", "resting", "--wait")["status"]


def test_a_history_goes_from_page_to_page(node: Any) -> None:
    ids = [node.run("work")["id"] for _ in range(5)][::-1]
    first = document(node, "task", "history", "work", "--limit", "2")
    rest = document(node, "task", "history", "work", "--limit", "9", "--before", first[-1]["id"])
    assert ids == [execution["id"] for execution in first + rest]


def test_what_runs_is_running_in_the_list_and_in_its_history(node: Any) -> None:
    node.ask("task.run", name="hold")
    node.wait_for(lambda line: (line.get("task"), line["event"]) == ("hold", "start"))
    assert "running" == document(node, "task", "get", "hold")["state"]
    assert ["running"] == [execution["status"] for execution in document(node, "task", "history", "hold")]
    assert 1 == document(node, "status")["tasks"]["running"]


# ── events, chains, pauses ──


def test_an_event_reaches_those_who_listen_with_what_came_with_it(node: Any) -> None:
    assert {"topic": "door.opened"} == document(node, "event", "emit", "door.opened", '{"door": "north"}')
    node.wait_for_end_of("payload")
    execution = document(node, "task", "history", "payload")[0]
    assert ("event", {"door": "north"}) == (execution["cause"], execution["results"])
    assert ("door.opened", {"door": "north"}) == (execution["event"]["topic"], execution["event"]["payload"])


def test_a_run_by_hand_may_bring_an_event(node: Any) -> None:
    assert [1] == document(node, "task", "run", "payload", "--wait", "--event", "[1]")["results"]


def test_one_task_follows_another(node: Any) -> None:
    run = document(node, "task", "run", "work", "--wait")
    node.wait_for_end_of("last")
    after = node.history("after")[0]
    assert ("task.work.success", run["id"]) == (after["event"]["topic"], after["event"]["payload"]["execution"])
    document(node, "task", "run", "broken", "--wait", status=1)
    node.wait_for_end_of("alarm")
    assert "failed" == node.history("alarm")[0]["results"]["status"]


def test_a_pause_survives_a_restart_and_its_skips_are_counted(nodes: Any, node: Any) -> None:
    said(node, "task", "pause", "payload", "--reason", "the door is being painted")
    said(node, "event", "emit", "door.opened")
    assert {"paused": 1} == document(node, "task", "get", "payload")["skipped"]
    node.kill()
    second = nodes.start()
    paused = document(second, "task", "get", "payload")
    assert ("paused", {"paused": 1}) == (paused["state"], paused["skipped"])
    assert "the door is being painted" in paused["reason"]
    assert "ready" == document(second, "task", "resume", "payload")["state"]
    said(second, "event", "emit", "door.opened")
    second.wait_for_end_of("payload")


def test_a_pause_with_an_end_is_kept_over_a_kill_and_ends_by_itself(nodes: Any) -> None:
    nodes.configure(tasks={"tick": {"call": "functions:work", "every": "100ms"}})
    first = nodes.start()
    first.wait_for_end_of("tick")
    said(first, "task", "pause", "tick", "--for", "6s")
    first.kill()
    node = nodes.start()
    assert "paused" == document(node, "task", "get", "tick")["state"]
    node.wait_for_end_of("tick")
    assert document(node, "task", "get", "tick")["skipped"]["paused"] > 0


def test_a_node_whose_slots_are_all_taken_answers_and_does_its_own_work(nodes: Any) -> None:
    nodes.configure(tasks=TASKS, scheduler={"max_running_tasks": 1})
    node = nodes.start()
    node.ask("task.run", name="hold")
    said(node, "task", "run", "work")
    assert "no free slot" == document(node, "task", "get", "work")["reason"]
    assert 1 == node.ask("node.status")["tasks"]["running"]
    assert "success" == document(node, "task", "run", "node-facts", "--wait")["status"]
    assert "paused" == node.ask("task.pause", name="payload")[0]["state"]


def test_everything_can_be_paused(nodes: Any, node: Any) -> None:
    assert (0, "Everything is paused.\n", "") == said(node, "task", "pause", "--all")
    node.kill()
    second = nodes.start()
    assert "paused" == document(second, "task", "get", "work")["state"]
    assert (0, "Everything goes on.\n", "") == said(second, "task", "resume", "--all")
    assert "ready" == document(second, "task", "get", "work")["state"]


# ── what is followed ──


class Followed:
    """A `dms` that prints lines until it is told to end, or until nobody would wait any longer."""

    def __init__(self, node: Any, *words: str) -> None:
        command = [*node.command, *words]
        self.process = subprocess.Popen(command, env=node.environment, stdout=subprocess.PIPE, text=True)
        self.impatience = Timer(10, self.process.kill)
        self.impatience.start()

    def line(self, *parts: str) -> str:
        """The next line that holds all of this."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if all(part in line for part in parts):
                return line
        raise AssertionError(f"it ended without {parts}")

    def end(self) -> int:
        """Its exit status after Ctrl-C, or after its own end."""
        self.process.send_signal(signal.SIGINT)
        self.process.communicate()
        self.impatience.cancel()
        return self.process.returncode


def test_the_log_can_be_followed(node: Any) -> None:
    node.run("broken")
    following = Followed(node, "logs", "-f")
    following.line("broken", "failed", "ConnectionError")
    node.run("work")
    following.line("work", "success")
    assert 0 == following.end()


def test_runs_can_be_watched(nodes: Any) -> None:
    nodes.configure(tasks={**TASKS, "beat": {"call": "functions:work", "every": "100ms"}})
    node = nodes.start()
    for_people, for_programs = Followed(node, "task", "watch"), Followed(node, "task", "watch", "work", "--json")
    for_people.line("beat", "success")
    node.wait_for_end_of("beat", times=30)  # by now the other one watches too
    node.run("work")
    seen = json.loads(for_programs.line('"kind": "ended"'))
    assert ("work", "ended", "success") == (seen["task"], seen["kind"], seen["execution"]["status"])
    assert (0, 0) == (for_people.end(), for_programs.end())


def test_whoever_follows_is_told_that_the_node_stops(node: Any) -> None:
    following = Followed(node, "logs", "-f")
    node.run("work")
    following.line("work", "success")
    assert 0 == node.stop()
    following.process.wait()
    assert 69 == following.end()


def test_a_reader_that_leaves_early_breaks_nothing(node: Any) -> None:
    script = " ".join(f"'{word}'" for word in (*node.command, "task", "list"))
    ended = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {script} | true"], env=node.environment, capture_output=True, text=True
    )
    assert (0, "") == (ended.returncode, ended.stderr)


# ── the socket itself ──


def exchange(node: Any, sent: bytes) -> list[Any]:
    """What the node answers to these bytes until it has nothing more to say."""
    with socket.socket(socket.AF_UNIX) as connected:
        connected.settimeout(10)
        connected.connect(str(node.data_dir / "dms.sock"))
        connected.sendall(sent)
        connected.shutdown(socket.SHUT_WR)
        answer = b""
        while chunk := connected.recv(65536):
            answer += chunk
    return [json.loads(line) for line in answer.splitlines()]


@pytest.mark.parametrize(
    ("sent", "number"),
    [
        (b"{\n", -32700),
        (b"\xff\xfe\x00\n", -32700),
        (b"GET / HTTP/1.1\r\n", -32700),
        (b"[]\n", -32600),
        (b"1\n", -32600),
        (b'{"jsonrpc": "1.0", "id": 1, "method": "rpc.ping"}\n', -32600),
        (b'{"jsonrpc": "2.0", "id": {}, "method": "rpc.ping"}\n', -32600),
        (b'{"jsonrpc": "2.0", "id": 1, "method": 5}\n', -32600),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "no.such"}\n', -32601),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "task.run", "params": {"nam": "work"}}\n', -32602),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "task.run", "params": [{}]}\n', -32602),
    ],
)
def test_what_is_no_request_is_answered_with_an_error(shared: Any, sent: bytes, number: int) -> None:
    """An empty batch is one error, not none (shogowada/json-rpc-2.0#60)."""
    (answer,) = exchange(shared, sent)
    assert ("2.0", number) == (answer["jsonrpc"], answer["error"]["code"])
    assert answer["error"]["message"]
    assert "Traceback" not in str(answer)
    good = exchange(shared, b'{"jsonrpc": "2.0", "id": 0, "method": "rpc.ping"}\n')
    assert [{"jsonrpc": "2.0", "id": 0, "result": "pong"}] == good
