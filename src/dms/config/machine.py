"""The facts about this machine that defaults depend on."""

import os
from collections.abc import Mapping

import msgspec

from dms.clock import host_timezone
from dms.config.setting import Machine


def this_machine(environ: Mapping[str, str]) -> Machine:
    """What the operating system says, now."""
    root = os.geteuid() == 0
    home = environ.get("HOME") or os.path.expanduser("~")
    machine = Machine(_cores(), home, root, host_timezone(environ), data_dir="")
    return msgspec.structs.replace(machine, data_dir=machine.usual_data_dir)


def working_directory() -> str:
    """Where the process stands; the root where that folder is gone."""
    try:
        return os.getcwd()
    except OSError:
        return "/"


def _cores() -> int:
    """Those that this process may use, where the system tells."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
