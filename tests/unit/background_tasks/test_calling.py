"""How a function is called is told from what it is."""

from functools import partial
from typing import Any

import pytest

from dms.background_tasks.calling import Calling, calling_of
from dms.background_tasks.task import Program


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
