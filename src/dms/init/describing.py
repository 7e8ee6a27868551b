"""What a node says of itself: to whoever asks for its status, and to whoever collects the figures of many."""

import os
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dms import __version__
from dms.background_tasks.scheduler import Scheduler
from dms.command.node import NodeInfo
from dms.config.live import LiveConfig
from dms.node_tasks import facts


class Description:
    """Which node it is. `started` is wall microseconds, `folder` its data folder, `places` tells where its doors are
    now."""

    def __init__(
        self,
        *,
        id: str,  # noqa: A002 - what it is called outside too
        name: str,
        started: int,
        folder: Path,
        live: LiveConfig,
        scheduler: Scheduler,
        places: Callable[[], Sequence[str]],
    ) -> None:
        self._id, self._name, self._started, self._folder = id, name, started, folder
        self._live, self._scheduler, self._places = live, scheduler, places

    def info(self) -> NodeInfo:
        """As a status tells it."""
        file = self._live.loaded.file
        return NodeInfo(
            name=self._name,
            version=__version__,
            pid=os.getpid(),
            started=self._started,
            data_dir=str(self._folder),
            config_file=None if file is None else os.path.abspath(file),
            doors=list(self._places()),
            facts=self._facts(),
            revision=self._live.revision,
            config_hash=self._live.hash,
        )

    def resource(self) -> Mapping[str, str]:
        """What whoever collects figures, logs and traces of many calls it by."""
        return {
            "service.name": "dms",
            "service.version": __version__,
            "service.instance.id": self._id,
            "host.name": socket.gethostname(),
            "dms.config.hash": self._live.hash,
        }

    def _facts(self) -> Mapping[str, Any]:
        """What the task that gathers them found last; nothing where it has not run yet, or failed."""
        last = self._scheduler.view(facts.NAME).last
        return last.results if last is not None and isinstance(last.results, dict) else {}
