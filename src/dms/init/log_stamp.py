"""When a line of the log was written, and at which level."""

from collections.abc import MutableMapping
from typing import Any

from dms.instant import SECOND, Clock, to_datetime


class Stamp:
    """Puts `at`, `level` and `event` before a line's other fields; a field of such a name becomes `at_`, `level_`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._second = (-1, "")

    def __call__(self, _: Any, level: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """The line's fields, stamped; the order of the arguments is structlog's."""
        event = fields.pop("event", "")
        head: dict[str, Any] = {"at": self._at(self._clock.now().wall), "level": level, "event": event}
        if fields.keys().isdisjoint(head):
            head.update(fields)
            return head
        return head | {name if name not in head else f"{name}_": value for name, value in fields.items()}

    def _at(self, wall: int) -> str:
        """As `rfc3339` does; most lines share their second with the one before."""
        second, rest = divmod(wall, SECOND)
        known, text = self._second
        if second != known:
            text = to_datetime(second * SECOND).isoformat(timespec="seconds")[: -len("+00:00")]
            self._second = (second, text)
        return f"{text}.{rest:06d}+00:00"
