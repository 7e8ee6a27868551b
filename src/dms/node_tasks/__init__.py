"""The node's own background tasks, one a file. They have slots of their own beside the users'."""

from dms.background_tasks.tasks.task import Task
from dms.node_tasks.facts import facts_task
from dms.node_tasks.retention import retention_task
from dms.plugins.context import NodeContext

ORIGIN = "node"


def node_tasks(context: NodeContext) -> list[Task]:
    """All of them; the function is such as a plugin has."""
    return [facts_task(context), retention_task(context)]
