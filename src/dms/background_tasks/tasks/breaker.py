"""Breaker: when a task that keeps failing is held back. Pure."""

from datetime import timedelta

import msgspec
from msgspec.structs import force_setattr

from dms.errors import InvalidTask
from dms.instant import parse_duration


class Breaker(msgspec.Struct, frozen=True):
    """After so many failed attempts in a row a task is paused; with `probe` (a length of time: text, seconds or
    `timedelta`) only for so long: the next fire after that is the probe, and when that fails too, it is paused again. A
    success closes the breaker, and so does whoever resumes the task. Attempts that were cancelled or interrupted do
    not count. InvalidTask or InvalidDuration names the field that can't be.

    >>> Breaker(5, probe="10m").probe
    datetime.timedelta(seconds=600)
    """

    failures: int = 5
    probe: timedelta | str | float | None = None

    def __post_init__(self) -> None:
        """Check and normalise both."""
        count = self.failures
        if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= 1_000_000:
            raise InvalidTask(f"breaker.failures: {count!r} is not a whole number from 1 to 1000000")
        if self.probe is not None:
            force_setattr(self, "probe", parse_duration(self.probe, "breaker.probe"))
            if self.probe == timedelta(0):
                raise InvalidTask("breaker.probe: 0 would never hold it back; leave it out to pause it for good")
