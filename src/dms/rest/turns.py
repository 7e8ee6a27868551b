"""Turns: requests that come at once, each by itself, do not keep the loop from everybody else together."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from dms.clock import stopwatch
from dms.command.pieces import AT_ONCE


class Turns:
    """Lets one after the other do what waits for nothing; after some milliseconds of that others are heard."""

    def __init__(self) -> None:
        self._one = asyncio.Lock()
        self._taken = 0.0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Somebody's turn, for what is done without waiting."""
        async with self._one:
            began = stopwatch()
            try:
                yield
            finally:
                self._taken += stopwatch() - began
                if self._taken > AT_ONCE:
                    self._taken = 0.0
                    await asyncio.sleep(0)
