"""How a task's function is to be called: by which executor, and whether it takes the run."""

import inspect
from functools import lru_cache
from typing import Any, NamedTuple

from dms.background_tasks.task import Program


class Calling(NamedTuple):
    """`executor` is coroutine, thread or program; `wants_run` whether the function has a parameter named `run`."""

    executor: str
    wants_run: bool


def calling_of(target: Any) -> Calling:
    """How to call a function, a callable object or a program."""
    if isinstance(target, Program):
        return Calling("program", False)
    try:
        return _known(target)
    except TypeError:
        return _look(target)


@lru_cache(maxsize=1000)
def _known(target: Any) -> Calling:
    return _look(target)


def _look(target: Any) -> Calling:
    call = getattr(target, "__call__", None)  # noqa: B004 - an object whose call is a coroutine function counts as one
    is_coroutine = inspect.iscoroutinefunction(target) or inspect.iscoroutinefunction(call)
    return Calling("coroutine" if is_coroutine else "thread", _wants_run(target))


def _wants_run(target: Any) -> bool:
    try:
        return "run" in inspect.signature(target).parameters
    except (TypeError, ValueError):
        return False
