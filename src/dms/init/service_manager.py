"""What a service manager such as systemd is told of the node, by sd_notify; nothing where none listens."""

import asyncio
import os
import socket
from collections.abc import Callable, MutableMapping

from dms.clock import monotonic

STOP_MARGIN = 1.0
"""Seconds beyond the stop's own deadline that the manager is asked for."""

AGAIN = 0.1
"""Seconds after which a word for which the manager had no room is said again."""

SHORTEST_WATCHDOG = 0.01
"""Seconds; who asks for less is not obeyed by a loop that does nothing else."""

_LONGEST_WATCHDOG = 18
"""Digits; the largest number of all, which has more, means that there is no watchdog."""


class ServiceManager:
    """Tells READY, RELOADING, STOPPING and the watchdog. The variables that name it are taken out of the environment,
    so that no task talks to it."""

    def __init__(self, environ: MutableMapping[str, str]) -> None:
        self._address = environ.pop("NOTIFY_SOCKET", "")
        self._watchdog = _watchdog_period(environ.pop("WATCHDOG_USEC", ""), environ.pop("WATCHDOG_PID", ""))
        self._stopping = False

    def starting(self) -> None:
        """The node is being made; from now on it can be stopped as it should."""
        self._tell("STATUS=starting")

    def ready(self) -> None:
        """The node takes work; also after a reload. Not where it stops already. On the loop."""
        if not self._stopping and not self._tell("READY=1\nSTATUS=running"):
            asyncio.get_running_loop().call_later(AGAIN, self.ready)

    def reloading(self) -> None:
        """The configuration is being read anew; `ready` says that it has been."""
        if not self._stopping:
            self._tell(f"RELOADING=1\nMONOTONIC_USEC={monotonic()}\nSTATUS=reading the configuration anew")

    def stopping(self, within: float, doing: str) -> None:
        """The node stops, and may take so many seconds more. It is said again and again: the notice starts the
        manager's own, perhaps shorter, patience, which lasts as long as it was asked for last (systemd/systemd#39535).
        """
        self._stopping = True
        microseconds = int((within + STOP_MARGIN) * 1_000_000)
        self._tell(f"STOPPING=1\nEXTEND_TIMEOUT_USEC={microseconds}\nSTATUS={doing}")

    def feed_while(self, turn: Callable[[], None]) -> None:
        """Feed the watchdog, where there is one, as long as the running loop comes round and `turn` returns."""
        if self._watchdog:
            turn()
            self._tell("WATCHDOG=1")
            asyncio.get_running_loop().call_later(self._watchdog / 2, self.feed_while, turn)

    def _tell(self, state: str) -> bool:
        """Whether it was said, or nobody is there to hear it; else the manager has no room for it now."""
        if not self._address:
            return True
        address = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as telling:
                telling.setblocking(False)
                telling.sendto(state.encode(), address)
        except BlockingIOError:
            return False
        except OSError:
            pass  # a manager that has gone is no reason to fail
        return True


def _watchdog_period(microseconds: str, pid: str) -> float:
    """Seconds between two feedings at most; 0 where nobody watches this process."""
    watched = microseconds.isdecimal() and len(microseconds) <= _LONGEST_WATCHDOG and pid in ("", str(os.getpid()))
    period = int(microseconds) / 1_000_000 if watched else 0
    return max(period, SHORTEST_WATCHDOG) if period else 0
