"""What a node says: for people on a terminal, a JSON object a line elsewhere, whatever is logged."""

import json
import os
import pty
import signal
from typing import Any

TASKS = {
    "talk": {"call": "functions:talk"},
    "theirs": {"call": "functions:talk_by_the_standard_library"},
    "broken": {"call": "functions:broken"},
    "chatter": {"call": "functions:chatter"},
    "program": {"run": ["printf", "one\\n\\033[2Jtwo\\377\\n"]},
}


def lines_of(node: Any, task: str) -> list[dict[str, Any]]:
    node.run(task)
    node.wait_for(lambda line: line.get("task") == task and "status" in line)
    return [line for line in node.log if line.get("task") == task]


def test_each_line_is_a_json_object_whatever_is_logged(nodes: Any) -> None:
    """An unserialisable field once broke the log line (apache/airflow#62656)."""
    nodes.configure(tasks=TASKS)
    first, second, third, end = lines_of(nodes.start(), "talk")
    assert ("info", "line one\nline two\x1b[2J\x9b\u2028", "talk") == (first["level"], first["event"], first["task"])
    assert ("another", "9-9", "error", "never") == (first["task_"], first["execution_"], first["level_"], first["at_"])
    assert ("<Odd>", str(2**80), "\\udcff") == (second["odd"], second["huge"], second["lone"])
    assert ("error", "dms") == (third["level"], third["logger"])
    assert "success" == end["status"]


def test_what_a_task_says_can_not_pass_for_another_line_of_the_log(nodes: Any) -> None:
    nodes.configure(tasks=TASKS)
    node = nodes.start()
    lines_of(node, "talk")
    assert all(line.isprintable() for line in node.lines)
    assert 1 == sum("line two" in line for line in node.lines)


def test_levels_let_through_what_is_at_least_so_grave(nodes: Any) -> None:
    nodes.configure(tasks=TASKS, observability={"log_level": "warning"})
    node = nodes.start()
    node.run("talk")
    node.run("broken")
    node.wait_for_end_of("broken", "failed")
    assert {"warning", "error"} == {line["level"] for line in node.log}


def test_debug_tells_what_programs_print(nodes: Any) -> None:
    nodes.configure(tasks=TASKS, general={"debug": True})
    told = lines_of(nodes.start(), "program")
    assert ["one", "\x1b[2Jtwo�"] == [line["event"] for line in told if line["level"] == "debug"]


def test_what_others_log_by_the_standard_library_is_told_too(nodes: Any) -> None:
    nodes.configure(tasks=TASKS)
    node = nodes.start()
    node.run("theirs")
    node.wait_for(lambda line: line["event"] == "after it all")
    node.wait_for(lambda line: line["logger"] == "thread" and "ConnectionError" in line["exception"])
    told = [line for line in node.log if line["logger"] in ("theirs", "py.warnings")]
    assert ["a warning of theirs\nwith a second line", "%d cannot be told"] == [line["event"] for line in told[:2]]
    assert "UserWarning: a warning of the language" in told[2]["event"]


def test_the_same_lines_come_to_whoever_asks(nodes: Any) -> None:
    nodes.configure(tasks=TASKS)
    node = nodes.start()
    mine = lines_of(node, "talk")
    assert mine == [line for line in node.ask("logs.tail", limit=100)["lines"] if line.get("task") == "talk"]


def terminal(nodes: Any, **environment: str) -> str:
    """What a node writes on a terminal, from its start to its end, while the talkative tasks run."""
    nodes.configure(tasks={**TASKS, "once": {"call": "functions:talk", "after": "0s"}})
    ours, theirs = pty.openpty()
    node = nodes.begin(**environment, stderr=theirs)
    os.close(theirs)
    node.answers()
    node.run("broken")
    node.signal(signal.SIGINT)
    text = b""
    while chunk := read(ours):
        text += chunk
    os.close(ours)
    assert 0 == node.end()
    return text.decode()


def read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 4096)
    except OSError:  # the other end of a terminal is closed
        return b""


def test_on_a_terminal_a_line_is_for_people(nodes: Any) -> None:
    text = terminal(nodes, TERM="xterm")
    head, ask, *_ = text.splitlines()
    assert head.startswith("dms 0.1.0 · node ")
    assert ask.startswith("Ask it from another terminal:  dms status --data-dir ./data")
    assert "\x1b[31mfailed   \x1b[0m" in text
    assert "ConnectionError: connect to 127.0.0.1:8080 refused" in text
    assert r"line one\nline two\x1b[2J\x9b\u2028" in text


def test_whoever_wants_no_colours_gets_none(nodes: Any) -> None:
    assert "\x1b" not in terminal(nodes, TERM="xterm", NO_COLOR="1")


def test_a_log_that_nobody_reads_any_more_breaks_nothing(nodes: Any) -> None:
    nodes.configure(tasks=TASKS)
    ours, theirs = os.pipe()
    node = nodes.begin(stderr=theirs)
    os.close(theirs)
    os.close(ours)
    node.answers()
    assert "failed" == node.run("broken")["status"]
    assert 0 == node.stop()


def test_a_log_that_nobody_reads_holds_nothing_and_says_later_what_is_missing(nodes: Any) -> None:
    nodes.configure(tasks=TASKS)
    ours, theirs = os.pipe()
    node = nodes.begin(stderr=theirs)
    os.close(theirs)
    node.answers()
    assert "success" == node.run("chatter")["status"]
    text = os.read(ours, 1 << 20)
    assert "failed" == node.run("broken")["status"]
    assert 0 == node.stop()
    with open(ours, "rb") as rest:
        lines = [json.loads(line) for line in (text + rest.read()).splitlines()]
    (missing,) = [line for line in lines if "are missing here" in line["event"]]
    told = [line["number"] for line in lines if "number" in line]
    assert list(range(len(told))) == told
    assert 3001 == len(told) + missing["lines"]
    assert "stopped" == lines[-1]["event"]


def test_a_closed_standard_error_breaks_nothing(nodes: Any) -> None:
    nodes.configure(tasks=TASKS)
    node = nodes.begin(shell='exec "$@" 2>&-')
    node.answers()
    assert "failed" == node.run("broken")["status"]
    assert ["broken"] == [line["task"] for line in node.ask("logs.tail", limit=100)["lines"] if "task" in line]
    standard_error = os.readlink(f"/proc/{node.process.pid}/fd/2")
    assert os.devnull == standard_error
    assert 0 == node.stop()
