"""The machine's clocks: what they show, since which boot, in which zone. The only module that reads one."""

import os
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dms.instant import SECOND, Instant

_ZONES = "/zoneinfo/"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+)*").fullmatch
_BOOT = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
_os: Any = os  # what it has of timers mypy knows for later Pythons than the oldest that we run on
_FAR_AHEAD = 253_370_764_800.0
_SYNCHRONIZED = Path("/run/systemd/timesync/synchronized")
_TIME_ERROR = 5
_TIMEX_SIZE = 512  # more than any system's struct timex has; zeros ask and set nothing


def is_synchronized(marker: Path = _SYNCHRONIZED) -> bool:
    """Whether a time service has set the wall clock right: systemd's leaves a mark for that, and whichever it is
    (chrony, ntpd, the host of a container) tells the kernel, adjtimex(2)."""
    if marker.exists():
        return True
    import ctypes  # here: it costs 3 ms, and a machine with systemd's own service needs none of it

    adjtimex = getattr(ctypes.CDLL(None), "adjtimex", None)
    return adjtimex is not None and adjtimex(ctypes.create_string_buffer(_TIMEX_SIZE)) not in (-1, _TIME_ERROR)


class SystemClock:
    """The machine's own clocks. Boot time counts suspended time where the system can tell (Linux).

    The wall clock is trusted from the first time that `synchronized()` says so, for a clock that was right once goes on
    well enough by itself; or, with `trust_always`, from the start, for a machine without a time service. Until then it
    is asked when the clocks are read, once a second at most, and at once where the wall clock was set.
    """

    def __init__(self, synchronized: Callable[[], bool] = is_synchronized) -> None:
        self.trust_always = False
        self._synchronized = synchronized
        self._trusted = False
        self._asked = Instant(0, -SECOND)

    def now(self) -> Instant:
        """Both clocks, read one right after the other."""
        wall, boot = time.time_ns() // 1000, time.clock_gettime_ns(_BOOT) // 1000
        return Instant(wall, boot, self._trusted or self.trust_always or self._ask(wall, boot))

    def _ask(self, wall: int, boot: int) -> bool:
        gone, gone_on_wall = boot - self._asked.boot, wall - self._asked.wall
        if gone >= SECOND or abs(gone - gone_on_wall) >= SECOND:
            self._asked = Instant(wall, boot)
            self._trusted = self._synchronized()
        return self._trusted


class ClockChanges:
    """Tells when somebody sets the wall clock: its descriptor can be read then, until `take`."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._arm()

    @classmethod
    def hear(cls) -> "ClockChanges | None":
        """None where that can't be heard: the kernel tells it, timerfd_create(2), to Python 3.13 and later."""
        create = getattr(os, "timerfd_create", None)
        if create is None:
            return None
        try:
            return cls(create(time.CLOCK_REALTIME, flags=_os.TFD_NONBLOCK | _os.TFD_CLOEXEC))
        except OSError:
            return None

    def _arm(self) -> None:
        flags = _os.TFD_TIMER_ABSTIME | _os.TFD_TIMER_CANCEL_ON_SET
        _os.timerfd_settime(self._descriptor, flags=flags, initial=_FAR_AHEAD)

    def fileno(self) -> int:
        """Its descriptor."""
        return self._descriptor

    def take(self) -> None:
        """It is known; tell the next time."""
        try:
            os.read(self._descriptor, 8)
        except OSError:
            pass  # ECANCELED: that is how it is told
        self._arm()

    def close(self) -> None:
        """Tell no more."""
        os.close(self._descriptor)


stopwatch = time.perf_counter
"""Seconds since some moment, for how long something takes; a bare function, since each command asks it twice."""


ticks = time.perf_counter_ns
"""The same in nanoseconds, for what happens a hundred thousand times a second."""

thread_cpu = time.thread_time_ns
"""Processor time of the calling thread, in nanoseconds."""


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
