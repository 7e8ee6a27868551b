"""Topic: a stream of events of which the newest are kept in a ring, and each follower reads at its own speed.

So a slow follower costs no memory: what it did not read in time has left the ring, and it is told how much it missed.
"""

import re
from collections import deque
from collections.abc import Callable, Iterable
from itertools import islice
from threading import Lock
from typing import Any

from dms.errors import CursorExpired, InvalidParameters

_CURSOR = re.compile(r"\d{1,18}-\d{1,18}", re.ASCII)

TopicEvent = dict[str, Any]
"""What a topic tells its followers: a JSON object, whose members depend on the topic."""

Wake = Callable[[], object]


class Topic:
    """A stream of events under a name. They are numbered from 1; the newest `capacity` are kept.

    `scope` is what a follower must hold, `fields` are those of an event's members that may be filtered by, and `epoch`
    tells this start of the node from others: it stands in every cursor. Every method may be called from any thread.
    """

    def __init__(self, name: str, *, scope: str, epoch: int, capacity: int = 1000, fields: Iterable[str] = ()) -> None:
        self.name = name
        self.scope = scope
        self.fields = tuple(fields)
        self._epoch = epoch
        self._ring: deque[TopicEvent] = deque(maxlen=capacity)
        self._last = 0
        self._followers: dict[object, Wake] = {}
        self._lock = Lock()

    def publish(self, event: TopicEvent) -> None:
        """Something happened: keep it and wake those who wait for it."""
        with self._lock:
            self._ring.append(event)
            self._last += 1
            followers = tuple(self._followers.values())
        for wake in followers:
            wake()

    def follow(self, wake: Wake) -> Callable[[], None]:
        """Call `wake` whenever there is something new; what is given back ends it."""
        key = object()
        with self._lock:
            self._followers[key] = wake
        return lambda: self._unfollow(key)

    def _unfollow(self, key: object) -> None:
        with self._lock:
            self._followers.pop(key, None)

    def read(self, position: int, limit: int) -> tuple[int, list[tuple[int, TopicEvent]]]:
        """How many events after `position` are gone, and at most `limit` of the following, each with its number."""
        with self._lock:
            oldest = self._last - len(self._ring) + 1
            first = max(position + 1, oldest)
            events = list(islice(self._ring, first - oldest, first - oldest + limit))
        return first - position - 1, list(enumerate(events, first))

    def tail(self, limit: int) -> tuple[str, list[TopicEvent]]:
        """The newest events, oldest first, and the cursor from which a follower goes on."""
        with self._lock:
            events = list(islice(self._ring, max(0, len(self._ring) - limit), None))
            return self.cursor(self._last), events

    def cursor(self, position: int) -> str:
        """A place in the stream, as followers are told it."""
        return f"{self._epoch}-{position}"

    def position(self, cursor: str | None) -> int:
        """The place that a cursor means, None meaning now. CursorExpired where what followed it is no longer kept, or
        where it is from before the node's last start."""
        with self._lock:
            last, oldest = self._last, self._last - len(self._ring)
        if cursor is None:
            return last
        epoch, _, number = cursor.partition("-")
        if not _CURSOR.fullmatch(cursor):
            raise InvalidParameters(f"from: {cursor!r} is not a cursor that this node gave", ("from",))
        if int(epoch) != self._epoch or not oldest <= int(number) <= last:
            raise CursorExpired(f"what followed {cursor} in {self.name} is no longer kept", self.cursor(oldest))
        return int(number)
