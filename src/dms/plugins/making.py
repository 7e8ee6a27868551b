"""Calls what an entry point names, in a thread and within a deadline: it may hang, raise, or give rubbish."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import islice
from typing import Any

from dms.background_tasks.running.calling import find_function
from dms.background_tasks.running.loop_thread import in_thread
from dms.background_tasks.tasks.gate import Gate, is_gate
from dms.background_tasks.tasks.task import Task
from dms.errors import InvalidInput
from dms.plugins.context import NodeContext
from dms.plugins.entry_point import EntryPoint

PATIENCE = 5.0
"""Seconds that the import and the call of one entry point may take."""

MOST = 1_000
"""Tasks or operations of one entry point."""


class Unusable(Exception):
    """What an entry point names can't be had; the message says why."""


async def make(entry_point: EntryPoint, context: NodeContext, patience: float = PATIENCE) -> list[Any]:
    """The list that it gives for this node. Unusable where it does not."""
    made: list[Any] = await _within(patience, lambda: _list_of(_called(entry_point, context)))
    return made


async def make_gate(entry_point: EntryPoint, context: NodeContext, patience: float = PATIENCE) -> Gate:
    """The gate that it gives for this node. Unusable where it does not."""
    gate: Gate = await _within(patience, lambda: _gate_of(_called(entry_point, context)))
    return gate


async def _within(patience: float, call: Callable[[], Any]) -> Any:
    try:
        made = await asyncio.wait_for(in_thread(lambda: _outcome(call)), patience)
    except TimeoutError:
        raise Unusable(f"it was not there within {patience:g} s; its import or its function hangs") from None
    if isinstance(made, Unusable):
        raise made
    return made


def _outcome(call: Callable[[], Any]) -> Any:
    """In the thread whatever is raised becomes a value: a SystemExit must not get any further."""
    try:
        return call()
    except Unusable as problem:
        return problem
    except BaseException as error:  # noqa: BLE001  somebody else's module may raise anything, SystemExit too
        return Unusable(f"it raised {type(error).__name__}: {error}")


def _called(entry_point: EntryPoint, context: NodeContext) -> Any:
    factory = entry_point.load()
    if not callable(factory):
        raise Unusable(f"it is a {type(factory).__name__}, and no function of a NodeContext")
    return factory(context)


def _list_of(made: Any) -> list[Any]:
    if not isinstance(made, Iterable):
        raise Unusable(f"it gave a {type(made).__name__}, and no list")
    found = list(islice(made, MOST + 1))
    _import_functions(found)
    if len(found) > MOST:
        raise Unusable(f"it gave more than {MOST}")
    return found


def _gate_of(made: Any) -> Gate:
    if not is_gate(made):
        raise Unusable(f"it gave a {type(made).__name__}, and no gate: a function that says whether it is open")
    gate: Gate = made
    return gate


def _import_functions(found: list[Any]) -> None:
    """Import what tasks name, so that an import that hangs is met here, not on the loop; other errors come later."""
    for task in found:
        if isinstance(task, Task) and isinstance(task.function, str):
            with suppress(InvalidInput):
                find_function(task.function)
