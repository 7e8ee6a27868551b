"""A moment as people write it, as wall microseconds. Pure."""

from datetime import datetime, tzinfo

from dms.errors import InvalidTrigger
from dms.instant import SECOND, from_datetime, to_datetime


def wall_of(given: datetime | str, what: str, zone: tzinfo | None = None) -> int:
    """An aware `datetime`, or ISO 8601 text with an offset, as wall microseconds; one without is read in `zone`.

    A local time that the clocks skip means the first instant after the gap, one that comes twice the first of both.
    InvalidTrigger, naming `what`, where it can't be read or belongs to no zone.
    """
    moment = _read(given, what)
    try:
        return from_datetime(moment) if moment.tzinfo is not None else _in_zone(moment, what, zone)
    except OverflowError:
        raise InvalidTrigger(f"{what}: {given!s} lies outside the years that a calendar has, 1 to 9999") from None


def _read(given: datetime | str, what: str) -> datetime:
    if isinstance(given, datetime):
        return given
    try:
        return datetime.fromisoformat(given)
    except (ValueError, TypeError):
        raise InvalidTrigger(f"{what}: {given!r} is not a moment such as 2026-12-24T18:00") from None


def _in_zone(moment: datetime, what: str, zone: tzinfo | None) -> int:
    if zone is None:
        raise InvalidTrigger(f"{what}: {moment.isoformat()} has neither a UTC offset nor a timezone beside it")
    local = moment.replace(tzinfo=zone, fold=0)
    due = from_datetime(local)
    if to_datetime(due).astimezone(zone).replace(tzinfo=None) == moment:
        return due
    return _end_of_gap(from_datetime(local.replace(fold=1)), due, zone)


def _end_of_gap(before: int, after: int, zone: tzinfo) -> int:
    """The instant between the two, to the second, at which the zone's offset changes."""
    offset = to_datetime(before).astimezone(zone).utcoffset()
    low, high = before // SECOND, after // SECOND
    while high - low > 1:
        middle = (low + high) // 2
        if to_datetime(middle * SECOND).astimezone(zone).utcoffset() == offset:
            low = middle
        else:
            high = middle
    return high * SECOND
