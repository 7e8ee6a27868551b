# /// script
# dependencies = []
#
# [tool.bench]
# project = true
# ///
"""One task a tick, each with a one-time trigger; in memory, with history."""

import dms

from _arena import N, atick, main, tick


async def race(clock, function):
    async with dms.Scheduler(max_running_tasks=100) as scheduler:
        async with clock:
            for i in range(N):
                scheduler.add_task(dms.Task(f"tick-{i}", function, triggers=[dms.OneTimeTrigger(delay=0)]))


main(sync=lambda clock: race(clock, tick), async_=lambda clock: race(clock, atick))
