"""Takes what the installed plugins offer; what is wrong with one is a finding that names it, and harms no other."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from dms.background_tasks.scheduler import Scheduler
from dms.errors import DmsError
from dms.health import Finding
from dms.plugins.context import Logger, NodeContext
from dms.plugins.entry_point import GATES, OPERATIONS, TASKS, EntryPoint
from dms.plugins.making import Unusable, make, make_gate
from dms.plugins.registration import Registration

ORIGIN = "plugin"
"""The origin of tasks that came so."""


async def take_gates(
    offered: Sequence[EntryPoint],
    context: Callable[[str], NodeContext],
    scheduler: Scheduler,
    report: Callable[[Finding], None],
) -> None:
    """Take the gates among what is offered, each by the name of its entry point. One that can't be had stays closed,
    since tasks may wait for it."""
    found = [each for each in offered if each.group == GATES]
    made = await asyncio.gather(
        *(make_gate(each, context(each.distribution)) for each in found), return_exceptions=True
    )
    for entry_point, gate in zip(found, made, strict=True):
        if isinstance(gate, BaseException) and not isinstance(gate, Unusable):
            raise gate
        problems = [str(gate)] if isinstance(gate, Unusable) else []
        try:
            scheduler.add_gate(entry_point.name, never_open if isinstance(gate, BaseException) else gate)
        except DmsError as error:
            problems.append(str(error))
        if problems:
            report(_finding(entry_point, problems))


def never_open() -> bool:
    """Stands in for a gate that can't be had."""
    return False


async def take_plugins(
    offered: Sequence[EntryPoint],
    context: Callable[[str], NodeContext],
    registration: Registration,
    report: Callable[[Finding], None],
) -> bool:
    """Take the tasks and operations among what is offered, each made with the `context` of its distribution. Whether
    all of them could be taken."""
    found = [each for each in offered if each.group in (TASKS, OPERATIONS)]
    made = await asyncio.gather(
        *(make(each, context(each.distribution)) for each in found), return_exceptions=True
    )  # at once, so that one that hangs costs the start no more than its own patience
    well = True
    for entry_point, things in zip(found, made, strict=True):
        problems = _take(entry_point, things, registration, context(entry_point.distribution).logger)
        if problems:
            report(_finding(entry_point, problems))
            well = False
    return well


def _finding(entry_point: EntryPoint, problems: list[str]) -> Finding:
    subject = f"{entry_point.distribution} {entry_point.group} {entry_point.name}"
    return Finding("plugin", subject, f"plugin {entry_point}: {'; '.join(problems)}. Mend it, or uninstall it")


def _take(
    entry_point: EntryPoint, offered: "list[Any] | BaseException", registration: Registration, logger: Logger
) -> list[str]:
    """What is wrong with what an entry point gave; the rest of it is taken."""
    if isinstance(offered, Unusable):
        return [str(offered)]
    if isinstance(offered, BaseException):
        raise offered
    problems: list[str] = []
    if entry_point.group == TASKS:
        logger.info("tasks of a plugin", tasks=registration.tasks(offered, ORIGIN, problems.append))
    else:
        logger.info("operations of a plugin", operations=registration.operations(offered, problems.append))
    return problems
