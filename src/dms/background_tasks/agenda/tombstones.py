"""What stays of one-time tasks that are over, so that they don't run again when their program adds them again. Pure.

Only so many stay: of those beyond that the ones go that have not been added again for the longest time.
"""

from collections.abc import Iterable, Iterator

from dms.background_tasks.store import StoredTask

MOST = 5_000
"""One-time tasks that are over and are remembered; some hundred bytes each."""


class Tombstones:
    """The names of the tasks that are over, with their IDs, the longest forgotten first."""

    __slots__ = ("_ids", "_most")

    def __init__(self, tasks: Iterable[StoredTask] = (), most: int | None = None) -> None:
        over = [task for task in tasks if task.state.finished is not None]
        over.sort(key=lambda task: (task.state.finished, task.id))
        self._ids = {task.name: task.id for task in over}
        self._most = MOST if most is None else most

    def bury(self, name: str, task_id: int) -> None:
        """A task is over, or has come again and is over still."""
        self._ids.pop(name, None)
        self._ids[name] = task_id

    def open(self, name: str) -> int | None:
        """Another task has that name from now on: the ID of the one that is over, if there is one."""
        return self._ids.pop(name, None)

    def surplus(self) -> Iterator[int]:
        """The IDs of those that are too many; they are forgotten with that."""
        while len(self._ids) > self._most:
            yield self._ids.pop(next(iter(self._ids)))
