"""FakeClock: time that moves only when a test says so."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from dms.instant import Instant, from_datetime, microseconds

_STARTED_AT = 1_000_000_000


class FakeClock:
    """Both clocks, turned by hand; give it to `Scheduler(clock=…)` and set `woken` to `scheduler.wake`: it is called
    before and after each change, so that the scheduler does what was asked for until then at the old time, and what
    comes due by the change at once.

    >>> clock = FakeClock(datetime(2026, 3, 29, tzinfo=UTC))
    >>> before = clock.now()
    >>> clock.advance("90s")
    >>> clock.now().boot - before.boot
    90000000
    """

    def __init__(self, wall: datetime | None = None) -> None:
        start = wall or datetime(2026, 1, 1, tzinfo=UTC)
        self._now = Instant(from_datetime(start), _STARTED_AT)
        self.woken: Callable[[], None] = lambda: None

    def now(self) -> Instant:
        """Both clocks, as they were last turned."""
        return self._now

    def advance(self, length: timedelta | str | float) -> None:
        """Time goes by, on both clocks."""
        self._turn(self._now.ahead(microseconds(length, "advance")))

    def set_wall(self, wall: datetime) -> None:
        """Somebody sets the wall clock; boot time goes on as it was."""
        self._turn(Instant(from_datetime(wall), self._now.boot, self._now.trusted))

    def trust(self, trusted: bool) -> None:
        """From now on the wall clock is known to be right, or is not, as on a device that has not asked for the time
        yet. At the beginning it is."""
        self._turn(Instant(self._now.wall, self._now.boot, trusted))

    def _turn(self, now: Instant) -> None:
        self.woken()
        self._now = now
        self.woken()
