"""From an outcome to "again at" or "give up"."""

from datetime import timedelta
from enum import StrEnum

import msgspec
from msgspec.structs import force_setattr

from dms.errors import InvalidTask
from dms.instant import microseconds, parse_duration

_LONGEST_EXPONENT = 63


class Backoff(StrEnum):
    """How the wait grows from retry to retry."""

    FIXED = "fixed"
    EXPONENTIAL = "exponential"


class RetryPolicy(msgspec.Struct, frozen=True):
    """How often and how soon a failed attempt is tried again.

    `max_retries` counts the attempts after the first; 0 never retries. The n-th retry waits `delay`, or with
    `backoff="exponential"` `delay * factor ** (n - 1)`, at most `max_delay`. Lengths of time may be given as text
    ("30s"), seconds or `timedelta`. InvalidTask or InvalidDuration names a field that can't be.

    >>> RetryPolicy(max_retries=3, delay="10s", backoff="exponential").wait_before_retry(3)
    40000000
    """

    max_retries: int = 0
    delay: timedelta | str | float = timedelta(seconds=10)
    backoff: Backoff | str = Backoff.FIXED
    factor: float = 2.0
    max_delay: timedelta | str | float = timedelta(hours=1)

    def __post_init__(self) -> None:
        """Check and normalise each field."""
        if not isinstance(self.max_retries, int) or isinstance(self.max_retries, bool) or self.max_retries < 0:
            raise InvalidTask(f"retry.max_retries: {self.max_retries!r} is not a whole number of 0 or more")
        if not isinstance(self.factor, (int, float)) or not 1 <= self.factor <= 1000:
            raise InvalidTask(f"retry.factor: {self.factor!r} is not a number from 1 to 1000")
        try:
            force_setattr(self, "backoff", Backoff(self.backoff))
        except ValueError:
            raise InvalidTask(f"retry.backoff: {self.backoff!r} is neither fixed nor exponential") from None
        force_setattr(self, "delay", parse_duration(self.delay, "retry.delay"))
        force_setattr(self, "max_delay", parse_duration(self.max_delay, "retry.max_delay"))

    def wait_before_retry(self, retry: int) -> int | None:
        """Microseconds to wait before the n-th retry (from 1), or None where that many are not allowed."""
        if retry > self.max_retries:
            return None
        delay = microseconds(self.delay)
        if self.backoff is Backoff.FIXED:
            return delay
        growth = self.factor ** min(retry - 1, _LONGEST_EXPONENT)
        return round(min(delay * growth, microseconds(self.max_delay)))


NO_RETRY = RetryPolicy()
