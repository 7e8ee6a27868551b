"""A store that does not answer: neither that what it was given is on disk, nor that it can't be."""

import asyncio
from collections.abc import Callable

from dms.background_tasks.agenda.decision import Alert

PATIENCE = 5.0
"""Seconds after which a save that is under way is a finding."""


class SlowDisk:
    """Tells by `alert` that a save takes too long, and takes it back. On the loop; one save at a time."""

    def __init__(self, alert: Callable[[Alert], None]) -> None:
        self._alert = alert
        self._timer: asyncio.TimerHandle | None = None
        self._told = False

    def asked(self) -> None:
        """A save is under way."""
        self._timer = asyncio.get_running_loop().call_later(PATIENCE, self._tell)

    def _tell(self) -> None:
        self._told = True
        why = f"the disk has not taken what it was given for {PATIENCE:g} s; durable tasks wait until it does"
        self._alert(Alert("store", "executions", why))

    def answered(self, works: bool) -> None:
        """It has ended. That it failed is told by others, in the same place."""
        if self._timer is not None:
            self._timer.cancel()
        if self._told and works:
            self._alert(Alert("store", "executions", ""))
        self._told = False
