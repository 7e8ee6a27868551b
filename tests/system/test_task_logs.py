"""What runs of a real node log and print: read while they run, after a kill, and bounded whatever they write."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PYTHON = sys.executable
SPEAK = 'echo "begun $DMS_EXECUTION"; echo half >&2; while [ ! -e go ]; do sleep 0.01; done; echo done'
FLOOD = f"import sys\nfor number in range({200_000}): print('%0100d' % number)\nprint('the end')"
TASKS: dict[str, Any] = {
    "speak": {"run": ["sh", "-c", SPEAK], "cwd": "."},
    "function": {"call": "functions:talk"},
    "prints": {"call": "functions:print_something"},
    "theirs": {"call": "functions:talk_by_the_standard_library"},
    "quiet": {"run": ["true"]},
    "flood": {"run": [PYTHON, "-c", FLOOD]},
    "steer": {"run": [PYTHON, "-c", r"import os; os.write(1, b'\x1b[31mred\x1b[0m \x1b]0;title\x07\x9b2J \xff\n')"]},
}


@pytest.fixture
def node(nodes: Any) -> Any:
    nodes.configure(tasks={**TASKS, "speak": {**TASKS["speak"], "cwd": str(nodes.folder)}})
    return nodes.start()


def lines(node: Any, task: str, **more: Any) -> list[dict[str, Any]]:
    return list(node.ask("task.logs", name=task, **more)["lines"])


def test_a_run_is_read_while_it_runs_and_followed_to_its_end(node: Any, nodes: Any) -> None:
    execution = node.ask("task.run", name="speak")["id"]
    words = [*node.command[:1], "task", "logs", "speak", "--run", execution, "-f", "--json"]
    with subprocess.Popen(words, env=node.environment, stdout=subprocess.PIPE, text=True) as following:
        assert following.stdout is not None
        first = [json.loads(following.stdout.readline()) for _ in range(2)]
        assert {("stdout", f"begun {execution}"), ("stderr", "half")} == {(one["kind"], one["text"]) for one in first}
        (nodes.folder / "go").touch()
        assert ["done"] == [json.loads(line)["text"] for line in following.stdout]
        assert 0 == following.wait()


def test_what_a_run_has_said_outlives_a_kill_of_the_node(node: Any, nodes: Any) -> None:
    """DataBiosphere/toil#2665: what collected a job's output died with it, and with that all that the job had said."""
    execution = node.ask("task.run", name="speak")["id"]
    while len(lines(node, "speak", wait="10s")) < 2:
        pass
    node.kill()
    (nodes.folder / "go").touch()
    again = nodes.start()
    page = again.ask("task.logs", name="speak", run=execution)
    assert ({f"begun {execution}", "half"}, True) == ({line["text"] for line in page["lines"]}, page["over"])


def test_what_a_function_logs_is_kept_whatever_the_level_of_the_nodes_log(node: Any) -> None:
    node.run("function")
    told = lines(node, "function")
    assert ["info", "warning", "error", "debug"] == [line["kind"] for line in told]
    assert "only when debugging" == told[-1]["text"]
    node.run("theirs")
    assert "a warning of theirs\nwith a second line" == lines(node, "theirs")[0]["text"]


def test_a_run_that_writes_without_end_takes_neither_the_disk_nor_the_memory(node: Any) -> None:
    """dshearer/jobber#285: too much output of a job took all memory of what ran it."""
    node.run("quiet")
    before = memory_of(node)
    node.run("flood")
    kept = sum(file.stat().st_size for file in (node.data_dir / "runs" / "flood").iterdir())
    assert kept <= 1_000_000
    assert memory_of(node) - before < 20_000
    assert "the end" == lines(node, "flood", newest=True, limit=1)[0]["text"]
    code, out, _ = said(node, "task", "logs", "flood")
    told = out.splitlines()
    missing = next(int(line.split()[1]) for line in told if "lines are not kept" in line)
    assert (0, 200_001) == (code, missing + len(told) - 2)


def test_what_a_function_prints_is_kept_as_what_a_program_prints(node: Any) -> None:
    node.run("prints")
    assert [("stdout", "printed in pieces")] == [(line["kind"], line["text"]) for line in lines(node, "prints")]


def test_a_change_of_the_bounds_counts_at_once(node: Any) -> None:
    node.ask("config.set", changes={"scheduler.log_max_run": 0})
    node.run("function")
    assert [] == lines(node, "function")


def test_what_is_printed_steers_no_terminal(node: Any) -> None:
    """rsyslog/rsyslog#1138: whoever looked at the log with a terminal saw what a line's escapes made of it."""
    node.run("steer")
    _, out, _ = said(node, "task", "logs", "steer")
    assert out.rstrip().endswith(r"red \x1b]0;title\x07�2J �")
    assert "\x1b[31mred\x1b[0m \x1b]0;title\x07�2J �" == lines(node, "steer")[0]["text"]


def test_a_task_that_says_nothing_leaves_no_file_and_is_told_so(node: Any) -> None:
    node.run("quiet")
    assert (0, "", "quiet has said nothing yet, or nothing that is still kept.\n") == said(
        node, "task", "logs", "quiet"
    )
    assert not (node.data_dir / "runs" / "quiet").exists()
    assert (3, "") == said(node, "task", "logs", "nobody")[:2]
    assert (3, "") == said(node, "task", "logs", "quiet", "--run", "9-9")[:2]


def said(node: Any, *words: str) -> tuple[int, str, str]:
    ended = node.dms(*words)
    return ended.returncode, ended.stdout, ended.stderr


def memory_of(node: Any) -> int:
    """Of the node's process, in KiB."""
    status = Path(f"/proc/{node.process.pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
