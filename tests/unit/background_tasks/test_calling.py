"""A function is found by its reference, and how it is called is told from what it is."""

import os.path
import sys
from functools import partial
from types import ModuleType
from typing import Any

import pytest

from dms.background_tasks.calling import Calling, calling_of, find_function, prepare
from dms.background_tasks.task import Program, Task
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


class Unhashable:
    __hash__ = None  # type: ignore[assignment]

    def __call__(self, run: object) -> None:
        pass


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (plain, Calling("thread", False)),
        (with_run, Calling("thread", True)),
        (coroutine, Calling("coroutine", True)),
        (Both().method, Calling("thread", True)),
        (Both().coroutine_method, Calling("coroutine", False)),
        (Both(), Calling("coroutine", True)),
        (Unhashable(), Calling("thread", True)),
        (partial(with_run, 1), Calling("thread", True)),
        (partial(coroutine), Calling("coroutine", True)),
        (lambda run: run, Calling("thread", True)),
        (lambda **others: others, Calling("thread", False)),
        (print, Calling("thread", False)),
        (dict, Calling("thread", False)),
        (object, Calling("thread", False)),
        (None, Calling("thread", False)),
        (Program(("ls",)), Calling("program", False)),
    ],
)
def test_the_executor_and_the_run_are_told_from_the_function(target: Any, expected: Calling) -> None:
    assert expected == calling_of(target)


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
    assert (os.getcwd, "thread", False) == (task.target, *task.calling)
    with pytest.raises(InvalidTask, match="os has no function nothing"):
        prepare(Task("a", "os:nothing"))


def test_what_is_no_task_is_refused_as_one() -> None:
    with pytest.raises(InvalidTask, match="'backup' is no Task; make one, such as Task"):
        prepare("backup")  # type: ignore[arg-type]
