"""Who waits for a gate: for the network, for mains power, for whatever else must be so before a fire runs. Pure.

An attempt whose task names gates waits until all of them are open, then for a slot, and where one has closed when its
turn comes, for that again. Gates are asked about only while somebody waits for them; what was known before counts no
more.
"""

from collections.abc import Callable, Iterable, Mapping

from dms.background_tasks.agenda.decision import AskGate, Attempt, Decision, LeaveGate
from dms.instant import Instant


class Holding:
    """Attempts by the gates that they wait for. `go_on` is called with one whose gates have all opened; what is to be
    asked is added to `decisions`."""

    def __init__(self, decisions: list[Decision], go_on: Callable[[Attempt, Instant], None]) -> None:
        self._decisions, self._go_on = decisions, go_on
        self._waiting: dict[str, dict[Attempt, None]] = {}
        self._open: dict[str, bool] = {}
        self._let_through: set[Attempt] = set()

    def passes(self, attempt: Attempt) -> bool:
        """Whether all its gates are open; until `leave` it is told when they are."""
        for gate in attempt.task.hold_until:
            self._wait_at(gate, attempt)
        if self._closed(attempt):
            self._let_through.discard(attempt)
            return False
        self._let_through.add(attempt)
        return True

    def _wait_at(self, gate: str, attempt: Attempt) -> None:
        waiting = self._waiting.get(gate)
        if waiting is None:
            waiting = self._waiting[gate] = {}
            self._decisions.append(AskGate(gate))
        waiting[attempt] = None

    def _closed(self, attempt: Attempt) -> list[str]:
        return [gate for gate in attempt.task.hold_until if not self._open.get(gate)]

    def observe(self, conditions: Mapping[str, bool], now: Instant) -> None:
        """Gates are open, or are not."""
        for gate, is_open in conditions.items():
            if gate in self._waiting and self._open.get(gate) != is_open:
                self._open[gate] = is_open
                self._let_go(self._waiting[gate] if is_open else (), now)

    def _let_go(self, waiting: Iterable[Attempt], now: Instant) -> None:
        for attempt in [each for each in waiting if each not in self._let_through]:
            if self.passes(attempt):
                self._go_on(attempt, now)

    def leave(self, attempt: Attempt) -> None:
        """It waits here no more: it starts, or is over."""
        self._let_through.discard(attempt)
        for gate in attempt.task.hold_until:
            waiting = self._waiting.get(gate, {})
            waiting.pop(attempt, None)
            if not waiting and gate in self._waiting:
                del self._waiting[gate]
                self._open.pop(gate, None)
                self._decisions.append(LeaveGate(gate))

    def holds(self, attempt: Attempt) -> bool:
        """Whether it waits for a gate."""
        at = next(iter(attempt.task.hold_until), None)
        return at is not None and attempt in self._waiting.get(at, ()) and attempt not in self._let_through

    def why(self, attempt: Attempt) -> str:
        """What it waits for; empty where that is no gate. Any thread may ask."""
        return f"held until {', '.join(self._closed(attempt))}" if self.holds(attempt) else ""
