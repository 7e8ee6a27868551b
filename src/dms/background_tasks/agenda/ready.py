"""Who runs next: the attempts that wait for a slot, the most urgent first, and none starves. Pure.

A waiting attempt gains one step of priority each `aging_quantum`. So of two, the one goes first that has the smaller
`ready + priority * aging_quantum`, and that never changes while they wait: an attempt of priority p that has become
ready at t is overtaken only by those of a more urgent priority q that become ready before t + (p - q) * aging_quantum.
"""

from dms.background_tasks.agenda.decision import Attempt
from dms.background_tasks.times.ordered_heap import OrderedHeap

_KEPT = 64


class Line:
    """Attempts that wait, in the order of their turns. What is over before its turn is left where it is and passed
    over; once that may be half of all, it is cleared away."""

    __slots__ = ("_clear_at", "_order", "_quantum", "_waiting")

    def __init__(self, aging_quantum: int) -> None:
        self._quantum = aging_quantum
        self._waiting: OrderedHeap[tuple[int, int, int, Attempt]] = OrderedHeap()
        self._order = 0
        self._clear_at = _KEPT

    def wait(self, attempt: Attempt) -> None:
        """It is `ready` and waits for its turn. Equal ones: first due, first."""
        self._order += 1
        self._waiting.push((self._key(attempt), attempt.due, self._order, attempt))
        if len(self._waiting) > self._clear_at:
            self._waiting.keep(_waits)
            self._clear_at = 2 * len(self._waiting) + _KEPT

    def _key(self, attempt: Attempt) -> int:
        return attempt.ready + attempt.task.priority * self._quantum

    def take(self) -> Attempt | None:
        """The one whose turn it is; it waits here no more."""
        while (item := self._waiting.pop()) is not None:
            if not item[3].over:
                return item[3]
        return None

    def take_out(self, attempt: Attempt) -> bool:
        """It waits here no more, whether it was its turn or not; False where it did not. Takes as long as there are
        others."""
        before = len(self._waiting)
        self._waiting.keep(lambda item: item[3] is not attempt)
        return len(self._waiting) < before

    def age_by(self, quantum: int) -> None:
        """From now on one step of priority is worth so many microseconds, for those that wait already too."""
        self._quantum = quantum
        self._waiting.fill([(self._key(attempt), due, order, attempt) for _, due, order, attempt in self._waiting])

    def waiting(self) -> list[Attempt]:
        """Those that wait, in the order of their turns."""
        return [item[3] for item in sorted(self._waiting) if not item[3].over]

    def ahead_of(self, attempt: Attempt) -> int:
        """How many go before it. Takes as long as there are others; any thread may ask."""
        items = self._waiting.items()
        its = next((item for item in items if item[3] is attempt), None)
        return 0 if its is None else sum(item < its and not item[3].over for item in items)


class Slots(Line):
    """So many attempts at once, and those that wait for one of the slots."""

    __slots__ = ("free", "size")

    def __init__(self, size: int, aging_quantum: int) -> None:
        super().__init__(aging_quantum)
        self.size = self.free = size

    def next(self) -> Attempt | None:
        """The attempt that takes a free slot now, where there are both; it has the slot then."""
        while self.free > 0 and (item := self._waiting.pop()) is not None:
            attempt = item[3]
            if not attempt.over:
                self.free -= 1
                return attempt
        return None

    def resize(self, size: int) -> None:
        """So many from now on. Nothing that runs is cut: where more run than there are slots, none is free until enough
        of them have ended."""
        self.free += size - self.size
        self.size = size

    def release(self) -> None:
        """A slot is free again."""
        self.free += 1

    @property
    def running(self) -> int:
        """How many slots are taken."""
        return self.size - self.free


def _waits(item: tuple[int, int, int, Attempt]) -> bool:
    return not item[3].over
