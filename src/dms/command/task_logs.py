"""`task.logs`: what a task's runs log and print, kept and as it comes."""

import asyncio
from collections.abc import Collection
from contextlib import suppress
from functools import partial
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from dms.access.caller import LOGS_READ
from dms.background_tasks.asking.view import RunEvent
from dms.background_tasks.running.loop_thread import in_thread
from dms.background_tasks.running.transcript import Page, TranscriptLine, Transcripts, Wanted
from dms.background_tasks.scheduler import Scheduler
from dms.command.command import Command
from dms.command.operation import Effect, Operation
from dms.command.parameters import Name
from dms.errors import InvalidInput, InvalidParameters, NotFound
from dms.instant import parse_duration, rfc3339

LONGEST_WAIT = 60.0
"""Seconds that an answer waits for lines at most; whoever wants to follow longer asks again."""


class LogsParameters(msgspec.Struct, frozen=True, rename={"cursor": "from"}):
    """The task's name or ID; the run's or the execution's (None: the newest run that has lines and, with `from`,
    whatever comes after it); `from` which cursor on; how many lines; whether the newest instead of the first; and how
    long to wait for lines where there are none yet."""

    name: Name
    run: str | None = None
    cursor: str | None = None
    limit: Annotated[int, Meta(ge=1, le=1000)] = 1000
    newest: bool = False
    wait: str | float = 0


class LogLineDocument(msgspec.Struct, frozen=True):
    """One line: of which execution, its number in that, when it came, whether it was printed (stdout, stderr) or logged
    (debug, info, warning, error), and how many lines right before it are not kept."""

    execution: str
    number: int
    at: str | None
    kind: str
    text: str
    fields: dict[str, Any]
    dropped: int

    @classmethod
    def of(cls, line: TranscriptLine) -> "LogLineDocument":
        """The document of a line."""
        return cls(line.execution, line.number, rfc3339(line.at), line.kind, line.text, dict(line.fields), line.dropped)


class LogsDocument(msgspec.Struct, frozen=True):
    """Some lines; the cursor from which to ask for the next; whether there are `more` by now; and whether all is
    `over`, so that none will come: the run has ended or, where none was named, none of the task's is under way."""

    task: str
    lines: list[LogLineDocument]
    cursor: str
    more: bool
    over: bool


def task_log_operations(scheduler: Scheduler, transcripts: Transcripts) -> list[Operation]:
    """`task.logs`, of this scheduler's runs."""

    async def logs(params: LogsParameters, command: Command) -> LogsDocument:
        reading = _Reading(scheduler, transcripts, params)
        return await reading.read_within(min(parse_duration(params.wait, "wait").total_seconds(), LONGEST_WAIT))

    return [
        Operation(
            "task.logs",
            LogsParameters,
            LogsDocument,
            LOGS_READ,
            Effect.READ,
            logs,
            "Tells what a task's runs log and print, also while they run.",
            ({"name": "backup"}, {"name": "backup", "run": "1-345", "newest": True, "limit": 20}),
        )
    ]


def _wake(loop: asyncio.AbstractEventLoop, news: asyncio.Event) -> None:
    with suppress(RuntimeError):  # the loop is closed, and whoever asked gone
        loop.call_soon_threadsafe(news.set)


class _Reading:
    """One asker's reading; where there is nothing yet it waits for what comes."""

    def __init__(self, scheduler: Scheduler, transcripts: Transcripts, params: LogsParameters) -> None:
        self._scheduler, self._transcripts, self._params = scheduler, transcripts, params
        self._name = params.name if isinstance(params.name, str) else scheduler.get_task(params.name).name
        self._news = asyncio.Event()

    async def read_within(self, seconds: float) -> LogsDocument:
        """What there is; or, where that is nothing, what there is once something has come."""
        if not seconds:
            return await self._read()
        unfollow = self._transcripts.follow(self._name, partial(_wake, asyncio.get_running_loop(), self._news))
        unsubscribe = self._scheduler.subscribe(self._happened)
        try:
            async with asyncio.timeout(seconds):
                return await self._until_news()
        except TimeoutError:
            return await self._read()
        finally:
            unfollow()
            unsubscribe()

    def _happened(self, event: RunEvent) -> None:
        if event.task == self._name:
            self._news.set()

    async def _until_news(self) -> LogsDocument:
        while True:
            self._news.clear()
            found = await self._read()
            if found.lines or (found.over and self._params.run is not None):
                return found
            await self._news.wait()

    async def _read(self) -> LogsDocument:
        live = self._scheduler.live(self._name)  # asked first: what is over by now has said all that is read then
        page = await self._page(live)
        if not page.lines and not live:
            await self._check_known()
        over = not page.more and not self._may_come(live)
        return LogsDocument(self._name, list(map(LogLineDocument.of, page.lines)), page.cursor, page.more, over)

    async def _page(self, live: Collection[str]) -> Page:
        it = self._params
        wanted = Wanted(self._name, it.run, it.cursor, it.limit, it.newest, frozenset(live))
        try:
            return await in_thread(lambda: self._transcripts.read(wanted))
        except InvalidInput as error:
            raise InvalidParameters(str(error), ("from",)) from None

    def _may_come(self, live: dict[str, str]) -> bool:
        run = self._params.run
        return bool(live) if run is None else run in live or run in live.values()

    async def _check_known(self) -> None:
        """NotFound where there is no such task, or no such run of it."""
        run, name = self._params.run, self._name
        if run is None:
            self._scheduler.get_task(name)
            return
        try:
            await self._scheduler.history(name, 1, run)
        except NotFound:
            raise NotFound(f"nothing is known of a run {run} of {name}; task.history lists those that are") from None
