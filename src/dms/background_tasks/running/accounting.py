"""What a coroutine uses: the time of its own steps. While it waits, others have the loop, and that is not counted. To
ask the system for the loop's processor time at each step would cost more than most steps."""

import types
from collections.abc import Coroutine, Generator
from typing import Any

from dms.background_tasks.agenda.decision import Attempt
from dms.clock import ticks

NANOSECONDS = 1000
"""In a microsecond."""


async def counted(steps: Coroutine[Any, Any, Any], attempt: Attempt) -> Any:
    """Await a coroutine and count its steps. The first is made here: what never waits, as most that is short, costs two
    looks at the clock and nothing else."""
    began = ticks()
    try:
        waits_for = steps.send(None)
    except StopIteration as ended:
        return ended.value
    finally:
        used = ticks() - began
        attempt.cpu = used // NANOSECONDS
    return await _further(steps, waits_for, used, attempt)


@types.coroutine
def _further(steps: Coroutine[Any, Any, Any], waits_for: Any, used: int, attempt: Attempt) -> Generator[Any, Any, Any]:
    """All steps after the first, which took `used` ticks and has given what it waits for."""
    thrown = None
    try:
        while True:
            given = None
            try:
                given = yield waits_for
            except BaseException as error:  # noqa: BLE001 - whatever it is, it is meant for what is awaited
                thrown = error
            began = ticks()
            try:
                waits_for = steps.send(given) if thrown is None else steps.throw(thrown)
            finally:
                used += ticks() - began
            thrown = None
    except StopIteration as ended:
        return ended.value
    finally:
        thrown = None  # it would hold this frame, and the frame it
        attempt.cpu = used // NANOSECONDS
