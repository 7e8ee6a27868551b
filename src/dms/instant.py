"""Time as the cores see it: a pair of readings taken together, and lengths of time.

Inside the cores a moment is a whole number of microseconds, so that nothing rounds and equal is equal.
Outside it is an aware `datetime` or a `timedelta`.
"""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Protocol

import msgspec

from dms.errors import InvalidDuration

_EXAMPLES = "a length of time such as 30s, 5m, 1h30m, 2d or 250ms"

SECOND = 1_000_000
"""Microseconds in a second."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_UNITS = {
    "us": 1,
    "ms": 1_000,
    "s": SECOND,
    "m": 60 * SECOND,
    "h": 3_600 * SECOND,
    "d": 86_400 * SECOND,
    "w": 604_800 * SECOND,
}
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(us|ms|[smhdw])\s*")
_LONGEST = 100 * 366 * 86_400 * SECOND


class Instant(msgspec.Struct, frozen=True, gc=False):
    """Both clocks, read together: `wall` is microseconds since 1970 in UTC, `boot` microseconds since the
    machine's start, suspended time included. Calendars follow `wall`; intervals, delays and deadlines `boot`.
    `trusted` is whether the wall clock is known to be right: what was read before is set right once it is."""

    wall: int
    boot: int
    trusted: bool = True

    def ahead(self, microseconds: int) -> "Instant":
        """The instant that lies so far ahead on both clocks."""
        return Instant(self.wall + microseconds, self.boot + microseconds, self.trusted)


class Clock(Protocol):
    """Where the shells get the time from; `dms.clock.SystemClock` is the real one."""

    def now(self) -> Instant:
        """Both clocks, now."""
        ...


def to_datetime(wall: int) -> datetime:
    """Microseconds since 1970 as an aware `datetime` in UTC.

    >>> to_datetime(1_000_000).isoformat()
    '1970-01-01T00:00:01+00:00'
    """
    return _EPOCH + timedelta(microseconds=wall)


def from_datetime(moment: datetime) -> int:
    """An aware `datetime` as microseconds since 1970. ValueError without an offset: it would mean another
    moment on another machine."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} has no UTC offset; give one, such as {moment.isoformat()}+00:00")
    return (moment - _EPOCH) // _MICROSECOND


def rfc3339(wall: int | None) -> str | None:
    """A moment for people and programs outside, RFC 3339 with offset, or None where there is none.

    >>> rfc3339(1_500_000)
    '1970-01-01T00:00:01.500000+00:00'
    """
    return None if wall is None else to_datetime(wall).isoformat(timespec="microseconds")


def parse_duration(given: "str | timedelta | float", what: str = "duration") -> timedelta:
    """A length of time from `"1h30m"`, a number of seconds or a `timedelta`; never negative.

    InvalidDuration names `what` was given wrongly.

    >>> parse_duration("1h30m")
    datetime.timedelta(seconds=5400)
    >>> parse_duration("5 parsecs")
    Traceback (most recent call last):
    dms.errors.InvalidDuration: duration: '5 parsecs' is not a length of time such as 30s, 5m, 1h30m, 2d or 250ms
    """
    return timedelta(microseconds=microseconds(given, what))


def microseconds(given: "str | timedelta | float", what: str = "duration") -> int:
    """What `parse_duration` reads, as whole microseconds."""
    try:
        return _length(given)
    except InvalidDuration as error:
        raise InvalidDuration(f"{what}: {error}") from None
    except TypeError:  # not even hashable
        raise InvalidDuration(f"{what}: {given!r} is not {_EXAMPLES}") from None


@lru_cache(maxsize=1000, typed=True)
def _length(given: "str | timedelta | float") -> int:
    """Read once: a hundred thousand tasks go by a handful of lengths."""
    length = _read(given)
    if length < 0:
        raise InvalidDuration(f"{given!r} is negative; a length of time is 0 or more")
    if length > _LONGEST:
        raise InvalidDuration(f"{given!r} is longer than a hundred years")
    return length


def _read(given: "str | timedelta | float") -> int:
    if isinstance(given, timedelta):
        return given // _MICROSECOND
    if isinstance(given, str):
        return _read_text(given)
    if isinstance(given, (int, float)) and not isinstance(given, bool) and -1e12 < given < 1e12:
        return round(given * SECOND)
    raise InvalidDuration(f"{given!r} is not {_EXAMPLES}")


def _read_text(text: str) -> int:
    total, at, stripped = 0.0, 0, text.strip()
    while at < len(stripped):
        part = _PART.match(stripped, at)
        if not part:
            break
        total += float(part[1]) * _UNITS[part[2]]
        at = part.end()
    if not stripped or at < len(stripped) or total > 1e18:
        raise InvalidDuration(f"{text!r} is not {_EXAMPLES}")
    return round(total)


def duration_text(length: timedelta | int) -> str:
    """A length of time as the configuration spells it; an int is microseconds.

    >>> duration_text(timedelta(minutes=90))
    '1h30m'
    >>> duration_text(timedelta(0))
    '0s'
    """
    rest = length if isinstance(length, int) else length // _MICROSECOND
    parts = []
    for unit in ("d", "h", "m", "s", "ms", "us"):
        count, rest = divmod(rest, _UNITS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
