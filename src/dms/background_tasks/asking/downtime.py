"""When no process lived, as far as the lives of processes tell. Pure."""

from collections.abc import Sequence
from itertools import pairwise

import msgspec

from dms.background_tasks.store import Life


class Downtime(msgspec.Struct, frozen=True):
    """From when until when (wall microseconds) nothing was heard of a process, and whether there certainly was none."""

    since: int
    until: int
    certain: bool


def downtimes(lives: Sequence[Life], since: int, until: int) -> list[Downtime]:
    """The times between lives that follow each other and overlap with [since, until), oldest first. Only of one that
    stopped by itself is it certain when it ended: one that was killed may have had nothing to save for long before."""
    return [
        Downtime(before.seen, after.began, before.stopped and after.start == before.start + 1)
        for before, after in pairwise(lives)
        if before.seen < after.began and before.seen < until and after.began > since
    ]
