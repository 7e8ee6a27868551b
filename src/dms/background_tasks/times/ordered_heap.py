"""A heap of what mostly comes in order. Pure.

Whatever is no less than all before it lies in a row, to whose end it is added and from whose front it is taken, at a
cost that does not grow; only the rest lies in a heap.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from heapq import heapify, heappop, heappush
from typing import Any, Generic, TypeVar

Item = TypeVar("Item", bound=tuple[Any, ...])


class OrderedHeap(Generic[Item]):
    """Items by size, the least first. Items are tuples of which no two are equal up to a place that can be compared."""

    __slots__ = ("_heap", "_row")

    def __init__(self) -> None:
        self._row: deque[Item] = deque()
        self._heap: list[Item] = []

    def push(self, item: Item) -> None:
        """Add an item."""
        row = self._row
        if not row or row[-1] < item:
            row.append(item)
        else:
            heappush(self._heap, item)

    def first(self) -> Item | None:
        """The least; None where there is none."""
        row, heap = self._row, self._heap
        if heap and (not row or heap[0] < row[0]):
            return heap[0]
        return row[0] if row else None

    def pop(self) -> Item | None:
        """Take the least out; None where there is none."""
        row, heap = self._row, self._heap
        if heap and (not row or heap[0] < row[0]):
            return heappop(heap)
        return row.popleft() if row else None

    def pop_until(self, limit: int) -> Item | None:
        """Take the least out where its first element is at most `limit`; else None."""
        row, heap = self._row, self._heap
        if heap and (not row or heap[0] < row[0]):
            return heappop(heap) if heap[0][0] <= limit else None
        return row.popleft() if row and row[0][0] <= limit else None

    def keep(self, wanted: Callable[[Item], bool]) -> None:
        """Drop all items that are not wanted."""
        self._row = deque(filter(wanted, self._row))
        self._heap = list(filter(wanted, self._heap))
        heapify(self._heap)

    def fill(self, items: Iterable[Item]) -> None:
        """Hold these and no others."""
        self._row, self._heap = deque(sorted(items)), []

    def items(self) -> list[Item]:
        """All of them, in no order. Any thread may ask."""
        return [*self._row, *self._heap]

    def __iter__(self) -> Iterator[Item]:
        yield from self._row
        yield from self._heap

    def __len__(self) -> int:
        return len(self._row) + len(self._heap)
