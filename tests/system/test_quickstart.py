"""The README's first five minutes, with the real daemon and the real commands."""

import json
import socket
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def node(nodes: Any) -> Any:
    """A node with the quickstart's configuration; its page is at a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    page = json.dumps({"port": port})
    check = json.dumps({"url": f"http://127.0.0.1:{port}/"})
    words = ["--config", str(ROOT / "examples/quickstart/dms_config.yaml")]
    return nodes.start(*words, "--set", f"tasks.page.kwargs={page}", "--set", f"tasks.web-check.kwargs={check}")


def test_the_first_minute_shows_something_alive(node: Any) -> None:
    for task in ("disk-space", "page", "web-check"):
        node.wait_for_end_of(task)
    assert " is well " in node.dms("status").stdout.splitlines()[0]
    assert {"disk-space", "page", "web-check", "backup", "notify", "welcome", "kernel"} == {
        task["name"] for task in json.loads(node.dms("task", "list", "--json").stdout)
    }
    assert 0 == node.stop()


def test_a_backup_by_hand_is_followed_by_its_notice(node: Any) -> None:
    folder = node.data_dir.parent / ".dms"
    assert "success" == node.run("backup")["status"]
    node.wait_for_end_of("notify")
    assert "task.backup.success" in (folder / "notices.txt").read_text()
    assert 1 == len(list((folder / "backups").iterdir()))


def test_each_of_its_tasks_succeeds(node: Any) -> None:
    for task in ("disk-space", "page", "web-check"):
        node.wait_for_end_of(task)
    listed = [task["name"] for task in json.loads(node.dms("task", "list", "--json").stdout)]
    tasks = [name for name in listed if name != "notify"]  # which the end of backup runs
    assert dict.fromkeys(tasks, "success") == {task: node.run(task)["status"] for task in tasks}
    node.wait_for_end_of("notify")


def test_explain_names_the_line_of_the_quickstart(node: Any) -> None:
    explained = node.dms("config", "explain", "scheduler.max_running_tasks").stdout
    assert "examples/quickstart/dms_config.yaml:5:22" in explained
