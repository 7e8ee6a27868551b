"""The real daemon's log file: written, moved by others, changed while it runs, never in the way of the node."""

import json
from pathlib import Path
from typing import Any

TASKS = {"talk": {"call": "functions:talk"}, "broken": {"call": "functions:broken"}}


def events(path: Path) -> list[str]:
    return [json.loads(line)["event"] for line in path.read_text().splitlines()]


def test_what_is_on_standard_error_is_in_the_file_too(nodes: Any, tmp_path: Path) -> None:
    nodes.configure(tasks=TASKS, observability={"log_file": str(tmp_path / "dms.log")})
    node = nodes.start()
    node.run("broken")
    assert 0 == node.stop()
    assert node.lines == (tmp_path / "dms.log").read_text().splitlines()


def test_a_file_that_is_rotated_by_another_program_loses_nothing(nodes: Any, tmp_path: Path) -> None:
    file = tmp_path / "dms.log"
    nodes.configure(tasks=TASKS, observability={"log_file": str(file)})
    node = nodes.start()
    node.run("broken")
    file.rename(tmp_path / "dms.log-1")
    node.run("broken")
    assert 0 == node.stop()
    both = (tmp_path / "dms.log-1").read_text() + file.read_text()
    assert node.lines == both.splitlines()


def test_level_and_file_change_while_it_runs(nodes: Any, tmp_path: Path) -> None:
    nodes.configure(tasks=TASKS, observability={"log_level": "error"})
    node = nodes.start()
    node.run("broken")
    file = tmp_path / "logs" / "dms.log"
    told = node.dms("config", "set", "observability.log_file", str(file))
    assert (0, True) == (told.returncode, "live now" in told.stdout)
    assert 0 == node.dms("config", "set", "observability.log_level", "info").returncode
    node.run("broken")
    assert 0 == node.stop()
    assert 1 == sum("refused" in event for event in events(file))


def test_a_file_that_can_not_be_written_is_refused_while_it_runs_and_a_finding_at_the_start(
    nodes: Any, tmp_path: Path
) -> None:
    nodes.configure(tasks=TASKS)
    node = nodes.start()
    told = node.dms("config", "set", "observability.log_file", str(tmp_path))
    assert 0 != told.returncode
    assert f"observability.log_file: {tmp_path} can't be written: Is a directory" in told.stderr
    assert "well" == node.ask("node.status")["state"]
    assert 0 == node.stop()
    nodes.configure(tasks=TASKS, observability={"log_file": str(tmp_path)})
    node = nodes.start()
    assert "failed" == node.run("broken")["status"]
    assert ["log_file"] == [finding["code"] for finding in node.ask("node.status")["findings"]]
    assert 0 == node.stop()
