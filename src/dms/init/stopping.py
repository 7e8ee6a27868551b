"""How a node stops: what it does at each stage, and what it leaves behind."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from dms.access.tokens import Tokens
from dms.adapters.sqlite import SqliteStore
from dms.background_tasks.running.loop_thread import in_thread
from dms.background_tasks.scheduler import Scheduler
from dms.command.operation import Operations
from dms.config.live import LiveConfig
from dms.errors import StoreError
from dms.health import Health
from dms.init.configuring import Configuring
from dms.init.doors import Doors
from dms.init.live_telemetry import LiveTelemetry
from dms.init.logger import Logger
from dms.init.measuring import Measuring
from dms.init.shutdown import CANCEL, DOORS, DRAIN, SETTLE, STORE, TELEMETRY, Stage

_LISTED = 10
"""Tasks that a service manager is told by name."""


class Stopping(NamedTuple):
    """What of a node is to be stopped. It may be asked to before all of it has started."""

    logger: Logger
    health: Health
    measuring: Measuring
    configuring: Configuring
    scheduler: Scheduler
    live: LiveConfig
    store: SqliteStore
    operations: Operations
    doors: Doors
    tokens: Tokens
    telemetry: LiveTelemetry

    def stages(self) -> Sequence[Stage]:
        """What it does, in this order."""
        return [
            Stage(SETTLE, self._settle),
            Stage(DRAIN, self._drain, self._draining, only_waits=True),
            Stage(CANCEL, self._cancel, self._cancelling),
            Stage(DOORS, self._close_doors),
            Stage(STORE, self._close_store),
            Stage(TELEMETRY, self._flush_telemetry),
        ]

    async def _settle(self, within: float) -> Sequence[str]:
        """Nothing starts by itself any more, and what has happened is on disk: from here on a kill loses nothing."""
        self.health.ready(False)
        self.measuring.stop()
        await self.configuring.stop()
        all_written = await self.scheduler.settle()
        async with self.live.unchanging():
            pass  # a change that has begun is whole
        if not self.configuring.watches:
            return []  # the start did not come so far that there could be anything to write
        await asyncio.wrap_future(self.store.save([]))
        if not all_written:
            self.logger.error("the store did not take what has happened; a part of the history will be missing")
            return ["unwritten history"]
        self.logger.info("what has happened is on disk", running=self.scheduler.running())
        return []

    async def _drain(self, within: float) -> Sequence[str]:
        self.operations.closed = True
        await self.scheduler.drain()
        return []

    def _draining(self) -> str:
        return f"draining {_listed(self.scheduler.running())}"

    async def _cancel(self, within: float) -> Sequence[str]:
        return await self.scheduler.cut_off(within)

    def _cancelling(self) -> str:
        return f"cancelling {_listed(self.scheduler.running())}"

    async def _close_doors(self, within: float) -> Sequence[str]:
        await self.doors.close(within)
        return []

    async def _close_store(self, within: float) -> Sequence[str]:
        try:
            await in_thread(self.tokens.close)
        except StoreError as error:  # a full disk, and no reason to leave the store open
            self.logger.warning(f"when each token was used last is not kept: {error}")
        await in_thread(self.store.close)
        return []

    async def _flush_telemetry(self, within: float) -> Sequence[str]:
        return await self.telemetry.flush(within * 0.8)  # the rest is for saying what did not arrive


def _listed(names: Sequence[str]) -> str:
    count = f"{len(names)} task{'' if len(names) == 1 else 's'}"
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"{count}: {', '.join(names[:_LISTED])}{more}" if names else count
