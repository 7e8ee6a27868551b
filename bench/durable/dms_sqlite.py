# /// script
# dependencies = []
#
# [tool.bench]
# project = true
# ///
"""One task, 64 runs of it in flight. A run's start is on disk before its function is called, and its end before whoever
waits for it is told. Commits are always synchronous, so that there is no row for safety=normal."""

import asyncio

import dms
from dms.adapters.sqlite import SqliteStore

from _arena import FILE, FULL, N, atick, start

CALLERS = 64


async def race(clock):
    store = SqliteStore(FILE)
    async with dms.Scheduler(max_running_tasks=CALLERS, store=store) as scheduler:
        task = dms.Task("tick", atick, overlap="allow", max_instances=CALLERS)
        scheduler.add_task(task)
        numbers = iter(range(N))

        async def call():
            for _ in numbers:
                await scheduler.run_task("tick")

        async with clock:
            await asyncio.gather(*(call() for _ in range(CALLERS)))
            clock.stop()


if FULL:
    start(race)
