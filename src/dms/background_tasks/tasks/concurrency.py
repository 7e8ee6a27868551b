"""Concurrency: what tasks say that must not all run at once, such as those that use one disk, or one server."""

import re

import msgspec
from msgspec.structs import force_setattr

from dms.errors import InvalidDuration, InvalidTask
from dms.instant import duration_text, microseconds

MOST_STARTS = 1_000
"""The greatest number of starts that a rate counts."""

_RATE = re.compile(r"\s*(\d{1,7})\s*/\s*(\S.*?)\s*").fullmatch
_UNITS = frozenset({"us", "ms", "s", "m", "h", "d", "w"})


class Concurrency(msgspec.Struct, frozen=True):
    """Tasks with the same `key` share what it says: at most `limit` of them run at once, and no more of them start than
    the `rate` lets, such as "5/m" (within any minute at most 5) or "1/10s". Without `limit` one runs at a time, or,
    where there is a `rate`, as many as that lets start. InvalidTask names the field that can't be.

    >>> Concurrency("printer")
    Concurrency(key='printer', limit=1, rate=None)
    >>> Concurrency("weather service", rate="60/1h").pace
    (60, 3600000000)
    """

    key: str
    limit: int | None = None
    rate: str | None = None

    def __post_init__(self) -> None:
        """Check and normalise each field."""
        if not isinstance(self.key, str) or not 1 <= len(self.key) <= 100 or not self.key.isprintable():
            raise InvalidTask(f"concurrency.key: {self.key!r} is not a name of 1 to 100 printable characters")
        if self.limit is None and self.rate is None:
            force_setattr(self, "limit", 1)
        limit = self.limit
        if limit is not None and (not isinstance(limit, int) or isinstance(limit, bool) or not 1 <= limit <= 1_000_000):
            raise InvalidTask(f"concurrency.limit: {limit!r} is not a whole number from 1 to 1000000")
        if self.rate is not None:
            count, length = _read(self.rate)
            text = duration_text(length)
            force_setattr(self, "rate", f"{count}/{text[1:] if text[:1] == '1' and text[1:] in _UNITS else text}")

    @property
    def pace(self) -> tuple[int, int] | None:
        """How many starts within how many microseconds; None where there is no rate."""
        return None if self.rate is None else _read(self.rate)

    def contradiction(self, other: "Concurrency") -> str:
        """What differs from another one of the same key, as `field: value`; empty where nothing does."""
        if self.limit != other.limit:
            return f"limit: {_told(self.limit)} contradicts {_told(other.limit)}"
        return "" if self.rate == other.rate else f"rate: {_told(self.rate)} contradicts {_told(other.rate)}"


def _told(value: object) -> str:
    return "none" if value is None else str(value)


def _read(rate: object) -> tuple[int, int]:
    found = _RATE(rate) if isinstance(rate, str) else None
    try:
        count = 0 if found is None else int(found[1])
        length = 0 if found is None else microseconds(("1" if found[2] in _UNITS else "") + found[2])
    except InvalidDuration:
        count = length = 0
    if not length or not 1 <= count <= MOST_STARTS:
        raise InvalidTask(
            f"concurrency.rate: {rate!r} is not a number of starts from 1 to {MOST_STARTS} in a length of time, such as"
            " 5/m, 60/h or 1/10s"
        )
    return count, length
