"""Attempts that were given up and go on all the same: their slots are free, and what they hold is lost. Pure."""

from collections import Counter
from collections.abc import Mapping

from dms.background_tasks.agenda.decision import Alert, Attempt, Decision

CODE = "abandoned"
"""The finding that tells of them."""


class Abandoned:
    """Those of them that have not ended yet, and a finding for each task that has any, among the `decisions`."""

    def __init__(self, decisions: list[Decision]) -> None:
        self._decisions = decisions
        self._task_of: dict[str, str] = {}
        self.by_task: Mapping[str, int] = {}

    def add(self, attempt: Attempt) -> None:
        """It was given up."""
        self._task_of[attempt.id] = attempt.task.name
        self._tell(attempt.task.name)

    def ended(self, execution_id: str) -> None:
        """An attempt that is over already has ended by itself."""
        task = self._task_of.pop(execution_id, None)
        if task is not None:
            self._tell(task)

    def _tell(self, task: str) -> None:
        self.by_task = Counter(self._task_of.values())  # a new one: whoever reads the last has it whole
        count = self.by_task.get(task, 0)
        self._decisions.append(Alert(CODE, task, _words(count) if count else ""))


def _words(count: int) -> str:
    runs = "a run of it that was given up goes on" if count == 1 else f"{count} runs of it that were given up go on"
    return f"{runs}: what can't be ended by force keeps its thread until it ends by itself, or with the process"
