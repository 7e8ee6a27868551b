"""Collector: somebody elsewhere who gets this node's log, spans and figures, each by a thread of its own."""

import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from dms.clock import monotonic
from dms.init.logger import SENDING
from dms.init.records import LogLine, Span
from dms.init.sender import Exporter, Sender
from dms.instant import SECOND
from dms.trace import CURRENT

Connect = Callable[[str], Exporter]
"""Gives what sends a signal: `logs`, `traces` or `metrics`. ImportError where the packages for it are missing."""


class Collector:
    """Gets what it is given, in a while, from now until `close`.

    `troubled` is told, by any thread until `hush`, what is wrong where something begins to be, and nothing once all is
    well again.
    """

    def __init__(
        self,
        connect: Connect,
        interval: float,
        gather: Callable[[], Sequence[Any]],
        troubled: Callable[[str], None],
    ) -> None:
        self._troubled, self._lock = troubled, threading.Lock()
        self._troubles: dict[str, str] = {}
        self._hushed = False
        self._senders = {
            signal: Sender(
                f"{SENDING}-{signal}",
                partial(connect, signal),
                interval,
                partial(self._told, signal),
                gather if signal == "metrics" else None,
            )
            for signal in ("logs", "traces", "metrics")
        }

    def line(self, fields: Mapping[str, Any]) -> None:
        """A line of the log was written, here and now."""
        self._senders["logs"].put(LogLine(fields, CURRENT.get()))

    def span(self, span: Span) -> None:
        """Something that took time is over."""
        self._senders["traces"].put(span)

    def pace(self, interval: float) -> None:
        """Send each so many seconds from now on."""
        for sender in self._senders.values():
            sender.pace(interval)

    @property
    def lost(self) -> Mapping[str, int]:
        """How much will never arrive, by signal."""
        return {signal: sender.lost for signal, sender in self._senders.items()}

    def hush(self) -> None:
        """Tell of no trouble any more: what goes wrong from here on shows in what has not arrived."""
        with self._lock:
            self._hushed = True

    def close(self, within: float) -> int:
        """Send what waits, and take nothing more. All of it takes so many seconds at most; gives how much has not
        arrived."""
        deadline = monotonic() + int(within * SECOND)
        for sender in self._senders.values():
            sender.close()
        for sender in self._senders.values():
            sender.ended(max(0, deadline - monotonic()) / SECOND)
        return sum(sender.lost + sender.left for sender in self._senders.values())

    def _told(self, signal: str, problem: str) -> None:
        with self._lock:
            before = bool(self._troubles)
            self._troubles[signal] = problem
            if not problem:
                del self._troubles[signal]
            changed = before != bool(self._troubles) and not self._hushed
            if changed:
                self._troubled(problem)
