"""The one way in which tasks and operations come to a node, the node's own tasks included."""

import re
from collections.abc import Callable, Iterable
from inspect import isawaitable
from typing import Any

import msgspec

from dms.background_tasks.scheduler import Scheduler
from dms.background_tasks.tasks.task import Task
from dms.command.command import Command
from dms.command.operation import Effect, Operation, Operations
from dms.command.rpc import describe
from dms.errors import DmsError

OWN_FAMILIES = frozenset({
    "audit", "command", "config", "event", "exec", "file", "fleet", "logs", "node", "rpc", "session", "sub", "support",
    "task", "token",
})  # fmt: skip
"""First words of method names that are the node's own, also those that come with a later version."""

_METHOD = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*").fullmatch
_SCOPE = re.compile(r"[a-z][a-z0-9_-]*(:[a-z][a-z0-9_-]*)?").fullmatch

Refused = Callable[[str], None]


class Registration:
    """Takes what is good of tasks and operations, and says what is not. What is taken stays for the node's life."""

    def __init__(self, scheduler: Scheduler, operations: Operations) -> None:
        self._scheduler, self._operations = scheduler, operations

    def tasks(self, offered: Iterable[Any], origin: str, refused: Refused) -> list[str]:
        """Register tasks, as of that origin; the names of those that were taken."""
        taken = []
        for task in offered:
            if not isinstance(task, Task):
                refused(f"it gave a {type(task).__name__} where a Task belongs")
                continue
            task.origin = origin
            try:
                self._scheduler.add_task(task)
            except DmsError as error:
                refused(f"the task {task.name} was left out: {error}")
            else:
                taken.append(task.name)
        return taken

    def operations(self, offered: Iterable[Any], refused: Refused) -> list[str]:
        """Offer operations at every door; the names of those that were taken."""
        taken = []
        for operation in offered:
            problem = self._problem(operation)
            if problem:
                refused(problem)
            else:
                self._operations[operation.name] = _contained(operation)
                taken.append(operation.name)
        return taken

    def _problem(self, operation: Any) -> str:
        """What is wrong with it; empty where nothing is."""
        if not isinstance(operation, Operation):
            return f"it gave a {type(operation).__name__} where an Operation belongs"
        wrong = _wrong_field(operation)
        if wrong:
            return f"the operation {operation.name!r} was left out: {wrong}"
        if operation.name in self._operations:
            return f"the operation {operation.name} was left out: there is one of that name already"
        try:
            describe([*self._operations.values(), operation], "")
        except Exception as error:  # noqa: BLE001 - whatever its types do, no other method may suffer from it
            kinds = "its parameters and result can't be described, or are called as another operation's are"
            return f"the operation {operation.name} was left out: {kinds} ({type(error).__name__}: {error})"
        return ""


def _contained(operation: Operation) -> Operation:
    """The operation as it is run: what would end a process ends the command only, and any callable may wait."""
    handler = operation.handler

    async def contained(parameters: Any, command: Command) -> Any:
        try:
            result = handler(parameters, command)
            return await result if isawaitable(result) else result
        except (SystemExit, KeyboardInterrupt) as error:
            raise RuntimeError(f"{operation.name} raised {type(error).__name__}: {error}") from error

    return msgspec.structs.replace(operation, handler=contained)


def _wrong_field(operation: Operation) -> str:
    name, parameters, scope = operation.name, operation.parameters, operation.scope
    if not isinstance(name, str) or not _METHOD(name):
        return "its name is not family.verb, such as disk.usage"
    if name.partition(".")[0] in OWN_FAMILIES:
        return f"{name.partition('.')[0]}.* is the node's own; take another first word"
    if not isinstance(parameters, type) or not issubclass(parameters, msgspec.Struct):
        return "its parameters are not a msgspec.Struct"
    if not isinstance(scope, str) or not _SCOPE(scope):
        return "its scope is not a word or two with a colon between, such as disk:read"
    if not isinstance(operation.effect, Effect):
        return "its effect is not an Effect"
    if not callable(operation.handler) or not isinstance(operation.summary, str):
        return "its handler is not a function, or its summary is not text"
    return ""
