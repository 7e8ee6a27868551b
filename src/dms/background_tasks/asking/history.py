"""A scheduler's history: the executions of its tasks, as they are kept and as they are now."""

import asyncio
from collections.abc import Callable, Iterable

from dms.background_tasks.store import ExecutionStore, Query
from dms.background_tasks.tasks.task import Execution, Status

_FEW, _PAGE, _MOST_PAGES = 20, 1000, 20
_MOST_ASKED = 500

Remembered = Callable[[str, int, str | None], list[Execution]]
AsItIs = Callable[[Execution], Execution]


class History:
    """Reads the store, where there is one; else what is `remembered` in memory. The store is told of starts and ends
    only: `as_it_is` gives an execution as it is now."""

    def __init__(self, store: ExecutionStore | None, remembered: Remembered, as_it_is: AsItIs) -> None:
        self._store, self._remembered, self._as_it_is = store, remembered, as_it_is

    async def page(self, name: str, limit: int, before: str | None) -> list[Execution]:
        """A task's executions, newest first: at most `limit`, older than the one with the ID `before`."""
        if self._store is None:
            return self._remembered(name, limit, before)
        return self._now(await asyncio.wrap_future(self._store.executions(Query(name, limit, before))))

    def latest(self, name: str, limit: int, before: str | None = None) -> list[Execution]:
        """The same; this waits for a short read."""
        if self._store is None:
            return self._remembered(name, limit, before)
        return self._now(self._store.executions(Query(name, limit, before)).result())

    def _now(self, stored: list[Execution]) -> list[Execution]:
        return [self._as_it_is(execution) for execution in stored]

    def back_to(self, name: str, at: int | None) -> tuple[list[Execution], bool]:
        """A task's executions, newest first, back to those that had begun before `at` (wall; None: the last few); and
        whether more of them can't matter. This waits for short reads."""
        if at is None:
            return self.latest(name, _FEW), True
        found: list[Execution] = []
        for _ in range(_MOST_PAGES):
            page = self.latest(name, _PAGE, found[-1].id if found else None)
            found += page
            if len(page) < _PAGE or any(each.started and each.started < at for each in page):
                return found, True
        return found, False

    def usual_lengths(self, last: Iterable[tuple[str, Execution | None]]) -> dict[str, int]:
        """What runs of tasks may be expected to take, in microseconds: the median of the last 20 that succeeded; of
        more than 500 tasks, for those beyond them, what the last execution took. None of a task without any. This waits
        for short reads."""
        lengths: dict[str, int] = {}
        for number, (name, execution) in enumerate(last):
            if execution is not None:
                known = [execution] if number >= _MOST_ASKED else self.latest(name, _FEW)
                took = sorted(_took(each) for each in known if each.status is Status.SUCCESS)
                if took:
                    lengths[name] = took[len(took) // 2]
        return lengths


def _took(execution: Execution) -> int:
    if execution.ran is not None:
        return execution.ran
    return 0 if execution.started is None or execution.ended is None else max(0, execution.ended - execution.started)
