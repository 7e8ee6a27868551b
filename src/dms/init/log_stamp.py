"""When a line of the log was written, and at which level."""

from collections.abc import Mapping
from typing import Any

from dms.instant import SECOND, to_datetime


class Stamp:
    """Puts `at`, `level` and `event` before a line's other fields; a field of such a name becomes `at_`, `level_`."""

    def __init__(self) -> None:
        self._second = (-1, "")

    def __call__(self, wall: int, level: str, event: Any, fields: Mapping[str, Any]) -> dict[str, Any]:
        """The line's fields, stamped with this wall time."""
        if "at" in fields or "level" in fields or "event" in fields:
            fields = {name if name not in _HEAD else f"{name}_": value for name, value in fields.items()}
        return {"at": self._at(wall), "level": level, "event": event, **fields}

    def _at(self, wall: int) -> str:
        """As `rfc3339` does; most lines share their second with the one before."""
        second, rest = divmod(wall, SECOND)
        known, text = self._second
        if second != known:
            text = to_datetime(second * SECOND).isoformat(timespec="seconds")[: -len("+00:00")]
            self._second = (second, text)
        return f"{text}.{rest:06d}+00:00"


_HEAD = frozenset({"at", "level", "event"})
