"""`node-retention`: lets go of executions that are older or more than the configuration keeps."""

import asyncio

from dms.background_tasks.running.run import Run
from dms.background_tasks.tasks.task import Durability, Lane, Task
from dms.background_tasks.triggers.trigger import PeriodicTrigger
from dms.plugins.context import NodeContext

NAME = "node-retention"


def retention_task(context: NodeContext) -> Task:
    """The task; its result is how many executions went."""

    async def retain(run: Run) -> int:
        kept = run.config.scheduler
        gone = context.scheduler.retain(kept.history_max_age, kept.history_max_count, kept.history_max_size * 1_000_000)
        return await asyncio.wrap_future(gone)

    return Task(
        NAME,
        retain,
        description="Lets go of old executions",
        triggers=[PeriodicTrigger("1h", jitter="10m")],
        timeout="30m",
        durability=Durability.NONE,
        lane=Lane.NODE,
    )
