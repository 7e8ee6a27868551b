# /// script
# dependencies = []
#
# [tool.bench]
# project = true
# ///
"""A running node's configuration, in memory: as `dms_config`, and the change is compared, a subscriber prepares and
applies it, and it is kept as a revision with its author; on a loop, in a task of its own."""

import asyncio
from itertools import cycle

from dms.adapters.config_store import MemoryConfigStore
from dms.clock import SystemClock
from dms.config.live import LiveConfig

from _arena import main
from dms_config import make

loop = asyncio.new_event_loop()


class Subscriber:
    name = "subscriber"

    async def prepare(self, change):
        pass

    async def apply(self, change):
        pass

    async def abandon(self, change):
        pass


async def read():
    return make()


live = LiveConfig(make(), MemoryConfigStore(), SystemClock(), read)
live.start()
loop.run_until_complete(live.record_start())
live.subscribe(Subscriber())
values = cycle([20, 30])


def change(value):
    loop.run_until_complete(live.set({"scheduler.limits.max_running": value}, author="bench", volatile=True))


change(20)
assert live.config.scheduler.limits.max_running == 20

main(globals(), read="live.config.scheduler.limits.max_running", set="change(next(values))")
