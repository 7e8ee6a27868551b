from functools import partial
from typing import Any

import msgspec
import pytest

from dms.access.caller import Caller
from dms.background_tasks.tasks.task import Task
from dms.command.command import Command
from dms.command.operation import Effect, Operation, Operations, by_name
from dms.command.rpc import describe, rpc_operations
from dms.plugins.context import NodeContext
from dms.plugins.registration import OWN_FAMILIES, Registration


class Wanted(msgspec.Struct, frozen=True):
    """What is wanted."""

    depth: int = 0


class Answer(msgspec.Struct, frozen=True):
    """What is."""

    depth: int


def answer(parameters: Wanted, command: Command) -> Answer:
    return Answer(parameters.depth)


def operation(**other: Any) -> Operation:
    fields = {
        "name": "well.depth",
        "parameters": Wanted,
        "result": Answer,
        "scope": "well:read",
        "effect": Effect.READ,
        "handler": answer,
        "summary": "Tells how deep it is.",
    }
    return Operation(**(fields | other))


def asked() -> Command:
    return Command("well.depth", {"depth": 3}, caller=Caller("ana", "test", frozenset({"well:read"})))


def own_operations() -> Operations:
    return by_name(rpc_operations(list, "0.1.0"))


@pytest.fixture
def operations() -> Operations:
    return own_operations()


@pytest.fixture
def registration(context: NodeContext, operations: Operations) -> Registration:
    return Registration(context.scheduler, operations)


def test_a_task_is_registered_as_of_its_origin(registration: Registration, context: NodeContext) -> None:
    task = Task("well", print)
    assert ["well"] == registration.tasks([task], "plugin", pytest.fail)
    assert context.scheduler.get_task("well") is task
    assert "plugin" == task.origin


def test_a_taken_name_is_told_and_the_other_tasks_come_all_the_same(
    registration: Registration, context: NodeContext
) -> None:
    first, problems = context.scheduler.add_task(Task("well", print)), list[str]()
    assert ["pump"] == registration.tasks([Task("well", print), Task("pump", print)], "plugin", problems.append)
    assert ["the task well was left out: a task called well is there already"] == [
        problem.partition(";")[0] for problem in problems
    ]
    assert context.scheduler.get_task("well") is first


@pytest.mark.parametrize(
    ("task", "reason"),
    [
        (print, "it gave a builtin_function_or_method where a Task belongs"),
        (None, "it gave a NoneType where a Task belongs"),
        (Task("lost", "nowhere.to_be_found:work"), "the task lost was left out: "),
    ],
)
def test_what_is_no_task_that_can_run_is_told(registration: Registration, task: Any, reason: str) -> None:
    problems: list[str] = []
    assert [] == registration.tasks([task], "plugin", problems.append)
    assert problems[0].startswith(reason)


async def test_an_operation_is_offered_at_every_door_and_described(
    registration: Registration, operations: Operations
) -> None:
    assert ["well.depth"] == registration.operations([operation()], pytest.fail)
    assert Answer(3) == await asked().run(operations)
    (described,) = [each for each in describe(operations.values(), "1")["methods"] if each["name"] == "well.depth"]
    assert ("well:read", "depth") == (described["x-scope"], described["params"][0]["name"])


class Nothing(msgspec.Struct, frozen=True):
    """The name of another parameters' type, and not the same."""

    other: int


@pytest.mark.parametrize(
    ("offered", "reason"),
    [
        (answer, "it gave a function where an Operation belongs"),
        (operation(name="depth"), "its name is not family.verb"),
        (operation(name="Well.Depth"), "its name is not family.verb"),
        (operation(name="well.depth.now"), "its name is not family.verb"),
        (operation(name=3), "its name is not family.verb"),
        *[(operation(name=f"{family}.depth"), f"{family}.* is the node's own") for family in sorted(OWN_FAMILIES)],
        (operation(parameters=dict), "its parameters are not a msgspec.Struct"),
        (operation(parameters=None), "its parameters are not a msgspec.Struct"),
        (operation(scope=""), "its scope is not a word or two"),
        (operation(scope=None), "its scope is not a word or two"),
        (operation(scope="well: read"), "its scope is not a word or two"),
        (operation(effect="read"), "its effect is not an Effect"),
        (operation(handler=None), "its handler is not a function"),
        (operation(summary=None), "or its summary is not text"),
        (operation(result=lambda: 1), "its parameters and result can't be described"),
        (operation(parameters=Nothing), "or are called as another operation's are"),
    ],
)
def test_what_is_no_operation_that_can_be_offered_is_told(
    registration: Registration, operations: Operations, offered: Any, reason: str
) -> None:
    problems: list[str] = []
    assert [] == registration.operations([offered], problems.append)
    assert (1, True) == (len(problems), reason in problems[0])
    assert {*own_operations()} == {*operations}


def test_of_two_operations_of_one_name_the_first_stays(registration: Registration, operations: Operations) -> None:
    problems: list[str] = []
    two = [operation(summary="The first."), operation(summary="The second.")]
    assert ["well.depth"] == registration.operations(two, problems.append)
    assert ["the operation well.depth was left out: there is one of that name already"] == problems
    assert "The first." == operations["well.depth"].summary


async def slow_answer(parameters: Wanted, command: Command) -> Answer:
    return answer(parameters, command)


class Answering:
    """A callable that is no function."""

    async def __call__(self, parameters: Wanted, command: Command) -> Answer:
        return answer(parameters, command)


@pytest.mark.parametrize("handler", [answer, slow_answer, partial(slow_answer), Answering()])
async def test_whatever_can_be_called_may_answer(
    registration: Registration, operations: Operations, handler: Any
) -> None:
    registration.operations([operation(handler=handler)], pytest.fail)
    assert Answer(3) == await asked().run(operations)


def leave(parameters: Wanted, command: Command) -> Answer:
    raise SystemExit("enough")


async def leave_slowly(parameters: Wanted, command: Command) -> Answer:
    raise KeyboardInterrupt("enough")


@pytest.mark.parametrize("handler", [leave, leave_slowly])
async def test_what_would_end_the_process_ends_the_command_only(
    registration: Registration, operations: Operations, handler: Any
) -> None:
    """spotify/luigi#440 and its kind, for what is asked instead of scheduled."""
    registration.operations([operation(handler=handler)], pytest.fail)
    with pytest.raises(RuntimeError, match=r"well\.depth raised (SystemExit|KeyboardInterrupt): enough"):
        await asked().run(operations)
