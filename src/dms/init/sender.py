"""Sender: a thread that sends what waits in an outbox, again and again, and never holds anybody."""

import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from dms.init.outbox import Outbox

BATCH = 512
"""Items that are sent together, at most."""

MOST_WAITING = 4_096
"""Items that wait, at most."""


SETTLING = 1.0
"""Seconds, at most, before a sender connects: a node that starts has better use for the processor than imports."""


class Sent(NamedTuple):
    """What became of a batch: it arrived (no `problem`), may arrive another time (`again`), or never will."""

    problem: str = ""
    again: bool = False


class Exporter(Protocol):
    """Where batches go. Its thread is the only one that calls it."""

    def send(self, batch: Sequence[Any]) -> Sent:
        """Send a batch, which may take seconds; never raises."""

    def close(self) -> None:
        """Let go of the connection."""


class Sender:
    """Sends all that is put, each `interval` seconds, and sooner where much has come.

    `connect` is called in the sender's own thread, for what it imports takes time; where it raises, nothing is taken
    any more, and what it says is told. `gather` gives what is sent besides at each turn. `troubled` is told each turn
    what is wrong, or nothing.
    """

    def __init__(
        self,
        name: str,
        connect: Callable[[], Exporter],
        interval: float,
        troubled: Callable[[str], None],
        gather: Callable[[], Sequence[Any]] | None = None,
    ) -> None:
        self._interval = interval
        self._connect, self._troubled, self._gather = connect, troubled, gather
        self._outbox: Outbox[Any] = Outbox(MOST_WAITING)
        self._wake, self._closing, self._failing = threading.Event(), threading.Event(), False
        self._missing = False
        self._thread = threading.Thread(target=self._serve, name=name, daemon=True)
        self._thread.start()

    def put(self, item: Any) -> None:
        """Send this, in a while."""
        if not self._missing and self._outbox.put(item) >= BATCH and not self._wake.is_set():
            self._wake.set()

    def pace(self, interval: float) -> None:
        """Send each so many seconds from now on, and once at once."""
        self._interval = interval
        self._wake.set()

    def close(self) -> None:
        """Send what waits, unless the last attempt failed, and end; `ended` tells when."""
        self._closing.set()
        self._wake.set()

    def ended(self, within: float) -> bool:
        """Wait for its end, so many seconds at most; whether it came."""
        self._thread.join(within)
        return not self._thread.is_alive()

    @property
    def lost(self) -> int:
        """How many items will never arrive."""
        return self._outbox.lost

    @property
    def left(self) -> int:
        """How many items have not arrived yet."""
        return self._outbox.left()

    def _serve(self) -> None:
        self._wake.wait(min(self._interval, SETTLING))
        try:
            exporter = self._connect()
        except Exception as error:  # noqa: BLE001 - packages that are missing, an environment that can't be used
            self._missing = True
            self._outbox = Outbox(MOST_WAITING)
            return self._troubled(str(error))
        last = False
        while not last:
            # Where it failed, what comes meanwhile is no reason to try sooner.
            (self._closing if self._failing else self._wake).wait(self._interval)
            self._wake.clear()
            last = self._closing.is_set()
            self._turn(exporter)
        exporter.close()

    def _turn(self, exporter: Exporter) -> None:
        """Send all that waits now; where the collector was down before the end, it is not asked once more."""
        if self._closing.is_set() and self._failing:
            return
        problem = self._send_gathered(exporter)
        while not problem and (batch := self._outbox.take(BATCH)):
            problem = self._send(exporter, batch)
        self._failing = bool(problem)
        self._troubled(problem)

    def _send_gathered(self, exporter: Exporter) -> str:
        """What is gathered is as good the next time: nothing of it waits."""
        gathered = self._gather() if self._gather is not None else ()
        return exporter.send(gathered).problem if gathered else ""

    def _send(self, exporter: Exporter, batch: Sequence[Any]) -> str:
        sent = exporter.send(batch)
        if not sent.problem:
            self._outbox.sent()
        elif sent.again:
            self._outbox.give_back(batch)
        else:
            self._outbox.refused()
        return sent.problem
