"""A third party's trigger as a calendar: it is asked step by step, so no more than a thousand of its times are counted.
Pure."""

from collections.abc import Callable
from datetime import datetime, tzinfo
from typing import Any, TypeVar

from dms.instant import SECOND, from_datetime, to_datetime

T = TypeVar("T")

Ask = Callable[[Callable[[], Any]], Any]
"""Makes a call and gives what it gives; TimeoutError where that takes too long."""

_COUNTED = 1_000


def ask_here(call: Callable[[], T]) -> T:
    """Make the call, and wait for it."""
    return call()


class AskedCalendar:
    """What a third party's `next_after(datetime)` answers, as wall microseconds. A fault of it means that nothing comes
    any more, and is told by `error`. One that does not answer in time, which `ask` tells, is not asked again."""

    __slots__ = ("_ask", "_silent", "error", "next_time", "zone")

    def __init__(self, next_time: Callable[[datetime], datetime | None], zone: tzinfo, ask: Ask = ask_here) -> None:
        self.next_time, self.zone, self._ask = next_time, zone, ask
        self.error, self._silent = "", False

    def next_after(self, wall: int) -> int | None:
        """What it answers, where that lies after `wall`."""
        return self._in_time(lambda: self._next(wall), None)

    def latest(self, after: int, until: int) -> int | None:
        """The last time in (after, until], looked for from the end in steps that double."""
        return self._in_time(lambda: self._latest(after, until), None)

    def count(self, after: int, until: int) -> int:
        """How many were found."""
        return self._in_time(lambda: len(self._walk(after, until)), 0)

    def _in_time(self, work: Callable[[], T], otherwise: T) -> T:
        """The answer to as many questions as it takes."""
        if self._silent:
            return otherwise
        try:
            answer: T = self._ask(work)
            return answer
        except TimeoutError as error:
            self._silent, self.error = True, f"its next_after gave {error}, and is not asked again"
            return otherwise

    def _next(self, wall: int) -> int | None:
        try:
            found: object = self.next_time(to_datetime(wall).astimezone(self.zone))
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - a third party's fault, SystemExit too, must not end the agenda
            self.error = f"its next_after raised {type(error).__name__}: {error}"
            return None
        if found is None:
            return None
        if not isinstance(found, datetime) or found.tzinfo is None:
            self.error = f"its next_after gave {found!r}, which is no datetime with a UTC offset"
            return None
        due = from_datetime(found)
        return due if due > wall else None

    def _walk(self, after: int, until: int) -> list[int]:
        found: list[int] = []
        due = self._next(after)
        while due is not None and due <= until and len(found) < _COUNTED:
            found.append(due)
            due = self._next(due)
        return found

    def _latest(self, after: int, until: int) -> int | None:
        step, found = SECOND, None
        while found is None and until - step > after:
            found = self._until(until - step, until)
            step *= 2
        first = self._until(after, until) if found is None else found
        return first if first is None else (self._walk(first, until) or [first])[-1]

    def _until(self, after: int, until: int) -> int | None:
        due = self._next(after)
        return due if due is not None and due <= until else None
