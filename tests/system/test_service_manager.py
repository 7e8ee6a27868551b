"""What a service manager is told: a socket in a test's folder stands for systemd's."""

import os
import select
import signal
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
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

    def hears(self, wanted: str, within: float) -> list[dict[str, str]]:
        """What has come, or comes within so many seconds, of messages with the wanted state."""
        heard = []
        while select.select([self._socket], [], [], within)[0]:
            told = dict(line.split("=", 1) for line in self._socket.recv(4096).decode().splitlines())
            heard += [told] if wanted in told else []
            within = 0
        return heard

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
    assert {"READY": "1", "STATUS": "running"} == manager.hear("READY")
    assert ["WATCHDOG"] * 2 == [next(iter(manager.hear("WATCHDOG"))) for _ in range(2)]
    node.signal(signal.SIGHUP)
    assert int(manager.hear("RELOADING")["MONOTONIC_USEC"]) > 0
    assert {"READY": "1", "STATUS": "running"} == manager.hear("READY")
    node.signal(signal.SIGTERM)
    assert 20_900_000 < int(manager.hear("STOPPING")["EXTEND_TIMEOUT_USEC"]) <= 21_000_000
    assert 0 == node.end()


def test_a_manager_with_less_patience_than_the_drain_takes_is_kept_patient(nodes: Any, manager: Manager) -> None:
    """systemd/systemd#39535: the notice that a service stops started the manager's own clock, which ended a long
    farewell. This manager has no patience of its own at all: what was asked for last must always reach on."""
    tasks = {
        "backup": {"call": "functions:work", "kwargs": {"seconds": 2.5}},
        "sync": {"call": "functions:work", "kwargs": {"seconds": 1.5}},
    }
    nodes.configure(tasks=tasks, shutdown={"timeout": "20s"})
    node = nodes.start(NOTIFY_SOCKET=manager.address)
    for task in tasks:
        node.ask("task.run", name=task)
        node.wait_for(lambda line, task=task: (line.get("task"), line["event"]) == (task, "start"))
    node.signal(signal.SIGTERM)
    told, patience = [manager.hear("STOPPING")], 0.0
    while not node.ends(within=0):
        patience = monotonic() + int(told[-1]["EXTEND_TIMEOUT_USEC"]) / 1_000_000
        heard = manager.hears("STOPPING", within=0.05)
        told += heard
        assert monotonic() < patience
    assert 0 == node.end()
    statuses = [each["STATUS"] for each in told]
    assert ["draining 2 tasks: backup, sync", "draining 1 task: backup"] == [
        status for status in dict.fromkeys(statuses) if status.startswith("draining")
    ]
    assert 2 <= statuses.count("draining 2 tasks: backup, sync")
    assert "success" == nodes.start().history("backup")[0]["status"]


def test_the_watchdog_is_fed_while_the_node_drains(nodes: Any, manager: Manager) -> None:
    nodes.configure(tasks={"backup": {"call": "functions:work", "kwargs": {"seconds": 1}}})
    node = nodes.start(NOTIFY_SOCKET=manager.address, WATCHDOG_USEC="200000")
    node.ask("task.run", name="backup")
    node.wait_for(lambda line: (line.get("task"), line["event"]) == ("backup", "start"))
    node.signal(signal.SIGTERM)
    manager.hear("STOPPING")
    assert ["1"] * 3 == [manager.hear("WATCHDOG")["WATCHDOG"] for _ in range(3)]
    assert not node.ends(within=0)
    assert 0 == node.end()


@contextmanager
def held_database(node: Any) -> Iterator[None]:
    """Nobody else can write into the node's database meanwhile."""
    holding = sqlite3.connect(node.data_dir / "dms.db", isolation_level=None)
    try:
        holding.execute("BEGIN IMMEDIATE")
        yield
    finally:
        holding.close()


def test_a_stop_during_the_start_is_told_at_once_and_never_followed_by_ready(nodes: Any, manager: Manager) -> None:
    nodes.configure(tasks={})
    first = nodes.start()
    assert 0 == first.stop()
    with held_database(first):  # so the start waits
        node = nodes.begin(NOTIFY_SOCKET=manager.address)
        assert {"STATUS": "starting"} == manager.hear("STATUS")
        node.signal(signal.SIGTERM)
        assert "stopping: the start" == manager.hear("STOPPING")["STATUS"]
    assert 0 == node.end()
    assert [] == manager.hears("READY", within=0)


def test_a_signal_before_there_is_a_node_to_stop_ends_it_at_once(nodes: Any, manager: Manager) -> None:
    os.mkfifo(nodes.folder / "reached")
    (nodes.folder / "slow.py").write_text(
        "open('reached', 'w').close()\nimport threading\nthreading.Event().wait(60)\n"
    )
    nodes.configure(tasks={"slow": {"call": "slow:work"}})
    node = nodes.begin(NOTIFY_SOCKET=manager.address)
    (nodes.folder / "reached").read_text()
    node.signal(signal.SIGTERM)
    assert "stopping before the start" == manager.hear("STOPPING")["STATUS"]
    assert (0, []) == (node.end(), node.lines)
    nodes.configure(tasks={})
    assert 0 == nodes.start().stop()


def test_no_task_inherits_the_way_to_the_manager(nodes: Any, manager: Manager) -> None:
    nodes.configure(tasks={"look": {"run": ["env"]}})
    node = nodes.start(NOTIFY_SOCKET=manager.address, WATCHDOG_USEC="200000")
    assert "NOTIFY_SOCKET" not in node.run("look")["results"]["output"]
    assert "WATCHDOG" not in node.run("look")["results"]["output"]


def test_a_manager_that_has_gone_harms_nothing(nodes: Any, manager: Manager) -> None:
    manager.close()
    assert 0 == nodes.start(NOTIFY_SOCKET=manager.address).stop()
