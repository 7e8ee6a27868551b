"""`node-facts`: what this machine is, gathered anew each hour; `dms call node.info` tells it."""

import os
import platform
import socket
from typing import Any

from dms.background_tasks.running.run import Run
from dms.background_tasks.tasks.task import Durability, Lane, Task
from dms.background_tasks.triggers.trigger import PeriodicTrigger
from dms.config import Config
from dms.plugins.context import NodeContext

NAME = "node-facts"


def facts_task(context: NodeContext) -> Task:
    """The task; its result is the facts."""

    def facts(run: Run) -> dict[str, Any]:
        return gather(context.version, run.config)

    return Task(
        NAME,
        facts,
        description="What this machine is",
        triggers=[PeriodicTrigger("1h", at_start=True)],
        timeout="30s",
        durability=Durability.NONE,
        lane=Lane.NODE,
    )


def gather(version: str, config: Config) -> dict[str, Any]:
    """The facts, as plain values; what the machine does not tell is left out."""
    general = config.general
    known = {
        "hostname": socket.gethostname(),
        "system": platform.system(),
        "release": platform.release(),
        "machine": platform.machine(),
        "distribution": _distribution(),
        "cores": os.cpu_count(),
        "memory_mib": _memory(),
        "python": platform.python_version(),
        "dms": version,
        "country": general.host_country,
        "city": general.host_city,
        "continent": general.host_continent,
    }
    return {name: value for name, value in known.items() if value not in (None, "")}


def _distribution() -> str | None:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME")
    except OSError:
        return None


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20
    except (ValueError, OSError):
        return None
