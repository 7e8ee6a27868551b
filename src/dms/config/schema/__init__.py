"""The sections that the node itself has, one a file; the `tasks` section is in `task_declaration`."""

from dms.config.schema.general import GeneralSection
from dms.config.schema.observability import ObservabilitySection
from dms.config.schema.rest import RestSection
from dms.config.schema.scheduler import SchedulerSection
from dms.config.schema.shutdown import ShutdownSection
from dms.config.schema.websocket import WebSocketSection

__all__ = [
    "GeneralSection",
    "ObservabilitySection",
    "RestSection",
    "SchedulerSection",
    "ShutdownSection",
    "WebSocketSection",
]
