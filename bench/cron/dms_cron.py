# /// script
# dependencies = []
#
# [tool.bench]
# project = true
# ///
from dms.background_tasks.triggers.cron import CronExpression
from dms.instant import from_datetime, to_datetime

from _arena import START, ZONE, main


def walker(expression):
    cron, last = CronExpression(expression, ZONE), from_datetime(START)

    def step():
        nonlocal last
        last = cron.next_after(last)
        return to_datetime(last)

    return step


main(walker)
