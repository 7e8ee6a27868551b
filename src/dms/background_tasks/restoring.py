"""Tasks that only the store remembers: made again from their definitions, or parked with the reason why not."""

from collections.abc import Collection, Mapping
from typing import Any

from dms.background_tasks.running.calling import prepare
from dms.background_tasks.store import StoredTask
from dms.background_tasks.tasks.definition import program_from, task_from
from dms.background_tasks.tasks.gate import BUILT_IN, check_gates
from dms.background_tasks.tasks.task import Program, Task
from dms.errors import InvalidInput, InvalidTask


def lives_by_itself(stored: StoredTask) -> bool:
    """Whether a task goes on although nobody has added it again: one of a program that has not had its only time. What
    a configuration declares comes again from there."""
    return stored.state.finished is None and _origin(stored.definition) == "code"


def restore(stored: StoredTask, gates: Collection[str] = BUILT_IN) -> Task:
    """The task as it was; one whose function can't be found any more, that waits for none of the `gates` that there
    are, or that could not be kept whole, is parked."""
    try:
        task = task_from(stored.definition, stored.name, _function(stored.definition))
    except (InvalidInput, KeyError, TypeError, ValueError) as error:
        task = Task(stored.name, Program(("parked",)), origin=_origin(stored.definition), parked=str(error))
    task.restored = True
    try:
        prepare(task)
        check_gates(task, gates)
    except InvalidTask as error:
        task.parked = str(error)
    return task


def _function(definition: Mapping[str, Any]) -> Any:
    program = program_from(definition)
    if program is not None:
        return program
    if definition["call"] is None:
        raise InvalidInput("function: it belongs to the program that added the task; it runs once that adds it again")
    return definition["call"]


def _origin(definition: Mapping[str, Any]) -> str:
    return str(definition.get("origin", "code"))
