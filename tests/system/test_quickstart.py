"""The README's first five minutes, with the real daemon and the real commands."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
DMS = Path(sys.executable).with_name("dms")


class Node:
    """`dms run` with the quickstart's configuration, in an empty folder; its log is read line by line."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {**os.environ, "DMS_GENERAL__DATA_DIR": "./.dms"}
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        settings = [
            f'tasks.page.kwargs={{"port": {port}}}',
            f'tasks.web-check.kwargs={{"url": "http://127.0.0.1:{port}/"}}',
        ]
        words = [DMS, "run", "--config", ROOT / "examples/quickstart/dms_config.yaml"]
        words += [word for setting in settings for word in ("--set", setting)]
        self.process = subprocess.Popen(words, cwd=folder, env=self.environment, stderr=subprocess.PIPE, text=True)

    def wait_for_success(self, *tasks: str) -> None:
        """Read on until each of these tasks has succeeded."""
        missing = set(tasks)
        assert self.process.stderr is not None
        while missing:
            line = self.process.stderr.readline()
            assert line, f"the node ended before {missing} did"
            entry = json.loads(line)
            if entry.get("status") == "success":
                missing.discard(entry["task"])

    def ask(self, *words: str) -> str:
        """What a command prints, from a second terminal."""
        ended = subprocess.run([DMS, *words], cwd=self.folder, env=self.environment, capture_output=True, text=True)
        assert (0, "") == (ended.returncode, ended.stderr)
        return ended.stdout

    def answer(self, *words: str) -> Any:
        """The same for a program."""
        return json.loads(self.ask(*words, "--json"))

    def stop(self) -> int:
        """As Ctrl-C does it."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=20)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    node = Node(tmp_path)
    yield node
    node.process.kill()
    node.process.communicate()


def test_the_first_minute_shows_something_alive(node: Node) -> None:
    node.wait_for_success("disk-space", "page", "web-check")
    assert " is well " in node.ask("status").splitlines()[0]
    assert {"disk-space", "page", "web-check", "backup", "notify", "welcome", "kernel"} == {
        task["name"] for task in node.answer("task", "list")
    }
    assert 0 == node.stop()


def test_a_backup_by_hand_is_followed_by_its_notice(node: Node) -> None:
    node.wait_for_success("disk-space")
    assert "success" == node.answer("task", "run", "backup", "--wait")["status"]
    node.wait_for_success("notify")
    assert ["success"] == [execution["status"] for execution in node.answer("task", "history", "notify")]
    assert "task.backup.success" in (node.folder / ".dms/notices.txt").read_text()
    assert 1 == len(list((node.folder / ".dms/backups").iterdir()))


def test_explain_names_the_line_of_the_quickstart(node: Node) -> None:
    node.wait_for_success("disk-space")
    assert "examples/quickstart/dms_config.yaml:5:22" in node.ask("config", "explain", "scheduler.max_running_tasks")
