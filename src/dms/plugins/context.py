"""NodeContext: what a node gives to whoever brings it tasks and operations."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import msgspec

from dms.background_tasks.scheduler import Scheduler
from dms.config import Config
from dms.instant import Clock


class Logger(Protocol):
    """Writes lines into the node's log; each has its event, and fields as plain values."""

    def debug(self, event: str, **fields: Any) -> Any:
        """Something that only its author wants to know."""

    def info(self, event: str, **fields: Any) -> Any:
        """Something worth knowing."""

    def warning(self, event: str, **fields: Any) -> Any:
        """Something that wants a look."""

    def error(self, event: str, **fields: Any) -> Any:
        """Something that went wrong."""


class NodeContext(msgspec.Struct, frozen=True):
    """The node, for whoever brings it tasks and operations: its name, the version of DMS, its data folder, its clock,
    its scheduler (not started yet), its configuration as it is at the moment of the call, and a logger."""

    name: str
    version: str
    data_dir: Path
    clock: Clock
    scheduler: Scheduler
    config: Callable[[], Config]
    logger: Logger
