"""The only module that reads a clock."""

import time

from dms.instant import Instant

_BOOT = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class SystemClock:
    """The machine's own clocks. Boot time counts suspended time where the system can tell (Linux)."""

    def now(self) -> Instant:
        """Both clocks, read one right after the other."""
        return Instant(time.time_ns() // 1000, time.clock_gettime_ns(_BOOT) // 1000)
