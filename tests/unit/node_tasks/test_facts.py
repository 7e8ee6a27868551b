import os
import platform
import socket
from logging import getLogger
from pathlib import Path
from queue import SimpleQueue

import msgspec
import pytest

from dms.background_tasks.scheduler import Scheduler
from dms.background_tasks.tasks.task import Durability, Execution, Lane, Status
from dms.clock import SystemClock
from dms.config import default_config
from dms.node_tasks.facts import facts_task, gather
from dms.plugins.context import NodeContext


def test_the_facts_are_what_this_machine_says() -> None:
    facts = gather("0.1.0", default_config())
    expected = {
        "hostname": socket.gethostname(), "system": "Linux", "cores": os.cpu_count(), "dms": "0.1.0",
        "python": platform.python_version(), "machine": platform.machine(),
    }  # fmt: skip
    assert expected == {name: facts[name] for name in expected}
    assert 16 < facts["memory_mib"] < 100_000_000


def test_what_nobody_told_is_left_out() -> None:
    assert not {"country", "city", "continent"} & gather("0.1.0", default_config()).keys()


def test_where_the_machine_stands_is_a_fact_once_it_is_told() -> None:
    config = default_config()
    general = msgspec.structs.replace(config.general, host_country="FI", host_city="Oulu")
    facts = gather("0.1.0", msgspec.structs.replace(config, general=general))
    assert ("FI", "Oulu") == (facts["country"], facts["city"])


def test_a_machine_that_does_not_tell_leaves_it_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(*_: object) -> None:
        raise OSError("it does not tell")

    monkeypatch.setattr(platform, "freedesktop_os_release", silent)
    monkeypatch.setattr(os, "sysconf", silent)
    assert not {"distribution", "memory_mib"} & gather("0.1.0", default_config()).keys()


def test_the_task_runs_at_the_start_in_the_nodes_lane_and_its_result_is_the_facts(tmp_path: Path) -> None:
    config = default_config()
    with Scheduler(snapshot=lambda: config) as scheduler:
        context = NodeContext("heron", "0.1.0", tmp_path, SystemClock(), scheduler, lambda: config, getLogger())
        ended: SimpleQueue[Execution] = SimpleQueue()
        scheduler.subscribe(lambda event: ended.put(event.execution) if event.kind == "ended" else None)
        task = scheduler.add_task(facts_task(context))
        execution = ended.get(timeout=10)
    assert (Status.SUCCESS, "0.1.0") == (execution.status, execution.results["dms"])
    assert (Lane.NODE, Durability.NONE) == (task.lane, task.durability)
