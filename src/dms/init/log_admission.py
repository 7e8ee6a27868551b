"""Which lines of the log are written at all, where some come in floods."""

import threading
from collections.abc import Callable
from typing import Any

from dms.init.flood import FloodGuard, HeldBack

_HELD_BACK = frozenset({"debug", "info", "warning"})


class LogAdmission:
    """Asks the guard, from whatever thread. Errors are always admitted; `tell` is called for what was held back."""

    def __init__(self, flood: FloodGuard, tell: Callable[[HeldBack], None]) -> None:
        self._flood, self._tell = flood, tell
        self._lock = threading.Lock()
        self.suppressed = 0

    def admits(self, logger: Any, event: Any, level: str, now: int) -> bool:
        """Whether a line is to be written at this boot time."""
        known = event if type(event) is str else type(event).__name__
        with self._lock:
            admitted = level not in _HELD_BACK or self._flood.admits(str(logger), known, level, now)
            self.suppressed += not admitted
            held_back = self._flood.held_back(now) if self._flood.holds_back else ()
        for held in held_back:
            self._tell(held)
        return admitted

    def tell_all(self) -> None:
        """Tell what was held back and not told yet."""
        with self._lock:
            held_back = self._flood.all_held_back()
        for held in held_back:
            self._tell(held)
