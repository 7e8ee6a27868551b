"""Channel: where a program puts events for the one task that listens to it."""

from collections import deque
from collections.abc import Callable
from itertools import count
from threading import RLock
from typing import Any

_numbers = count(1)


class Channel:
    """Events from a program's own code to the tasks with `EventTrigger(channel)`. Any thread may send.

    What is sent while no scheduler listens is kept, the latest `limit` of it; `dropped` counts the rest.
    """

    def __init__(self, limit: int = 1000) -> None:
        self.topic = f"channel.{next(_numbers)}"
        self.dropped = 0
        self._early: deque[Any] = deque(maxlen=limit)
        self._emits: list[Callable[[str, Any], None]] = []
        self._lock = RLock()  # what listens may send on its part

    def send(self, payload: Any = None) -> None:
        """An event has happened; `payload` reaches the run as `run.event.payload`."""
        with self._lock:
            emits = list(self._emits)
            if not emits:
                self.dropped += len(self._early) == self._early.maxlen
                self._early.append(payload)
        for emit in emits:
            emit(self.topic, payload)

    def connect(self, emit: Callable[[str, Any], None]) -> None:
        """Hand everything that is sent, and first what was sent before, to `emit(topic, payload)`."""
        with self._lock:
            while self._early:
                emit(self.topic, self._early.popleft())
            if emit not in self._emits:
                self._emits.append(emit)

    def disconnect(self, emit: Callable[[str, Any], None]) -> None:
        """Hand nothing more to `emit`."""
        with self._lock:
            if emit in self._emits:
                self._emits.remove(emit)
