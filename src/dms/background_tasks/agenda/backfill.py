"""Which fires an operator's backfill runs. Pure."""

from collections.abc import Sequence

from dms.background_tasks.agenda.agenda import MOST_BACKFILLED
from dms.background_tasks.times.bounds import excluded_by
from dms.background_tasks.times.timetable import Timetable
from dms.background_tasks.triggers.exclusion import Exclusion
from dms.errors import InvalidInput
from dms.instant import Instant, rfc3339


def past_fires(
    timetables: Sequence[Timetable], start: int, end: int, now: Instant, exclusion: Exclusion | None = None
) -> list[int]:
    """The wall times in [start, end) at which any of the timetables came or would have come, each once, oldest first;
    without those that calendars leave out.
    InvalidInput where the span is none, is not over yet, or holds more than can be taken on at once."""
    if start >= end:
        raise InvalidInput(f"since: {rfc3339(start)} does not lie before {rfc3339(end)}")
    if end > now.wall:
        raise InvalidInput(f"until: {rfc3339(end)} lies ahead; what is to come comes by itself")
    most = MOST_BACKFILLED + 1
    found = sorted({due for timetable in timetables for due in timetable.between(start, end, most, now)})
    if len(found) >= most:
        raise InvalidInput(
            f"until: more than {MOST_BACKFILLED} fires lie before it; take them in pieces, the first until"
            f" {rfc3339(found[MOST_BACKFILLED])}"
        )
    if exclusion is None or not any(timetable.bounds for timetable in timetables):
        return found
    return [due for due in found if not excluded_by(timetables, due, exclusion)]
