"""A function is found by its reference, and how it is called is told from what it is."""

import os.path
import sys
from functools import partial
from types import ModuleType
from typing import Any

import pytest

from dms.background_tasks.running.calling import (
    BY_KEYWORD,
    Arguments,
    Calling,
    arguments_of,
    calling_of,
    find_function,
    prepare,
)
from dms.background_tasks.tasks.task import Program, Task
from dms.errors import InvalidInput, InvalidTask


def plain() -> None:
    pass


def with_run(number: int, run: object) -> None:
    pass


async def coroutine(run: object) -> None:
    pass


class Both:
    def method(self, run: object) -> None:
        pass

    async def coroutine_method(self) -> None:
        pass

    async def __call__(self, run: object) -> None:
        pass


@pytest.mark.parametrize("function", [plain, Both().coroutine_method])
def test_a_function_that_can_give_no_sign_of_life_is_refused_where_one_is_wanted(function: Any) -> None:
    with pytest.raises(InvalidTask, match="heartbeat_timeout: the function takes no parameter run"):
        prepare(Task("a", function, heartbeat_timeout="1m"))


@pytest.mark.parametrize("function", [with_run, coroutine, Program(("sh",))])
def test_one_that_takes_a_run_can_give_signs_of_life_and_so_can_a_program(function: Any) -> None:
    task = Task("a", function, heartbeat_timeout="1m")
    prepare(task)
    assert function == task.target


class Unhashable:
    __hash__ = None  # type: ignore[assignment]

    def __call__(self, run: object) -> None:
        pass


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (plain, Calling("thread", None)),
        (with_run, Calling("thread", 1)),
        (coroutine, Calling("coroutine", 0)),
        (Both().method, Calling("thread", 0)),
        (Both().coroutine_method, Calling("coroutine", None)),
        (Both(), Calling("coroutine", 0)),
        (Unhashable(), Calling("thread", 0)),
        (partial(with_run, 1), Calling("thread", 0)),
        (partial(coroutine), Calling("coroutine", 0)),
        (lambda run: run, Calling("thread", 0)),
        (lambda **others: others, Calling("thread", None)),
        (lambda *, run: run, Calling("thread", BY_KEYWORD)),
        (lambda *run: run, Calling("thread", None)),
        (print, Calling("thread", None)),
        (dict, Calling("thread", None)),
        (object, Calling("thread", None)),
        (None, Calling("thread", None)),
        (Program(("ls",)), Calling("program", None)),
    ],
)
def test_the_executor_and_the_run_are_told_from_the_function(target: Any, expected: Calling) -> None:
    assert expected == calling_of(target)


@pytest.mark.parametrize(
    ("function", "args", "kwargs", "expected"),
    [
        (lambda x: x, (1,), {}, Arguments((1,), {})),
        (lambda run, x: x, (1,), {}, Arguments(("RUN", 1), {})),
        (lambda x, run: x, (1,), {}, Arguments((1, "RUN"), {})),
        (lambda run, /: run, (), {}, Arguments(("RUN",), {})),
        (lambda x, run: x, (), {"x": 1}, Arguments((), {"x": 1, "run": "RUN"})),
        (lambda *rest, run: rest, (1, 2), {}, Arguments((1, 2), {"run": "RUN"})),
    ],
)
def test_wherever_the_run_stands_the_tasks_own_arguments_fill_the_places_around_it(
    function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], expected: Arguments
) -> None:
    task = Task("a", function, args, kwargs)
    prepare(task)
    assert expected == arguments_of(task, "RUN")
    function(*expected.args, **expected.kwargs)


def test_a_function_is_found_by_its_reference() -> None:
    assert os.path.join is find_function("os:path.join")


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("no_such_module:f", "function: no_such_module can't be imported: ModuleNotFoundError: No module named"),
        ("os:nothing", "function: os has no function nothing"),
        ("os:sep", "function: os has no function sep"),
        ("os:nothing.at.all", "function: os has no function nothing.at.all"),
    ],
)
def test_a_function_that_is_not_there_says_which_part_is_missing(reference: str, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        find_function(reference)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("error", [RuntimeError("half made"), SystemExit(2)])
def test_whatever_a_module_raises_when_it_is_asked_is_told(error: BaseException, monkeypatch: Any) -> None:
    class Odd(ModuleType):
        def __getattr__(self, name: str) -> Any:
            raise AttributeError(name) if name.startswith("__") else error

    monkeypatch.setitem(sys.modules, "odd", Odd("odd"))
    with pytest.raises(InvalidInput, match=type(error).__name__):
        find_function("odd:work")


def test_preparing_a_task_finds_its_function_and_how_it_is_called() -> None:
    task = Task("a", "os:getcwd")
    prepare(task)
    assert (os.getcwd, "thread", None) == (task.target, *task.calling)
    with pytest.raises(InvalidTask, match="os has no function nothing"):
        prepare(Task("a", "os:nothing"))


def test_what_is_no_task_is_refused_as_one() -> None:
    with pytest.raises(InvalidTask, match="'backup' is no Task; make one, such as Task"):
        prepare("backup")  # type: ignore[arg-type]
