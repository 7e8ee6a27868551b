"""Times that were counted by a clock which was not trusted, and how they are set right once it is. Pure.

A device without a clock of its own wakes in 1970, or in whatever its battery has come to. Its intervals go on from
there by boot time. What was kept while the clock was trusted is kept on beside that (`Doubt.before`); once the clock is
right, it counts again, unless something has fired meanwhile: that stands for what was missed until then.
"""

from functools import lru_cache

from dms.background_tasks.store import Doubt, Mark
from dms.background_tasks.times.timetable import Timetable
from dms.instant import SECOND, Instant

OLDEST_PLAUSIBLE = 1_767_225_600_000_000
"""The beginning of 2026 (wall): this DMS was made later, so that a clock which shows an earlier moment is wrong."""


def begin(timetable: Timetable, now: Instant) -> None:
    """A timetable is new."""
    timetable.begin(now)
    timetable.doubt = _doubt(now)


def begin_again(timetable: Timetable, now: Instant, boot_id: str) -> None:
    """It has come with another definition."""
    timetable.begin_again(now, boot_id)
    timetable.doubt = _doubt(now)


def go_on(timetable: Timetable, mark: Mark, now: Instant, boot_id: str) -> None:
    """It goes on from its mark, as far as the clocks can be trusted by which that was kept and that are read now."""
    if mark.doubt is not None and now.trusted:
        _go_on_rightly(timetable, mark, mark.doubt, now, boot_id)
        return
    timetable.resume_from(mark, now, boot_id)
    if now.trusted:
        return
    if mark.boot_id == boot_id:
        timetable.doubt = mark.doubt
    elif mark.doubt is None:
        timetable.doubt = _doubt(now, mark)
    else:
        timetable.doubt = _doubt(now, mark.doubt.before, mark.doubt.fired)


def _go_on_rightly(timetable: Timetable, mark: Mark, doubt: Doubt, now: Instant, boot_id: str) -> None:
    """The clock was not trusted when the mark was kept, and now it is."""
    if mark.boot_id == boot_id:
        timetable.resume_from(mark, now, boot_id)
        timetable.doubt = doubt
        set_right(timetable, now, boot_id)
    elif doubt.before is not None and not (timetable.one_time and mark.done):
        timetable.resume_from(doubt.before, now, boot_id)
        if doubt.fired:
            timetable.miss_nothing(now)
    elif OLDEST_PLAUSIBLE <= mark.anchor <= now.wall or (timetable.one_time and mark.done):
        timetable.resume_from(mark, now, boot_id)
    else:
        timetable.begin(now)


def fired(timetable: Timetable) -> None:
    """Something has come of it while the clock was not trusted: that stands for what was missed until then."""
    doubt = timetable.doubt
    if doubt is not None and doubt.before is not None:
        timetable.doubt = Doubt(doubt.offset, doubt.before, True)


def set_right(timetable: Timetable, now: Instant, boot_id: str) -> bool:
    """The wall clock is trusted from now on, or was set by so much that what it said before was wrong; whether that
    may give the timetable another time."""
    doubt = timetable.doubt
    if doubt is None:
        return False
    timetable.doubt = _doubt(now, doubt.before, doubt.fired)
    return timetable.set_right(doubt, now, boot_id)


def _doubt(now: Instant, before: Mark | None = None, fired: bool = False) -> Doubt | None:
    """To the second: a million tasks that are added one after another share one."""
    if now.trusted:
        return None
    offset = (now.wall - now.boot) // SECOND * SECOND
    return _shared(offset) if before is None else Doubt(offset, before, fired)


_shared = lru_cache(maxsize=16)(Doubt)
