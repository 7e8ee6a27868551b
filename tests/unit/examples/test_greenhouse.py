"""The example of the library alone does what it says."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

import dms
from dms.testing import FakeClock

LIBRARY = Path(__file__).resolve().parents[3] / "examples" / "library"


@pytest.fixture
def greenhouse(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(LIBRARY)
    monkeypatch.delitem(sys.modules, "greenhouse", raising=False)
    return import_module("greenhouse")


def test_soil_that_is_dry_is_watered(greenhouse: ModuleType, tmp_path: Path) -> None:
    house = greenhouse.Greenhouse(tmp_path)
    house.soil = 0.2
    ended: list[str] = []
    with dms.Scheduler(clock=(clock := FakeClock())) as scheduler:
        clock.woken = scheduler.wake
        scheduler.subscribe(lambda event: ended.append(event.task) if event.kind == "ended" else None)
        scheduler.add_tasks(greenhouse.tasks(house, scheduler))
        scheduler.run_task("measure").wait("10s")
    assert (["measure", "water"], 0.6) == (ended, house.soil)


def test_a_report_is_handed_over_though_the_line_is_bad(greenhouse: ModuleType, tmp_path: Path) -> None:
    house = greenhouse.Greenhouse(tmp_path)
    (tmp_path / "reports.jsonl").write_text("{}\n")
    with dms.Scheduler() as scheduler:
        _, _, _, upload = greenhouse.tasks(house, scheduler)
        scheduler.add_task(upload)
        execution = scheduler.run_task("upload").wait("10s")
    assert (2, "1 reports are there") == (execution.attempt, execution.results)


def test_started_again_it_knows_what_it_did_before(tmp_path: Path) -> None:
    command = [sys.executable, LIBRARY / "greenhouse.py", "--seconds", "0.5", "--folder", tmp_path / "kept"]
    first = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "measure  success" in first
    with dms.Scheduler(store=dms.SqliteStore(tmp_path / "kept" / "tasks.db")) as scheduler:
        assert {"measure", "water", "report", "upload"} == {task.name for task in scheduler.tasks()}
