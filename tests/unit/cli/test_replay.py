import json
from pathlib import Path

import pytest

import dms
from dms.cli import main


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A recording of one run."""
    made = tmp_path / "decisions.jsonl"
    with dms.Scheduler(record=dms.Recording(made)) as scheduler:
        scheduler.add_task(dms.Task("answer", lambda: 42))
        scheduler.run_task("answer").wait(10)
    return made


def test_a_replay_that_decides_the_same_says_so(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == main(["task", "replay", str(path)])
    told = capsys.readouterr().out
    assert (True, 1) == (told.endswith("decisions are the same.\n"), told.count("\n"))


def test_the_first_other_decision_is_told_and_is_a_failure(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path.write_text(path.read_text().replace('["start","1-1"', '["start","1-2"'))
    assert 1 == main(["task", "replay", str(path)])
    _, where, recorded, now = capsys.readouterr().out.splitlines()
    assert where.startswith("Another decision, line ")
    assert recorded.startswith('  recorded  ["start", "1-2", "answer"')
    assert now.startswith('  now       ["start", "1-1", "answer"')
    assert 1 == main(["task", "replay", str(path), "--json"])
    difference = json.loads(capsys.readouterr().out)["difference"]
    assert ("1-2", "1-1") == (difference["recorded"][1], difference["decided"][1])


def test_a_file_that_is_no_recording_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("milk\n")
    assert 2 == main(["task", "replay", str(path)])
    assert "it is no recording of a scheduler" in capsys.readouterr().err
