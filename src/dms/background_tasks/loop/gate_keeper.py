"""Asks gates, as long as somebody waits for them: in threads, within a deadline; or hears what they tell by themselves.

A gate that raises, or does not answer in time, counts as closed; that is reported by its name.
"""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from dms.background_tasks.running.executor import error_text
from dms.background_tasks.running.loop_thread import in_thread
from dms.background_tasks.tasks.gate import Gate
from dms.instant import SECOND

PATIENCE = 5.0
"""Seconds that a gate may take to answer."""

Tell = Callable[[str, bool], None]
Report = Callable[[str, str], None]


class GateKeeper:
    """`tell(gate, is_open)` and `report(gate, message)` may be called from any thread; an empty message takes back the
    one before. `interval` are the microseconds between two questions. All else happens on the loop."""

    def __init__(
        self, gates: Mapping[str, Gate], interval: int, tell: Tell, report: Report, patience: float = PATIENCE
    ) -> None:
        self._gates, self._patience, self.interval = gates, patience, interval
        self._tell, self._report = tell, report
        self._asking: dict[str, asyncio.Task[None]] = {}
        self._listening: dict[str, Callable[[bool], None]] = {}
        self._unanswered: dict[str, asyncio.Future[bool | str]] = {}
        self._faults: dict[str, str] = {}

    def ask(self, name: str) -> None:
        """Somebody waits for a gate."""
        gate: Any = self._gates.get(name)
        if callable(getattr(gate, "connect", None)):
            self._listening[name] = told = partial(self._tell, name)
            self._carefully(name, lambda: gate.connect(told))
        elif gate is not None:
            self._asking[name] = asyncio.create_task(self._ask_again_and_again(name, gate))

    def leave(self, name: str) -> None:
        """Nobody waits for it any more."""
        asking, told = self._asking.pop(name, None), self._listening.pop(name, None)
        if asking is not None:
            asking.cancel()
        if told is not None:
            self._carefully(name, lambda: self._disconnect(self._gates[name], told))
        self._found(name, "")

    def close(self) -> None:
        """Nobody waits for anything any more."""
        for name in [*self._asking, *self._listening]:
            self.leave(name)

    @staticmethod
    def _disconnect(gate: Any, told: Callable[[bool], None]) -> None:
        gate.disconnect(told)

    def _carefully(self, name: str, call: Callable[[], None]) -> None:
        try:
            call()
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - a third party's fault stops nobody
            self._found(name, f"it counts as closed: it raised {error_text(error)}")

    async def _ask_again_and_again(self, name: str, gate: Callable[[], bool]) -> None:
        while True:
            self._tell(name, await self._answer(name, gate))
            await asyncio.sleep(self.interval / SECOND)

    async def _answer(self, name: str, gate: Callable[[], bool]) -> bool:
        """What it says now. A question that is still open is not asked again."""
        question = self._unanswered.get(name)
        if question is None or question.done():  # what was answered late is old by now
            question = self._unanswered[name] = asyncio.ensure_future(in_thread(partial(_look, gate)))
        done, _ = await asyncio.wait({question}, timeout=self._patience)
        if not done:
            self._found(name, f"it counts as closed: it has not answered within {self._patience:g} s")
            return False
        del self._unanswered[name]
        answer = question.result()
        self._found(name, f"it counts as closed: it raised {answer}" if isinstance(answer, str) else "")
        return answer is True

    def _found(self, name: str, fault: str) -> None:
        if self._faults.get(name, "") != fault:
            self._faults[name] = fault
            self._report(name, fault)


def _look(gate: Callable[[], bool]) -> bool | str:
    """Whether it is open, or what it raised, as a value: a SystemExit must get no further."""
    try:
        return bool(gate())
    except BaseException as error:  # noqa: BLE001
        return error_text(error)
