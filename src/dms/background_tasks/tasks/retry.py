"""From an outcome to "again at" or "give up"."""

import re
from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum
from zlib import crc32

import msgspec
from msgspec.structs import force_setattr

from dms.errors import InvalidTask
from dms.instant import microseconds, parse_duration

_LONGEST_EXPONENT = 63
_USUAL_FACTOR = 2.0
_USUAL_MAX_DELAY = timedelta(hours=1)
_IS_NAME = re.compile(
    r"exit \d{1,3}|signal \d{1,2}|limit (?:memory|cpu_time|output)|[^\W\d]\w*(\.[^\W\d]\w*)*"
).fullmatch


class Backoff(StrEnum):
    """How the wait grows from retry to retry."""

    FIXED = "fixed"
    EXPONENTIAL = "exponential"


RETRY = "retry"
"""The cause of an attempt that its policy wants."""

RETRY_LATER = "retry_later"
"""The cause of one for which the function asked itself."""


class RetryLater(Exception):
    """Raised by a task's function: not now, try again after `delay`. It is obeyed whatever the policy says, and uses up
    none of its retries. InvalidDuration where the delay can't be.

    >>> RetryLater("5m", "the printer is busy").delay
    300000000
    """

    def __init__(self, delay: timedelta | str | float, reason: str = "") -> None:
        super().__init__(reason or "it asked to be tried again later")
        self.delay = microseconds(delay, "RetryLater.delay")


class GiveUp(Exception):
    """Raised by a task's function: it failed, and trying again is useless, whatever the policy says."""


class RetryPolicy(msgspec.Struct, frozen=True):
    """How often and how soon a failed attempt is tried again.

    `max_retries` counts the attempts after the first; 0 never retries. The n-th retry waits `delay`, or with
    `backoff="exponential"` `delay * factor ** (n - 1)`, at most `max_delay`, and up to `jitter` more, a share that is
    the same whenever it is asked for. Lengths of time may be given as text ("30s"), seconds or `timedelta`.

    The next fire of the task takes the place of a retry that waits; with `supersede=False` both come.

    Only failures of `retry_on` (none: all of them) and not of `give_up_on` are tried again: exceptions by class or by
    name (`ConnectionError`, `package.module.Error`; subclasses are meant too, and a timeout is a `TimeoutError`), and
    for programs `exit 75` or `signal 9`. InvalidTask or InvalidDuration names a field that can't be.

    >>> RetryPolicy(max_retries=3, delay="10s", backoff="exponential").wait_before_retry(3)
    40000000
    """

    max_retries: int = 0
    delay: timedelta | str | float = timedelta(seconds=10)
    backoff: Backoff | str = Backoff.FIXED
    factor: float = _USUAL_FACTOR
    max_delay: timedelta | str | float = _USUAL_MAX_DELAY
    jitter: timedelta | str | float = timedelta(0)
    retry_on: Sequence[type[BaseException] | str] = ()
    give_up_on: Sequence[type[BaseException] | str] = ()
    supersede: bool = True

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
        if not isinstance(self.supersede, bool):
            raise InvalidTask(f"retry.supersede: {self.supersede!r} is neither true nor false")
        force_setattr(self, "jitter", parse_duration(self.jitter, "retry.jitter"))
        force_setattr(self, "retry_on", _names(self.retry_on, "retry.retry_on"))
        force_setattr(self, "give_up_on", _names(self.give_up_on, "retry.give_up_on"))
        self._check_together()

    def _check_together(self) -> None:
        if self.backoff is Backoff.FIXED and self.factor != _USUAL_FACTOR:
            raise InvalidTask("retry.factor: a fixed wait does not grow; it needs backoff: exponential")
        if self.backoff is Backoff.FIXED and self.max_delay != _USUAL_MAX_DELAY:
            raise InvalidTask("retry.max_delay: a fixed wait does not grow; it needs backoff: exponential")
        both = set(self.retry_on) & set(self.give_up_on)
        if both:
            raise InvalidTask(f"retry.give_up_on: {min(map(str, both))} is in retry_on too; say one of the two")

    def check_raising(self) -> None:
        """InvalidTask where it names how a process ends: a function in a thread or coroutine has none of its own."""
        for field in ("retry_on", "give_up_on"):
            for name in getattr(self, field):
                if " " in name:
                    raise InvalidTask(
                        f"retry.{field}: {name!r} is how a program or a process ends; a function in a thread or"
                        " coroutine raises: name an exception, or give the task executor: process"
                    )

    def wait_before_retry(self, retry: int, kinds: Sequence[str] = (), run_id: str = "") -> int | None:
        """Microseconds to wait before the n-th retry (from 1) of a run that failed with an error of these kinds; None
        where it is not to be tried again."""
        if retry > self.max_retries or not self._is_meant(kinds):
            return None
        return self._delay(retry) + _share(microseconds(self.jitter), f"{run_id} {retry}")

    def longest_wait(self, retry: int) -> int:
        """Microseconds that the wait before the n-th retry can be at most."""
        return self._delay(retry) + microseconds(self.jitter)

    def _delay(self, retry: int) -> int:
        delay = microseconds(self.delay)
        if self.backoff is Backoff.FIXED:
            return delay
        growth = self.factor ** min(retry - 1, _LONGEST_EXPONENT)
        return round(min(delay * growth, microseconds(self.max_delay)))

    def _is_meant(self, kinds: Sequence[str]) -> bool:
        return not _hit(self.give_up_on, kinds) and (not self.retry_on or _hit(self.retry_on, kinds))


def kinds_of(error: BaseException) -> tuple[str, ...]:
    """What an error is, by the full names of its class and of all that this is a kind of."""
    return tuple(map(_full_name, type(error).__mro__[:-1]))


def _full_name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _names(given: Sequence[type[BaseException] | str], field: str) -> tuple[str, ...]:
    names = given if isinstance(given, (list, tuple)) else [given]
    return tuple(_name(each, field) for each in names)


def _name(given: object, field: str) -> str:
    if isinstance(given, type) and issubclass(given, BaseException):
        return _full_name(given)
    if isinstance(given, str) and _IS_NAME(given):
        return given
    raise InvalidTask(
        f"{field}: {given!r} names no failure; give an exception's class or name, such as ConnectionError, or for a "
        "program 'exit 75' or 'signal 9'"
    )


def _hit(names: Sequence[object], kinds: Sequence[str]) -> bool:
    """Whether one of the names is that of a kind, in full or by its last part."""
    return any(name in (kind, kind.rpartition(".")[2]) for name in names for kind in kinds)


def _share(jitter: int, of: str) -> int:
    """A share of the jitter that is the same on every day and machine."""
    return crc32(of.encode()) * jitter >> 32


NO_RETRY = RetryPolicy()
