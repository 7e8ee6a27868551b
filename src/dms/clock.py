"""The only module that reads a clock."""

import os
import time
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dms.instant import Instant

_BOOT = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class SystemClock:
    """The machine's own clocks. Boot time counts suspended time where the system can tell (Linux)."""

    def now(self) -> Instant:
        """Both clocks, read one right after the other."""
        return Instant(time.time_ns() // 1000, time.clock_gettime_ns(_BOOT) // 1000)


def boot_id() -> str:
    """What tells this boot of the machine from others; empty where the system does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def host_zone() -> ZoneInfo | None:
    """The machine's own IANA time zone, from TZ or /etc/localtime; None where it can't be told."""
    name = os.environ.get("TZ", "").removeprefix(":")
    if not name:
        _, found, name = os.path.realpath("/etc/localtime").partition("/zoneinfo/")
        if not found:
            return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
