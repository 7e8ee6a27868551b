"""Events that come in a burst and are to be one fire: gathered until it has been quiet for a while. Pure.

However many come, three things are kept: the first, the latest, and how many they were.
"""

from msgspec.structs import replace

from dms.background_tasks.tasks.task import Event
from dms.background_tasks.triggers.event_trigger import EventTrigger


class Gathering:
    """What is gathered for one trigger with `debounce`. `due` is the boot time at which it is quiet for long enough, or
    has lasted for long enough, as far as is known by now; None while nothing has come."""

    __slots__ = ("_count", "_first", "_last", "_longest", "_quiet", "due", "trigger")

    def __init__(self, trigger: EventTrigger) -> None:
        self.trigger = trigger
        self._quiet, self._longest = trigger.debounce or 0, trigger.max_wait
        self.due: int | None = None

    def add(self, event: Event, boot: int) -> None:
        """Another one has come."""
        if self.due is None:
            self._first, self._count = (event, boot), 0
        self._last, self._count = event, self._count + 1
        self.due = boot + self._quiet
        if self._longest is not None:
            self.due = min(self.due, self._first[1] + self._longest)

    def take(self) -> Event:
        """The latest event, which tells of the first and of how many there were; gathering begins anew."""
        self.due = None
        return self._last if self._count == 1 else replace(self._last, count=self._count, first=self._first[0])
