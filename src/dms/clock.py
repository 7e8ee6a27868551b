"""The machine's clocks: what they show, since which boot, in which zone. The only module that reads one."""

import os
import re
import time
from collections.abc import Mapping
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dms.instant import Instant

_ZONES = "/zoneinfo/"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+)*").fullmatch
_BOOT = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class SystemClock:
    """The machine's own clocks. Boot time counts suspended time where the system can tell (Linux)."""

    def now(self) -> Instant:
        """Both clocks, read one right after the other."""
        return Instant(time.time_ns() // 1000, time.clock_gettime_ns(_BOOT) // 1000)


stopwatch = time.perf_counter
"""Seconds since some moment, for how long something takes; a bare function, since each command asks it twice."""


def monotonic() -> int:
    """The system's monotonic clock, in microseconds; for a service manager, which goes by it."""
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000


def boot_id() -> str:
    """What tells this boot of the machine from others; empty where the system does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def host_timezone(environ: Mapping[str, str], root: Path = Path("/")) -> str:
    """The IANA name of the host's zone: what TZ says, else /etc/localtime, else /etc/timezone; empty where none
    tells."""
    for name in (environ.get("TZ", "").removeprefix(":"), _linked_zone(root), _written_zone(root)):
        name = name.rpartition(_ZONES)[2] if _ZONES in name else name
        if name and _NAME(name) and _exists(name):
            return name
    return ""


def _linked_zone(root: Path) -> str:
    try:
        return os.readlink(root / "etc/localtime")
    except OSError:
        return ""


def _written_zone(root: Path) -> str:
    try:
        return (root / "etc/timezone").read_text("ascii", "replace").strip()
    except OSError:
        return ""


def _exists(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def host_zone() -> ZoneInfo | None:
    """The host's own zone; None where it can't be told."""
    name = host_timezone(os.environ)
    return ZoneInfo(name) if name else None
