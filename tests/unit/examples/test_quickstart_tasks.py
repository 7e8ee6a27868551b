"""The quickstart's functions do what they say."""

import socket
import sys
import tarfile
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import dms

QUICKSTART = Path(__file__).resolve().parents[3] / "examples" / "quickstart"


@pytest.fixture
def quickstart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module as if it lay in a checkout of two small files, with the working directory there."""
    monkeypatch.syspath_prepend(QUICKSTART)
    monkeypatch.delitem(sys.modules, "quickstart_tasks", raising=False)
    module = import_module("quickstart_tasks")
    checkout = tmp_path / "checkout"
    for name in ("examples/quickstart/dms_config.yaml", "README.md", ".git/config"):
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).write_text(name)
    monkeypatch.setattr(module, "HERE", checkout / "examples" / "quickstart")
    monkeypatch.chdir(checkout)
    return module


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def run(function: Any, event: Any = None, **kwargs: Any) -> dms.Execution:
    """Run a function as a task."""
    with dms.Scheduler(max_running_tasks=1) as scheduler:
        scheduler.add_task(dms.Task("it", function, kwargs=kwargs))
        return scheduler.run_task("it", event).wait(timeout="20s")


def test_disk_space_says_how_full_the_disk_is(quickstart: ModuleType) -> None:
    execution = run(quickstart.disk_space, path="/", warn_at=0)
    assert dms.Status.SUCCESS == execution.status
    assert str(execution.results).startswith("/ is ")


def test_web_check_finds_the_page(quickstart: ModuleType, port: int) -> None:
    assert f"up at http://127.0.0.1:{port}/" == run(quickstart.page, port=port).results
    assert f"up at http://127.0.0.1:{port}/" == run(quickstart.page, port=port).results
    assert str(run(quickstart.web_check, url=f"http://127.0.0.1:{port}/").results).startswith("200 after ")


def test_page_says_that_its_port_is_taken(quickstart: ModuleType) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        execution = run(quickstart.page, port=port)
    assert f"port {port} can't be had (Address already in use); name another, in web-check too" in str(execution.error)


def test_web_check_fails_where_nobody_answers(quickstart: ModuleType, port: int) -> None:
    execution = run(quickstart.web_check, url=f"http://127.0.0.1:{port}/")
    assert dms.Status.FAILED == execution.status
    assert "Connection refused" in str(execution.error)


def test_backup_packs_the_checkout_without_what_is_made(quickstart: ModuleType) -> None:
    execution = run(quickstart.backup, folder="../..", into=".dms/backups", keep=3)
    assert dms.Status.SUCCESS == execution.status
    (archive,) = Path(".dms/backups").iterdir()
    with tarfile.open(archive) as packed:
        assert ["checkout/README.md", "checkout/examples/quickstart/dms_config.yaml"] == packed.getnames()


def test_backup_keeps_the_newest_only(quickstart: ModuleType) -> None:
    backups = Path(".dms/backups")
    backups.mkdir(parents=True)
    for day in ("20260101", "20260102"):
        (backups / f"checkout-{day}-030000.tar.gz").touch()
    run(quickstart.backup, folder="../..", into=".dms/backups", keep=2)
    assert "checkout-20260102-030000.tar.gz" == min(path.name for path in backups.iterdir())
    assert 2 == len(list(backups.iterdir()))


def test_notify_notes_what_started_it(quickstart: ModuleType) -> None:
    with dms.Scheduler(max_running_tasks=1) as scheduler:
        triggers = [dms.EventTrigger("task.backup.success")]
        scheduler.add_task(dms.Task("notify", quickstart.notify, kwargs={"into": "notices.txt"}, triggers=triggers))
        scheduler.add_task(dms.Task("backup", lambda: None))
        scheduler.add_task(dms.Task("last", lambda: None))  # the one slot is free for it once notify has ended
        scheduler.run_task("backup").wait(timeout="10s")
        scheduler.run_task("last").wait(timeout="10s")
    assert Path("notices.txt").read_text().endswith(" task.backup.success\n")
