"""What is remembered of a task's fires that did not run: how many for each reason, and of the latest more. Pure.

Reasons: `missed`, `overlap`, `paused`, `limit`, `gate`, `skipped` (an operator wanted it), `excluded` (by a calendar).
"""

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from dms.background_tasks.store import Skipped

LATEST = 20
"""Of how many stretches of such fires more than their count is remembered."""


class Skips:
    """Fires that were left out one after another for one reason are one stretch of the `latest`, oldest first, until a
    run comes between."""

    __slots__ = ("_unbroken", "counts", "latest")

    def __init__(self, counts: Mapping[str, int] | None = None, latest: Sequence[Skipped] = ()) -> None:
        self.counts = dict(counts or {})
        self.latest = tuple(latest)
        self._unbroken = False

    def add(self, new: Skipped) -> None:
        """Fires that did not run."""
        self.counts[new.reason] = self.counts.get(new.reason, 0) + new.count
        before = self.latest[-1] if self._unbroken else None
        if before is not None and (before.reason, before.why, before.since) == (new.reason, new.why, new.since):
            self.latest = (*self.latest[:-1], _together(before, new))
        else:
            self.latest = (*self.latest, new)[-LATEST:]
        self._unbroken = True

    def end_stretch(self) -> None:
        """A fire has run: what is left out from now on is another stretch."""
        self._unbroken = False


def _together(before: Skipped, new: Skipped) -> Skipped:
    first, last = min(before.first, new.first), max(before.last, new.last)
    return replace(new, first=first, last=last, count=before.count + new.count)
