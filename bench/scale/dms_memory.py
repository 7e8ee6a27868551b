# /// script
# dependencies = []
#
# [tool.bench]
# project = true
# ///
"""Each task by itself, with a name, an interval and a moment to start from; in memory, with history."""

from datetime import UTC, datetime

import dms

from _arena import main


class Contestant:
    def __init__(self):
        self.scheduler = dms.Scheduler(max_running_tasks=1000)

    async def fill(self, tasks):
        self.scheduler.add_tasks(
            dms.Task(
                f"task-{argument}",
                function,
                (argument,),
                triggers=(dms.PeriodicTrigger(interval, start=datetime.fromtimestamp(due, UTC)),),
            )
            for function, argument, interval, due in tasks
        )
        await self.scheduler.astart()

    async def close(self):
        await self.scheduler.astop("0s", "0s")


main(Contestant)
