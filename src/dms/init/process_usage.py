"""What this process uses of its machine, asked of the kernel when somebody wants to know."""

import os
from collections.abc import Mapping
from pathlib import Path

from dms.metrics import Labels

_SELF = Path("/proc/self")


def cpu_time() -> Mapping[Labels, float]:
    """Seconds of processor time, by mode."""
    times = os.times()
    return {("user",): times.user, ("system",): times.system}


def memory() -> Mapping[Labels, float]:
    """Bytes that are resident."""
    pages = int((_SELF / "statm").read_text().split()[1])
    return {(): pages * os.sysconf("SC_PAGESIZE")}


def threads() -> Mapping[Labels, float]:
    """Threads, those of libraries included."""
    return {(): len(os.listdir(_SELF / "task"))}


def descriptors() -> Mapping[Labels, float]:
    """Open files, sockets and pipes, without the one that this question takes."""
    return {(): len(os.listdir(_SELF / "fd")) - 1}
