"""Takes what the installed plugins bring; what is wrong with one is a finding that names it, and harms no other."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from dms.health import Finding
from dms.plugins.context import Logger, NodeContext
from dms.plugins.entry_point import EntryPoint, entry_points
from dms.plugins.making import Unusable, make
from dms.plugins.registration import Registration

TASKS = "dms.tasks"
OPERATIONS = "dms.operations"

ORIGIN = "plugin"
"""The origin of tasks that came so."""


async def take_plugins(
    path: Sequence[str],
    context: Callable[[str], NodeContext],
    registration: Registration,
    report: Callable[[Finding], None],
) -> bool:
    """Take the tasks and operations of all distributions in the folders of `path`, each made with its own `context`.
    Whether all that they offer could be taken."""
    found = entry_points((TASKS, OPERATIONS), path)
    made = await asyncio.gather(
        *(make(each, context(each.distribution)) for each in found), return_exceptions=True
    )  # at once, so that one that hangs costs the start no more than its own patience
    well = True
    for entry_point, offered in zip(found, made, strict=True):
        problems = _take(entry_point, offered, registration, context(entry_point.distribution).logger)
        if problems:
            subject = f"{entry_point.distribution} {entry_point.group} {entry_point.name}"
            report(Finding("plugin", subject, f"plugin {entry_point}: {'; '.join(problems)}. Mend it, or uninstall it"))
            well = False
    return well


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
