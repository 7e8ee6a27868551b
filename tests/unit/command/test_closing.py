from typing import Any

import pytest

from dms.access.caller import TASK_READ, Caller
from dms.command.command import Command, State
from dms.command.operation import Effect, Nothing, Operation, by_name
from dms.errors import ShuttingDown


def operation(effect: Effect) -> Operation:
    async def handler(parameters: Nothing, command: Command) -> str:
        return "done"

    return Operation("thing.do", Nothing, str, TASK_READ, effect, handler, "Does it.")


def command() -> Command:
    return Command("thing.do", caller=Caller("ana", "test", frozenset({TASK_READ})))


async def answer(effect: Effect, closed: bool, asked: Command | None = None) -> Any:
    operations = by_name([operation(effect)])
    operations.closed = closed
    return await (asked or command()).run(operations)


@pytest.mark.parametrize("effect", Effect)
async def test_while_it_is_open_everything_is_done(effect: Effect) -> None:
    assert "done" == await answer(effect, closed=False)


@pytest.mark.parametrize("effect", [Effect.ONCE, Effect.IDEMPOTENT])
async def test_once_it_is_closed_what_would_change_something_is_refused(effect: Effect) -> None:
    asked = command()
    with pytest.raises(ShuttingDown, match="takes nothing new; ask again once it is back"):
        await answer(effect, closed=True, asked=asked)
    assert State.REJECTED is asked.state


async def test_once_it_is_closed_whoever_only_looks_is_still_answered() -> None:
    assert "done" == await answer(Effect.READ, closed=True)
