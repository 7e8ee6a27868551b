"""Outbox: what waits to be sent somewhere, bounded, with a count of what was lost."""

import threading
from collections import deque
from collections.abc import Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Outbox(Generic[Item]):
    """The oldest first; where there is no room, the oldest goes and is counted. For any number of threads that put, and
    one that takes."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._items: deque[Item] = deque()
        self._lock = threading.Lock()
        self._taken = 0
        self.lost = 0

    def put(self, item: Item) -> int:
        """One more; gives how many wait now."""
        with self._lock:
            self._items.append(item)
            self._keep_bound()
            return len(self._items)

    def take(self, count: int) -> Sequence[Item]:
        """The oldest, at most so many, to be sent now. What becomes of them must be told by the calls below."""
        with self._lock:
            taken = [self._items.popleft() for _ in range(min(count, len(self._items)))]
            self._taken = len(taken)
            return taken

    def sent(self) -> None:
        """What was taken has arrived."""
        with self._lock:
            self._taken = 0

    def refused(self) -> None:
        """What was taken is not wanted, and lost."""
        with self._lock:
            self.lost += self._taken
            self._taken = 0

    def give_back(self, taken: Sequence[Item]) -> None:
        """What was taken could not be sent; it is the oldest again."""
        with self._lock:
            self._taken = 0
            self._items.extendleft(reversed(taken))
            self._keep_bound()

    def left(self) -> int:
        """How many were put and have neither arrived nor been lost."""
        with self._lock:
            return len(self._items) + self._taken

    def _keep_bound(self) -> None:
        while len(self._items) > self._most:
            self._items.popleft()
            self.lost += 1
