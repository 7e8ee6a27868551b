"""A disk that is full stops no node: what needs the disk waits, the rest goes on, and all is well again after it."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

ALONE = "unshare --mount --map-root-user"
TASKS = {
    "kept": {"call": "functions:work", "overlap": "queue", "queue_limit": 10},
    "free": {"call": "functions:work", "durability": "none"},
}


@pytest.fixture
def node(nodes: Any) -> Any:
    """A node whose data folder is a disk of two megabytes of its own; `disk` is where it can be seen from here."""
    if subprocess.run([*ALONE.split(), "true"], capture_output=True).returncode:
        pytest.skip("this machine lets nobody make a mount of their own")
    nodes.configure(tasks=TASKS)
    nodes.data_dir.mkdir()
    mount = f"mount -t tmpfs -o size=2m,mode=700 none {nodes.data_dir} && exec"
    node = nodes.begin(shell=f"""exec {ALONE} sh -c '{mount} "$@"' sh "$@" """)
    seen = Path(f"/proc/{node.process.pid}/root{nodes.data_dir}")
    node.disk = node.data_dir = seen
    return node.answers()


def fill(disk: Path) -> None:
    """Leave no room at all."""
    with (disk / "filler").open("wb", buffering=0) as filler:
        try:
            while filler.write(bytes(1024)):
                pass
        except OSError:
            return


def test_a_full_disk_holds_what_must_be_kept_and_nothing_else(node: Any) -> None:
    assert "success" == node.run("kept")["status"]
    fill(node.disk)
    waiting = subprocess.Popen(
        [*node.command, "task", "run", "kept", "--wait", "--json", "--data-dir", str(node.data_dir)],
        stdout=subprocess.PIPE,
        env=node.environment,
    )
    node.wait_for(lambda line: "durable tasks wait until it works again" in line["event"])
    assert "degraded" == node.ask("node.status")["state"]
    assert "success" == node.run("free")["status"]
    node.ask("task.logs", name="free")  # by now what it said was tried to be kept
    assert "run_logs" in {finding["code"] for finding in node.ask("node.status")["findings"]}
    (node.disk / "filler").unlink()
    out, _ = waiting.communicate(timeout=20)
    assert (0, True) == (waiting.returncode, b'"success"' in out)
    assert ["start", "end"] == [line["text"] for line in node.ask("task.logs", name="kept")["lines"]]
    assert "well" == node.ask("node.status")["state"]
    assert ["success", "success"] == [execution["status"] for execution in node.history("kept")]
    assert 0 == node.stop()
