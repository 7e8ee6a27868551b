"""A task's function: found where text names it, and how it is to be called."""

import inspect
from functools import lru_cache
from importlib import import_module
from typing import Any, NamedTuple

from dms.background_tasks.task import Program, Task
from dms.errors import InvalidInput, InvalidTask


class Calling(NamedTuple):
    """`executor` is coroutine, thread or program; `wants_run` whether the function has a parameter named `run`."""

    executor: str
    wants_run: bool


def prepare(task: Task) -> None:
    """Find a task's function, and how it is called. InvalidTask where it can't be found."""
    if not isinstance(task, Task):
        raise InvalidTask(f"{task!r} is no Task; make one, such as Task('backup', function)")
    target = task.target
    if target is None and not task.parked:
        try:
            target = find_function(task.function)
        except InvalidInput as error:
            raise InvalidTask(str(error)) from error
    task.bind(target, calling_of(target))


def find_function(reference: str) -> Any:
    """What `package.module:name` refers to. InvalidInput says which part is not there."""
    module_name, _, path = reference.partition(":")
    try:
        found: Any = import_module(module_name)
        for name in path.split("."):
            found = getattr(found, name, None)
    except (Exception, SystemExit) as error:
        raise InvalidInput(f"function: {module_name} can't be imported: {type(error).__name__}: {error}") from error
    if not callable(found):
        raise InvalidInput(f"function: {module_name} has no function {path}")
    return found


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
