"""Waiting for a run: meanwhile it is shown how far it has come, as a bar on a terminal, else as a line at times."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Lock, Thread
from typing import Any

from dms.cli.asking import Asking
from dms.cli.live_block import LiveBlock, can_be_drawn_on
from dms.cli.watching import progress_text
from dms.cli.wording import shortened
from dms.client.blocking import Client
from dms.clock import SystemClock, stopwatch
from dms.errors import DmsError
from dms.instant import to_datetime

BETWEEN_LINES = 5.0
"""Seconds between two lines about the progress of a run, where there is no terminal."""


SHORT = 0.2
"""Seconds within which a run that ends is shown nothing of."""

ATTEMPTS = 20
"""How often, a hundredth of a second each, the end of the connection is waited for."""


@contextmanager
def progress_shown(node: Asking, name: str | int) -> Iterator[None]:
    """Meanwhile show on standard error how far the run of that task has come which is asked for now."""
    block = LiveBlock(sys.stderr) if can_be_drawn_on(sys.stderr) else None
    if block is None and node.as_json:
        yield
        return
    progress = _Progress(node.client.data_dir, name, block)
    progress.start()
    try:
        yield
    finally:
        progress.end()


class _Progress:
    def __init__(self, data_dir: str, name: str | int, block: LiveBlock | None) -> None:
        self._client, self._name, self._block = Client(data_dir), name, block
        self._thread = Thread(target=self._follow, name="dms-progress", daemon=True)
        self.start = self._thread.start
        self._asked = to_datetime(SystemClock().now().wall).isoformat(timespec="microseconds")
        self._told = stopwatch()
        self._lock, self._over = Lock(), Event()

    def _follow(self) -> None:
        """Show what comes, until the connection ends; where it can't be had, the run is waited for all the same."""
        if self._over.wait(SHORT):
            return
        with suppress(DmsError, OSError), self._client:
            task = self._client.call("task.get", {"name": self._name})
            if task["progress"] and task["running"] == 1:
                self._show(task["name"], task["progress"])
            for notified in self._client.follow("task.runs", {"task": task["name"], "kind": "progress"}):
                if notified.method == "sub.event" and self._is_meant(notified.params["event"]):
                    self._show(task["name"], notified.params["event"]["progress"])

    def _is_meant(self, event: dict[str, Any]) -> bool:
        """Whether it is of a run that somebody asked for, and not before we did."""
        execution = event["execution"]
        return execution["cause"] != "schedule" and (execution["started_at"] or "") >= self._asked

    def _show(self, name: str, progress: dict[str, Any]) -> None:
        told = f"{name}: {shortened(progress_text(progress))}"
        with self._lock:
            if self._over.is_set():
                return
            if self._block is not None:
                self._block.set("", told)
            elif stopwatch() - self._told >= BETWEEN_LINES:
                self._told = stopwatch()
                print(told, file=sys.stderr, flush=True)

    def end(self) -> None:
        """Show nothing more."""
        with self._lock:
            self._over.set()
            if self._block is not None:
                self._block.clear()
        for _ in range(ATTEMPTS):  # it may be about to connect
            self._client.unfollow()
            self._thread.join(0.01)
            if not self._thread.is_alive():
                return
