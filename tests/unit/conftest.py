"""A node to ask, for the tests of the client and of the command line: a scheduler and the local door, in a thread."""

import asyncio
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from dms.adapters.config_store import MemoryConfigStore
from dms.adapters.transcripts import FileTranscripts
from dms.background_tasks.running.run import Run
from dms.background_tasks.scheduler import Scheduler
from dms.background_tasks.tasks.retry import RetryPolicy
from dms.background_tasks.tasks.task import Lane, Task
from dms.background_tasks.triggers.event_trigger import EventTrigger
from dms.background_tasks.triggers.trigger import PeriodicTrigger
from dms.clock import SystemClock
from dms.command.config import config_operations
from dms.command.events import event_operations
from dms.command.logs import logs_operations, logs_topic
from dms.command.node import NodeInfo, node_operations
from dms.command.operation import by_name
from dms.command.rpc import rpc_operations
from dms.command.subscription import subscription_operations
from dms.command.task_declarations import task_declaration_operations
from dms.command.task_fires import task_fire_operations
from dms.command.task_logs import task_log_operations
from dms.command.task_questions import task_question_operations
from dms.command.tasks import task_operations, task_runs_topic
from dms.config import Loaded, load
from dms.config.live import LiveConfig
from dms.health import Health
from dms.local.door import LocalDoor


class Refused(Exception):
    pass


def _defaults() -> Loaded:
    return load(environ={"HOME": "/nowhere"})


async def _defaults_again() -> Loaded:
    return _defaults()


class NodeInAThread:
    """`answer` gives 42; `broken` fails twice; `hold` runs until `let_go`; `listen` gives back what door.opened
    brings; `tidy` is the node's own. `begun` is set once `hold` runs."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.let_go, self.begun = Event(), Event()
        self.logs = logs_topic(epoch=1)
        self.health = Health()
        self.health.ready(True)
        self._up = Event()
        self._thread = Thread(target=lambda: asyncio.run(self._live()))

    def start(self) -> None:
        self._thread.start()
        assert self._up.wait(10)

    def stop(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(10)

    def following(self) -> int:
        """How many followers its topics have."""
        return sum(len(topic._followers) for topic in self._topics)

    def _hold(self, run: Run) -> str:
        run.progress(1, 4, "1 of 4 files")
        self.begun.set()
        self.let_go.wait(10)
        return "let go"

    def talk(self, *lines: list[str]) -> None:
        """Have a task `talk`, added now, say these lines, each with its kind."""
        self.scheduler.add_task(Task("talk", self._talk))
        self.scheduler.run_task("talk", lines).wait(10)

    def _talk(self, run: Run) -> None:
        for kind, text in run.event.payload if run.event else ():
            run.keep(kind, text)

    def _broken(self) -> None:
        raise Refused("connect to 127.0.0.1:8080 refused")

    async def _live(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        self._transcripts = FileTranscripts(self.data_dir / "runs")
        async with Scheduler(max_running_tasks=4, transcripts=self._transcripts) as self.scheduler:
            self.scheduler.add_tasks(
                [
                    Task("answer", lambda: 42, description="The answer.", triggers=[PeriodicTrigger("90m")]),
                    Task("broken", self._broken, retry_policy=RetryPolicy(1, "1ms")),
                    Task("hold", self._hold),
                    Task("listen", lambda run: run.event.payload, triggers=[EventTrigger("door.opened")]),
                    Task("tidy", print, lane=Lane.NODE),
                ]
            )
            self.door = LocalDoor(self.data_dir, await self._operations(), patience=5)
            self.socket = str(await self.door.start())
            self._up.set()
            await self._end.wait()
            await self.door.stop(0.1)
            self.let_go.set()

    async def _operations(self) -> Any:
        clock = SystemClock()
        live = LiveConfig(_defaults(), MemoryConfigStore(), clock, _defaults_again)
        live.start()
        await live.record_start()
        started = clock.now().wall - 250_000_000
        self._topics = [self.logs, task_runs_topic(self.scheduler, clock, epoch=1)]
        families = [
            task_operations(self.scheduler),
            task_fire_operations(self.scheduler),
            task_question_operations(self.scheduler),
            task_log_operations(self.scheduler, self._transcripts),
            event_operations(self.scheduler),
            config_operations(live),
            task_declaration_operations(self.scheduler, live),
            logs_operations(self.logs),
            node_operations(lambda: self._info(started), self.scheduler, self.health, clock),
            subscription_operations(self._topics),
        ]
        return by_name(*families, rpc_operations(lambda: [each for family in families for each in family], "0.1.0"))

    def _info(self, started: int) -> NodeInfo:
        return NodeInfo(
            "quiet-heron", "0.1.0", os.getpid(), started, str(self.data_dir), None, [f"socket {self.socket}"]
        )


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A folder with a short path, so that the socket lies in it."""
    with tempfile.TemporaryDirectory(prefix="dms") as folder:
        yield Path(folder)


@pytest.fixture
def node(data_dir: Path) -> Iterator[NodeInAThread]:
    made = NodeInAThread(data_dir)
    made.start()
    yield made
    made.stop()
