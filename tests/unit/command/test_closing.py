from typing import Any

import pytest

from dms.access.caller import TASK_READ, Caller
from dms.command.command import Command, State
from dms.command.operation import Effect, Nothing, Operation, by_name
from dms.command.subscription import subscription_operations
from dms.errors import ShuttingDown


def operation(effect: Effect, while_stopping: bool = False) -> Operation:
    async def handler(parameters: Nothing, command: Command) -> str:
        return "done"

    return Operation("thing.do", Nothing, str, TASK_READ, effect, handler, "Does it.", while_stopping=while_stopping)


def command() -> Command:
    return Command("thing.do", caller=Caller("ana", "test", frozenset({TASK_READ})))


async def answer(effect: Effect, closed: bool, asked: Command | None = None, while_stopping: bool = False) -> Any:
    operations = by_name([operation(effect, while_stopping)])
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


async def test_what_is_meant_to_be_answered_while_the_node_stops_is() -> None:
    assert "done" == await answer(Effect.ONCE, closed=True, while_stopping=True)


def test_who_watches_a_stop_may_follow_it_and_cease_to() -> None:
    assert ["sub.open", "sub.close"] == [each.name for each in subscription_operations([]) if each.while_stopping]
