import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dms.plugins.context import NodeContext
from dms.plugins.entry_point import EntryPoint
from dms.plugins.making import Unusable, make

Install = Callable[..., Path]


async def made(install: Install, context: NodeContext, source: str, patience: float = 5) -> list[Any]:
    """What a module's `tasks` gives."""
    name = f"plugin_{abs(hash(source))}"
    install(name, "", source)
    return await make(EntryPoint(name, "dms.tasks", "all", f"{name}:tasks"), context, patience)


async def test_it_is_called_with_the_node_and_gives_a_list(install: Install, context: NodeContext) -> None:
    assert ["heron", "0.1.0"] == await made(install, context, "def tasks(node): return [node.name, node.version]")


async def test_it_may_give_its_things_one_by_one(install: Install, context: NodeContext) -> None:
    assert [1, 2] == await made(install, context, "def tasks(node):\n    yield 1\n    yield 2")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import nothing_of_this_name", "raised ModuleNotFoundError: No module named 'nothing_of_this_name'"),
        ("def tasks(:", "raised SyntaxError"),
        ("", "raised AttributeError"),
        ("tasks = 3", "it is a int, and no function of a NodeContext"),
        ("def tasks(): return []", "raised TypeError"),
        ("def tasks(node): return 1 / 0", "raised ZeroDivisionError: division by zero"),
        ("def tasks(node): return None", "it gave a NoneType, and no list"),
        ("def tasks(node): raise SystemExit(3)", "raised SystemExit: 3"),
        ("raise KeyboardInterrupt", "raised KeyboardInterrupt"),
        ("def tasks(node): raise StopIteration", "raised StopIteration"),
        ("def tasks(node):\n    yield 1\n    raise OSError('gone')", "raised OSError: gone"),
        ("def tasks(node):\n    while True:\n        yield 1", "it gave more than 1000"),
    ],
)
async def test_what_can_not_be_had_says_why(install: Install, context: NodeContext, source: str, reason: str) -> None:
    with pytest.raises(Unusable, match=reason):
        await made(install, context, source)


@pytest.mark.parametrize("hangs", ["import threading\nthreading.Event().wait(2)", "def tasks(node): wait()"])
async def test_what_hangs_is_given_up_and_holds_nobody(install: Install, context: NodeContext, hangs: str) -> None:
    source = f"from threading import Event\ndef wait(): Event().wait(2)\n{hangs}"
    with pytest.raises(Unusable, match=r"it was not there within 0\.05 s; its import or its function hangs"):
        await asyncio.wait_for(made(install, context, source, patience=0.05), 1)


async def test_a_task_whose_module_hangs_when_it_is_imported_is_given_up_too(
    install: Install, context: NodeContext
) -> None:
    install("sleeper", "", "from threading import Event\nEvent().wait(2)\n")
    with pytest.raises(Unusable, match="hangs"):
        await made(install, context, "import dms\ndef tasks(node): return [dms.Task('a', 'sleeper:work')]", 0.05)


async def test_a_task_whose_module_is_not_there_is_left_for_the_registration_to_tell(
    install: Install, context: NodeContext
) -> None:
    (task,) = await made(install, context, "import dms\ndef tasks(node): return [dms.Task('a', 'not_there:work')]")
    assert "a" == task.name
