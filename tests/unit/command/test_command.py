import asyncio
import logging

import pytest

from dms.access.caller import Caller
from dms.command.command import Command, State
from dms.command.operation import Operations, by_name
from dms.errors import Conflict, InvalidParameters, NotFound, Refused, UnknownMethod


async def test_a_command_that_runs_keeps_its_result(operations: Operations, admin: Caller) -> None:
    command = Command("echo", {"word": "hello"}, caller=admin)
    assert "hello" == await command.run(operations)
    assert (State.SUCCEEDED, "hello", None) == (command.state, command.result, command.error)


async def test_one_that_fails_keeps_its_error(operations: Operations, admin: Caller) -> None:
    command = Command("fail", caller=admin)
    with pytest.raises(Conflict) as raised:
        await command.run(operations)
    assert (State.FAILED, raised.value) == (command.state, command.error)


async def test_an_unforeseen_failure_is_logged_with_its_traceback(
    operations: Operations, admin: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ZeroDivisionError):
        await Command("break", caller=admin).run(operations)
    (record,) = caplog.records
    assert ("break failed unforeseen", logging.ERROR) == (record.getMessage(), record.levelno)
    assert record.exc_info


async def test_an_unknown_method_is_rejected_with_the_nearest(operations: Operations, admin: Caller) -> None:
    command = Command("ehco", caller=admin)
    with pytest.raises(UnknownMethod, match=r"there is no method ehco. Did you mean echo\?"):
        await command.run(operations)
    assert State.REJECTED is command.state


async def test_wrong_parameters_are_rejected(operations: Operations, admin: Caller) -> None:
    command = Command("echo", {"word": 1}, caller=admin)
    with pytest.raises(InvalidParameters):
        await command.run(operations)
    assert State.REJECTED is command.state


async def test_a_caller_without_the_scope_is_refused_before_parameters_are_looked_at(operations: Operations) -> None:
    guest = Caller("guest", "socket", frozenset({"other"}))
    with pytest.raises(Refused, match="echo needs the scope test, which guest does not hold"):
        await Command("echo", {"word": 1}, caller=guest).run(operations)


async def test_a_caller_with_just_that_scope_may(operations: Operations) -> None:
    assert "a" == await Command("echo", ["a"], caller=Caller("b", "socket", frozenset({"test"}))).run(operations)


async def test_a_node_elsewhere_can_t_be_commanded_without_a_fleet(operations: Operations, admin: Caller) -> None:
    with pytest.raises(NotFound, match="no node n7 can be reached"):
        await Command("echo", {"word": "a"}, caller=admin, node_id="n7").run(operations)


async def test_a_cancelled_command_says_so(operations: Operations, admin: Caller) -> None:
    command = Command("wait", caller=admin)
    running = asyncio.create_task(command.run(operations))
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert State.CANCELLED is command.state


def test_two_operations_of_one_name_are_a_mistake(operations: Operations) -> None:
    with pytest.raises(ValueError, match="two operations are called echo"):
        by_name(operations.values(), [operations["echo"]])
