"""Chains: tasks that begin with the end of others, and those that would run round and round. Pure.

What a task's own code emits can't be seen here, only what its triggers wait for.
"""

from collections.abc import Callable, Iterable, Iterator

from dms.background_tasks.tasks.task import Task

_ENDINGS = ("success", "failed")


def waited_for(task: Task) -> Iterator[str]:
    """The names of the tasks for whose end a task waits."""
    for trigger in task.event_triggers:
        match trigger.topic.split("."):
            case ["task", name, ending] if ending in _ENDINGS:
                yield name


def circle_of(name: str, before: Callable[[str], Iterable[str]]) -> list[str]:
    """A circle that leads from a task back to itself, in the order in which they would run; empty where there is none.
    `before(name)` gives the tasks for whose end one waits."""
    came_from: dict[str, str] = {}
    to_see = [name]
    while to_see:
        at = to_see.pop()
        for other in before(at):
            if other == name:
                return _way(name, at, came_from)
            if other not in came_from:
                came_from[other] = at
                to_see.append(other)
    return []


def _way(name: str, at: str, came_from: dict[str, str]) -> list[str]:
    way = [name]
    while at != name:
        way.append(at)
        at = came_from[at]
    return [*way, name]


def told(circle: list[str]) -> str:
    """What is wrong with it.

    >>> told(["backup", "report", "backup"])
    'backup → report → backup is a circle: each runs at the end of the one before it, for ever; take one out'
    """
    return f"{' → '.join(circle)} is a circle: each runs at the end of the one before it, for ever; take one out"
