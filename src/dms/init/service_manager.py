"""What a service manager such as systemd is told of the node, by sd_notify; nothing where none listens."""

import asyncio
import os
import socket
from collections.abc import Callable, MutableMapping

from dms.clock import monotonic

STOP_MARGIN = 1_000_000
"""Microseconds beyond the stop's own deadline that the manager is asked for."""


class ServiceManager:
    """Tells READY, RELOADING, STOPPING and the watchdog. The variables that name it are taken out of the environment,
    so that no task talks to it."""

    def __init__(self, environ: MutableMapping[str, str]) -> None:
        self._address = environ.pop("NOTIFY_SOCKET", "")
        self._watchdog = _watchdog_period(environ.pop("WATCHDOG_USEC", ""), environ.pop("WATCHDOG_PID", ""))
        self._feeding: asyncio.TimerHandle | None = None

    def ready(self) -> None:
        """The node takes work; also after a reload."""
        self._tell("READY=1")

    def reloading(self) -> None:
        """The configuration is being read anew; `ready` says that it has been."""
        self._tell(f"RELOADING=1\nMONOTONIC_USEC={monotonic()}")

    def stopping(self, within: int) -> None:
        """The node stops, and may take so many microseconds; the manager's own, shorter patience is extended
        (systemd/systemd#39535: the notice alone starts that)."""
        self.rest()
        self._tell(f"STOPPING=1\nEXTEND_TIMEOUT_USEC={within + STOP_MARGIN}")

    def feed_while(self, turn: Callable[[], None]) -> None:
        """Feed the watchdog, where there is one, as long as the running loop comes round and `turn` returns."""
        if self._watchdog:
            turn()
            self._tell("WATCHDOG=1")
            self._feeding = asyncio.get_running_loop().call_later(self._watchdog / 2, self.feed_while, turn)

    def rest(self) -> None:
        """Feed the watchdog no longer."""
        if self._feeding is not None:
            self._feeding.cancel()
            self._feeding = None

    def _tell(self, state: str) -> None:
        if not self._address:
            return
        address = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as telling:
                telling.setblocking(False)
                telling.sendto(state.encode(), address)
        except OSError:
            pass  # a manager that has gone is no reason to fail


def _watchdog_period(microseconds: str, pid: str) -> float:
    """Seconds between two feedings at most; 0 where nobody watches this process."""
    if not microseconds.isdecimal() or (pid and pid != str(os.getpid())):
        return 0
    return int(microseconds) / 1_000_000
