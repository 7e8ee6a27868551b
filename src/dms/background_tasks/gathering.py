"""Events that come in a burst and are to be one fire: gathered until it has been quiet for a while. Pure.

However many come, three things are kept: the first, the latest, and how many they were.
"""

from msgspec.structs import replace

from dms.background_tasks.event_trigger import EventTrigger
from dms.background_tasks.task import Event


class Gathering:
    """What is gathered for one trigger with `debounce`. `due` is the boot time at which it is quiet for long enough, or
    has lasted for long enough, as far as is known by now; None while nothing has come."""

    __slots__ = ("_count", "_first", "_last", "_latest_end", "due", "trigger")

    def __init__(self, trigger: EventTrigger) -> None:
        self.trigger = trigger
        self._first: Event | None = None
        self._last: Event | None = None
        self._count = self._latest_end = 0
        self.due: int | None = None

    def add(self, event: Event, boot: int) -> None:
        """Another one has come."""
        debounce, max_wait = self.trigger.debounce or 0, self.trigger.max_wait
        if self.due is None:
            self._first, self._count = event, 0
            self._latest_end = boot + (max_wait or 0)
        self._last, self._count = event, self._count + 1
        quiet = boot + debounce
        self.due = quiet if max_wait is None else min(quiet, self._latest_end)

    def take(self) -> Event:
        """The latest event, which tells of the first and of how many there were; gathering begins anew."""
        assert self._last is not None
        event = self._last if self._count == 1 else replace(self._last, count=self._count, first=self._first)
        self._first = self._last = self.due = None
        return event
