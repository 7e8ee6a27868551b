"""The `tasks` section: from configuration to Task."""

from dms.declared_tasks.declared import Declared, check_tasks, tasks_from
from dms.declared_tasks.function_loader import FunctionLoader, Unloadable

__all__ = ["Declared", "FunctionLoader", "Unloadable", "check_tasks", "tasks_from"]
