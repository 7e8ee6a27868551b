"""Where events come in: as many as the loop can look at, and no more than may wait for it."""

from collections.abc import Callable
from threading import Lock
from typing import Any

from dms.background_tasks.loop.inbox import Inbox

MOST_WAITING = 100_000
"""Messages that wait for the loop, from which on events are dropped; with small payloads some 30 MB."""


class EventInlet:
    """Puts events into the inbox, as messages `emit(receiver, topic, payload, now)`. Where too much waits there they
    are dropped, and counted; once all that waits has been looked at, `dropped(receiver, count, topic, now)` is told how
    many they were, and the topic of the last. Any thread may call it."""

    def __init__(self, inbox: Inbox[Any], emit: Callable[..., None], dropped: Callable[..., None]) -> None:
        self._inbox, self._emit, self._told = inbox, emit, dropped
        self._dropped, self._topic = 0, ""
        self._lock = Lock()

    def put(self, topic: str, payload: Any) -> None:
        """An event has happened."""
        if len(self._inbox) < MOST_WAITING:
            self._inbox.post(self._emit, topic, payload)
            return
        with self._lock:
            self._dropped, self._topic = self._dropped + 1, topic
            first = self._dropped == 1
        if first:
            self._inbox.post(self._tell)

    def _tell(self, receiver: Any, now: Any) -> None:
        with self._lock:
            count, self._dropped = self._dropped, 0
        self._told(receiver, count, self._topic, now)
