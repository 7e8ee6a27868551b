"""A command for one who waits for its answer, and may go away before it comes."""

import asyncio
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.types import Receive

from dms.command.command import Command
from dms.command.operation import Operations
from dms.rest.turns import Turns


async def ask(command: Command, operations: Operations, receive: Receive, turns: Turns) -> Any:
    """Run a command when its turn comes, and give its result. ClientDisconnect where whoever asked goes away first: the
    command is cancelled then, as it is where this is cancelled; what must not be cut in half it shields itself."""
    async with turns.turn():
        waiting = command.begin(operations)
    if waiting is None:
        return command.result
    running = asyncio.ensure_future(waiting)
    leaving = asyncio.ensure_future(_gone(receive))
    try:
        await asyncio.wait({running, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not running.done():
            raise ClientDisconnect
        return running.result()
    finally:
        for task in (running, leaving):
            task.cancel()
        await asyncio.gather(running, leaving, return_exceptions=True)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
