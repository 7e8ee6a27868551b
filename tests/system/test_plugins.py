"""Packages that bring tasks and operations, installed beside a real node."""

import os
import socket
import subprocess
import sys
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from dms.errors import RemoteError

EXAMPLE = Path(__file__).resolve().parents[2] / "examples/plugin"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the example is installed, as pip does it."""
    target = tmp_path_factory.mktemp("site")
    offline = ["--no-index", "--no-build-isolation", "--no-deps", "--disable-pip-version-check", "--quiet"]
    words = [sys.executable, "-m", "pip", "install", *offline, "--target", target, EXAMPLE]
    ended = subprocess.run(words, capture_output=True, text=True, timeout=120)
    if "No module named pip" in ended.stderr:
        pytest.skip("this environment was made without pip")
    assert 0 == ended.returncode, ended.stderr
    return target


def started(nodes: Any, site: Path) -> Any:
    """A node that finds what is installed in a folder."""
    others = os.environ.get("PYTHONPATH")
    return nodes.start(PYTHONPATH=os.pathsep.join([str(site), *([others] if others else [])]))


def brought(folder: Path, name: str, source: str, groups: str = "dms.tasks") -> None:
    """Put a distribution into a folder by hand."""
    (folder / f"{name}-1.0.dist-info").mkdir(parents=True)
    (folder / f"{name}-1.0.dist-info" / "entry_points.txt").write_text(
        "".join(f"[{group}]\nall = {name}:{group.removeprefix('dms.')}\n" for group in groups.split())
    )
    (folder / f"{name}.py").write_text(source)


def test_the_task_of_an_installed_package_runs_and_its_operation_answers(nodes: Any, installed: Path) -> None:
    nodes.configure(tasks={"full": {"call": "functions:payload", "on": "disk.full"}})
    node = started(nodes, installed)
    node.wait_for_end_of("disk")
    assert {"total", "free", "full"} == node.history("disk")[0]["results"].keys()
    assert "well" == node.ask("node.status")["state"]
    assert [True, False] == [node.ask("disk.get", limit=limit)["full"] for limit in (0, 100)]
    described = {method["name"]: method for method in node.ask("rpc.discover")["methods"]}
    assert ("node:read", ["limit"]) == (
        described["disk.get"]["x-scope"],
        [parameter["name"] for parameter in described["disk.get"]["params"]],
    )
    with pytest.raises(RemoteError, match="limit"):
        node.ask("disk.get", limit="much")
    assert 0 == node.stop()


def test_once_it_is_uninstalled_its_task_and_its_operation_are_gone_and_the_history_stays(
    nodes: Any, installed: Path
) -> None:
    nodes.configure(tasks={})
    node = started(nodes, installed)
    node.run("disk")
    node.stop()
    after = nodes.start()
    assert "disk" not in [task["name"] for task in after.ask("task.list")]
    with pytest.raises(RemoteError, match=r"there is no method disk\.get"):
        after.ask("disk.get")
    assert "success" == after.history("disk")[0]["status"]
    assert "well" == after.ask("node.status")["state"]


def test_a_pause_of_its_task_outlives_a_start_at_which_it_was_broken(nodes: Any) -> None:
    nodes.configure(tasks={})
    site = nodes.folder / "site"
    good = "import dms\ndef tasks(node): return [dms.Task('theirs', print)]\n"
    brought(site, "theirs", good)
    node = started(nodes, site)
    node.ask("task.pause", name="theirs", reason="not now")
    node.stop()
    (site / "theirs.py").write_text("raise OSError('no such device')")
    broken = started(nodes, site)
    assert "theirs" not in [task["name"] for task in broken.ask("task.list")]
    broken.stop()
    (site / "theirs.py").write_text(good)
    mended = started(nodes, site)
    assert "paused" == mended.ask("task.get", name="theirs")["state"]


def test_a_declared_task_waits_for_the_gate_of_a_package(nodes: Any) -> None:
    site, paper = nodes.folder / "site", nodes.folder / "paper"
    source = f"from pathlib import Path\ndef gates(node): return Path({str(paper)!r}).exists\n"
    brought(site, "printer", source, "dms.gates")
    (site / "printer-1.0.dist-info" / "entry_points.txt").write_text("[dms.gates]\npaper = printer:gates\n")
    nodes.configure(
        tasks={"print": {"call": "functions:work", "every": "1h", "at_start": True, "hold_until": ["paper"]}}
    )
    node = started(nodes, site)
    waiting = node.ask("task.get", name="print")
    assert ("waiting", "held until paper") == (waiting["state"], waiting["reason"])
    paper.touch()
    node.wait_for_end_of("print")
    assert "success" == node.history("print")[0]["status"]
    assert "well" == node.ask("node.status")["state"]
    assert 0 == node.stop()


def test_a_declared_task_may_wait_for_a_gate_that_is_installed_and_for_no_other(nodes: Any, installed: Path) -> None:
    nodes.configure(
        tasks={
            "store": {"call": "functions:work", "hold_until": ["disk_room"]},
            "other": {"call": "functions:work", "hold_until": ["disk_rom"]},
        }
    )
    node = started(nodes, installed)
    parked = node.ask("task.get", name="other")
    assert "parked" == parked["state"]
    assert "there is no gate disk_rom. Did you mean disk_room?" in parked["reason"]
    assert "success" == node.run("store")["status"]
    assert 0 == node.stop()


def test_packages_that_are_broken_in_every_way_are_named_and_the_node_works(nodes: Any) -> None:
    site = nodes.folder / "site"
    for name, source in {
        "missing": "import nothing_of_this_name",
        "exits": "raise SystemExit(1)",
        "hangs": "import threading; threading.Event().wait()",
        "rubbish": "def tasks(node): return {'a': 1}",
        "steals": "import dms\ndef tasks(node): return [dms.Task('mine', print), dms.Task('node-facts', print)]",
    }.items():
        brought(site, name, source)
    shadowing = (
        "def operations(node):\n    return [dms.Operation('node.status', P, str, 'x', dms.Effect.READ, print, '')]"
    )
    brought(site, "shadows", f"import dms, msgspec\nclass P(msgspec.Struct): pass\n{shadowing}", "dms.operations")
    nodes.configure(tasks={"mine": {"call": "functions:work"}})
    node = started(nodes, site)
    status = node.ask("node.status")
    assert "degraded" == status["state"]
    told = {finding["subject"].split()[0]: finding["message"] for finding in status["findings"]}
    reasons = {
        "missing": "ModuleNotFoundError",
        "exits": "SystemExit",
        "hangs": "it was not there within 5 s",
        "rubbish": "it gave a str where a Task belongs",
        "steals": "a task called mine is there already",
        "shadows": "node.* is the node's own",
    }
    assert dict.fromkeys(reasons, True) == {name: reason in told[name] for name, reason in reasons.items()}
    assert "success" == node.run("mine")["status"]
    assert 0 == node.stop()


def test_a_declared_task_can_not_take_the_name_of_a_plugins_while_the_node_runs(nodes: Any, installed: Path) -> None:
    nodes.configure(tasks={})
    node = started(nodes, installed)
    with pytest.raises(RemoteError, match="disk"):
        node.ask("task.add", name="disk", declaration={"run": ["true"]})
    assert "How full the disk is" == node.ask("task.get", name="disk")["description"]
    assert "success" == node.run("disk")["status"]


BLOCKS = """
import dms, msgspec, threading
class Long(msgspec.Struct): pass
def operations(node):
    def block(parameters, command):
        node.logger.info("blocked from now on")
        threading.Event().wait()
    return [dms.Operation("theirs.block", Long, str, "admin", dms.Effect.ONCE, block, "Never answers.")]
"""


def test_an_operation_that_blocks_the_whole_node_does_not_hold_its_end(nodes: Any) -> None:
    brought(nodes.folder / "site", "blocks", BLOCKS, "dms.operations")
    nodes.configure(tasks={}, shutdown={"timeout": "1s"})
    node = started(nodes, nodes.folder / "site")
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(str(node.data_dir / "dms.sock"))
        peer.sendall(b'{"jsonrpc":"2.0","id":1,"method":"theirs.block"}\n')
        node.wait_for(lambda line: line["event"] == "blocked from now on")
        began = monotonic()
        assert 70 == node.stop()
    assert monotonic() - began < 1.5
    assert ("ended at once", "no stage yet") == (node.log[-1]["event"], node.log[-1]["stage"])
