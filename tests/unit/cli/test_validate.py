import json
from pathlib import Path

import pytest

from dms.cli import main

GOOD = "tasks:\n  hello:\n    run: [echo, hello]\n    every: 5m\n"
BAD = 'tasks:\n  backup:\n    run: [restic, backup]\n    cron: "0 3 31 2 *"\n    retires: 3\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "dms_config.yaml"


def test_a_valid_file_ends_with_0(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(GOOD)
    assert 0 == main(["config", "validate", str(file)])
    assert f"{file} is valid.\n" == capsys.readouterr().out


def test_each_problem_is_told_with_its_place_and_ends_with_78(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(BAD)
    assert 78 == main(["config", "validate", str(file)])
    *problems, verdict = capsys.readouterr().out.splitlines()
    assert [f"{file}:4:16", f"{file}:5:5"] == [problem.split()[0] for problem in problems]
    assert "Did you mean retry?" in problems[1]
    assert "2 problems; the rest is valid." == verdict


def test_of_a_file_that_can_not_be_read_nothing_is_called_valid(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text("tasks: [")
    assert 78 == main(["config", "validate", str(file)])
    assert "1 problem." == capsys.readouterr().out.splitlines()[-1]


def test_problems_as_one_document(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(BAD)
    assert 78 == main(["config", "validate", str(file), "--json"])
    findings = json.loads(capsys.readouterr().out)["findings"]
    assert [("tasks.backup.cron", 4, 16), ("tasks.backup.retires", 5, 5)] == [
        (finding["key"], finding["line"], finding["column"]) for finding in findings
    ]


def test_without_a_file_the_one_that_a_node_would_read_is_looked_at(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(GOOD)
    monkeypatch.chdir(file.parent)
    assert 0 == main(["config", "validate"])
    assert "dms_config.yaml is valid." in capsys.readouterr().out


def test_a_file_that_is_not_there_ends_with_78(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert 78 == main(["config", "validate", str(file)])
    assert str(file) in capsys.readouterr().err
