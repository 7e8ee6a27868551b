"""Which lines of the log are written at all, where some come in floods."""

import threading
from collections.abc import Callable, Mapping
from typing import Any

from dms.init.flood import FloodGuard, HeldBack
from dms.instant import Clock

_HELD_BACK = frozenset({"debug", "info", "warning"})


class LogAdmission:
    """Asks the guard, from whatever thread. Errors are always admitted; `tell` is called for what was held back."""

    def __init__(self, flood: FloodGuard, clock: Clock, tell: Callable[[HeldBack], None]) -> None:
        self._flood, self._clock, self._tell = flood, clock, tell
        self._lock = threading.Lock()
        self.suppressed = 0

    def admits(self, level: str, fields: Mapping[str, Any]) -> bool:
        """Whether a line is to be written."""
        now, event = self._clock.now().boot, fields.get("event", "")
        known = event if isinstance(event, str) else type(event).__name__
        logger = str(fields.get("logger", ""))
        with self._lock:
            admitted = level not in _HELD_BACK or self._flood.admits(logger, known, level, now)
            self.suppressed += not admitted
            held_back = self._flood.held_back(now)
        for held in held_back:
            self._tell(held)
        return admitted

    def tell_all(self) -> None:
        """Tell what was held back and not told yet."""
        with self._lock:
            held_back = self._flood.all_held_back()
        for held in held_back:
            self._tell(held)
