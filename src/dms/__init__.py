"""DMS: the runtime that lives on a device. As a library: tasks, triggers, the scheduler.

Names are loaded when they are first used, so that `import dms` costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dms.adapters.memory import MemoryStore as MemoryStore
    from dms.adapters.sqlite import SqliteStore as SqliteStore
    from dms.adapters.transcripts import FileTranscripts as FileTranscripts
    from dms.background_tasks.asking.recording import Recording as Recording
    from dms.background_tasks.asking.replaying import replay as replay
    from dms.background_tasks.asking.view import RunEvent as RunEvent
    from dms.background_tasks.asking.view import TaskView as TaskView
    from dms.background_tasks.channel import Channel as Channel
    from dms.background_tasks.handle import Handle as Handle
    from dms.background_tasks.running.run import Progress as Progress
    from dms.background_tasks.running.run import Run as Run
    from dms.background_tasks.scheduler import Scheduler as Scheduler
    from dms.background_tasks.store import ExecutionStore as ExecutionStore
    from dms.background_tasks.tasks.breaker import Breaker as Breaker
    from dms.background_tasks.tasks.concurrency import Concurrency as Concurrency
    from dms.background_tasks.tasks.limits import Limits as Limits
    from dms.background_tasks.tasks.retry import Backoff as Backoff
    from dms.background_tasks.tasks.retry import GiveUp as GiveUp
    from dms.background_tasks.tasks.retry import RetryLater as RetryLater
    from dms.background_tasks.tasks.retry import RetryPolicy as RetryPolicy
    from dms.background_tasks.tasks.task import CatchUp as CatchUp
    from dms.background_tasks.tasks.task import Durability as Durability
    from dms.background_tasks.tasks.task import Event as Event
    from dms.background_tasks.tasks.task import Execution as Execution
    from dms.background_tasks.tasks.task import Overlap as Overlap
    from dms.background_tasks.tasks.task import Program as Program
    from dms.background_tasks.tasks.task import Status as Status
    from dms.background_tasks.tasks.task import Task as Task
    from dms.background_tasks.tasks.task import Usage as Usage
    from dms.background_tasks.triggers.event_trigger import EventTrigger as EventTrigger
    from dms.background_tasks.triggers.exclusion import Calendar as Calendar
    from dms.background_tasks.triggers.trigger import OneTimeTrigger as OneTimeTrigger
    from dms.background_tasks.triggers.trigger import PeriodicTrigger as PeriodicTrigger
    from dms.background_tasks.triggers.trigger import Trigger as Trigger
    from dms.command.command import Command as Command
    from dms.command.operation import Effect as Effect
    from dms.command.operation import Operation as Operation
    from dms.config import Config as Config
    from dms.config import default_config as default_config
    from dms.config import find_config as find_config
    from dms.config import get_config as get_config
    from dms.config import load_config as load_config
    from dms.config import remove_comments as remove_comments
    from dms.config import search_paths as search_paths
    from dms.config import set_config as set_config
    from dms.errors import ConfigError as ConfigError
    from dms.errors import Conflict as Conflict
    from dms.errors import DmsError as DmsError
    from dms.errors import InvalidCron as InvalidCron
    from dms.errors import InvalidInput as InvalidInput
    from dms.errors import InvalidTask as InvalidTask
    from dms.errors import InvalidTrigger as InvalidTrigger
    from dms.errors import Misuse as Misuse
    from dms.errors import NotFound as NotFound
    from dms.errors import ShuttingDown as ShuttingDown
    from dms.errors import StoreError as StoreError
    from dms.errors import WaitTimeout as WaitTimeout
    from dms.plugins.context import NodeContext as NodeContext

__version__ = "0.1.0"

_ROOMS = {
    "dms.adapters.memory": ("MemoryStore",),
    "dms.adapters.sqlite": ("SqliteStore",),
    "dms.adapters.transcripts": ("FileTranscripts",),
    "dms.background_tasks.tasks.breaker": ("Breaker",),
    "dms.background_tasks.channel": ("Channel",),
    "dms.background_tasks.tasks.concurrency": ("Concurrency",),
    "dms.background_tasks.tasks.limits": ("Limits",),
    "dms.background_tasks.triggers.event_trigger": ("EventTrigger",),
    "dms.background_tasks.triggers.exclusion": ("Calendar",),
    "dms.background_tasks.handle": ("Handle",),
    "dms.background_tasks.asking.recording": ("Recording",),
    "dms.background_tasks.asking.replaying": ("replay",),
    "dms.background_tasks.tasks.retry": ("Backoff", "GiveUp", "RetryLater", "RetryPolicy"),
    "dms.background_tasks.running.run": ("Progress", "Run"),
    "dms.background_tasks.scheduler": ("Scheduler",),
    "dms.background_tasks.store": ("ExecutionStore",),
    "dms.background_tasks.tasks.task": (
        "CatchUp", "Durability", "Event", "Execution", "Overlap", "Program", "Status", "Task", "Usage",
    ),
    "dms.background_tasks.triggers.trigger": ("OneTimeTrigger", "PeriodicTrigger", "Trigger"),
    "dms.background_tasks.asking.view": ("RunEvent", "TaskView"),
    "dms.command.command": ("Command",),
    "dms.command.operation": ("Effect", "Operation"),
    "dms.config": (
        "Config", "default_config", "find_config", "get_config", "load_config", "remove_comments", "search_paths",
        "set_config",
    ),
    "dms.errors": (
        "ConfigError", "Conflict", "DmsError", "InvalidCron", "InvalidInput", "InvalidTask", "InvalidTrigger", "Misuse",
        "NotFound", "ShuttingDown", "StoreError", "WaitTimeout",
    ),
    "dms.plugins.context": ("NodeContext",),
}  # fmt: skip
_HOMES = {name: room for room, names in _ROOMS.items() for name in names}

__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    """Load a public name from its room when it is first asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module 'dms' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
