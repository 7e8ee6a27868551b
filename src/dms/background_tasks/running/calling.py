"""A task's function: found where text names it, and how it is to be called."""

import inspect
import sys
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib import import_module
from typing import Any, NamedTuple

from dms.background_tasks.running.process_call import check_callable_in_process
from dms.background_tasks.running.run import Run
from dms.background_tasks.tasks.task import Program, Task
from dms.errors import InvalidInput, InvalidTask

BY_KEYWORD = sys.maxsize
"""No number of arguments reaches a parameter that can't be given by position."""


class Calling(NamedTuple):
    """`executor` is one of EXECUTORS; `run_at` is the place of the function's parameter named `run` among those that
    can be given by position, BY_KEYWORD where it is none of them, and None where there is no such one."""

    executor: str
    run_at: int | None


class Arguments(NamedTuple):
    """What a function is called with."""

    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = {}


_NO_ARGUMENTS = Arguments()


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
    calling = calling_of(target)
    if not task.parked:
        calling = checked_calling(task, target, calling)
    task.bind(target, calling)


def checked_calling(task: Task, target: Any, natural: Calling) -> Calling:
    """How a task's function is called, by its own nature or as the task wants it. InvalidTask where it wants what can't
    be had of it."""
    calling = natural
    if task.executor is not None and task.executor != natural.executor:
        calling = _wanted_calling(task, target, natural)
    if task.heartbeat_timeout is not None:
        _check_heartbeat(calling)
    return calling


def _wanted_calling(task: Task, target: Any, natural: Calling) -> Calling:
    if task.executor == "process" and natural.executor != "program":
        check_callable_in_process(task, target)
        return Calling("process", natural.run_at)
    raise InvalidTask(f"executor: {task.executor} can't run {_KINDS[natural.executor]}; leave it out")


_KINDS = {"coroutine": "a coroutine function", "thread": "a plain function", "program": "a program"}


def _check_heartbeat(calling: Calling) -> None:
    if calling.executor in ("coroutine", "thread") and calling.run_at is None:
        raise InvalidTask("heartbeat_timeout: the function takes no parameter run, so it can give no sign of life")


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


def arguments_of(task: Task, run: Run) -> Arguments:
    """A task's arguments, and its run where the function has a parameter of that name: wherever that stands, the task's
    own fill the places around it."""
    place = task.calling.run_at
    if place is None:
        return Arguments(task.args, task.kwargs) if task.args or task.kwargs else _NO_ARGUMENTS
    if place <= len(task.args):
        return Arguments((*task.args[:place], run, *task.args[place:]), task.kwargs)
    return Arguments(task.args, {**task.kwargs, "run": run})


def calling_of(target: Any) -> Calling:
    """How to call a function, a callable object or a program."""
    if isinstance(target, Program):
        return Calling("program", None)
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
    return Calling("coroutine" if is_coroutine else "thread", _run_at(target))


def _run_at(target: Any) -> int | None:
    try:
        parameters = inspect.signature(target).parameters
    except (TypeError, ValueError):
        return None
    by_position = [name for name, known in parameters.items() if known.kind <= known.POSITIONAL_OR_KEYWORD]
    if "run" in by_position:
        return by_position.index("run")
    return BY_KEYWORD if "run" in parameters and parameters["run"].kind is inspect.Parameter.KEYWORD_ONLY else None
