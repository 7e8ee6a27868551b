"""What a service manager is told: a socket in a test's folder stands for systemd's."""

import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


class Manager:
    """Hears the states that a node tells."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address.replace("@", "\0", 1))
        self._socket.settimeout(20)

    def hear(self, wanted: str) -> dict[str, str]:
        """The next message that has the wanted state; others are passed over."""
        while True:
            told = dict(line.split("=", 1) for line in self._socket.recv(4096).decode().splitlines())
            if wanted in told:
                return told

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    made = Manager(str(tmp_path / "notify") if request.param == "path" else f"@dms-test-{tmp_path.name}")
    yield made
    made.close()


def test_a_manager_is_told_of_each_stage_of_a_life(nodes: Any, manager: Manager) -> None:
    nodes.configure("shutdown: {timeout: 20s}\n")
    node = nodes.begin(NOTIFY_SOCKET=manager.address, WATCHDOG_USEC="200000")
    assert {"READY": "1"} == manager.hear("READY")
    assert ["WATCHDOG"] * 2 == [next(iter(manager.hear("WATCHDOG"))) for _ in range(2)]
    node.signal(signal.SIGHUP)
    assert int(manager.hear("RELOADING")["MONOTONIC_USEC"]) > 0
    assert {"READY": "1"} == manager.hear("READY")
    node.signal(signal.SIGTERM)
    assert {"STOPPING": "1", "EXTEND_TIMEOUT_USEC": "21000000"} == manager.hear("STOPPING")
    assert 0 == node.end()


def test_no_task_inherits_the_way_to_the_manager(nodes: Any, manager: Manager) -> None:
    nodes.configure(tasks={"look": {"run": ["env"]}})
    node = nodes.start(NOTIFY_SOCKET=manager.address, WATCHDOG_USEC="200000")
    assert "NOTIFY_SOCKET" not in node.run("look")["results"]["output"]
    assert "WATCHDOG" not in node.run("look")["results"]["output"]


def test_a_manager_that_has_gone_harms_nothing(nodes: Any, manager: Manager) -> None:
    manager.close()
    assert 0 == nodes.start(NOTIFY_SOCKET=manager.address).stop()
