"""What a node does about its configuration: says what changed and what was refused, and reads the files anew."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, get_origin

import msgspec

from dms.background_tasks.running.loop_thread import in_thread
from dms.command.config import RevisionDocument
from dms.command.topic import Topic
from dms.config import ConfigChange, ConfigFinding
from dms.config.finding import key_path
from dms.config.live import LiveConfig
from dms.config.setting import key_at
from dms.config.store import RecordedChange, Revision
from dms.config.watch import FileWatch
from dms.errors import ConfigError, DmsError, StoreError
from dms.health import Finding, Health
from dms.init.logger import Logger

REFUSED = "config_refused"
"""The code of the finding that the files say something which was not taken."""

NOT_KEPT = "config_not_kept"
"""The code of the finding that the configuration of the start is not in the history; the next change mends it."""


class Configuring:
    """Tells the log, the health answer and the topic `config` of what becomes of the configuration. `refresh` looks,
    after the files, at what they name."""

    def __init__(
        self,
        live: LiveConfig,
        logger: Logger,
        health: Health,
        topic: Topic,
        refresh: Callable[[], Awaitable[None]],
    ) -> None:
        self._live, self._logger, self._health, self._topic = live, logger, health, topic
        self._refresh = refresh
        self._findings: list[Finding] = []
        self._reloading: set[asyncio.Task[None]] = set()
        self._watch: FileWatch | None = None

    @property
    def watches(self) -> bool:
        """Whether the start has come so far that a saved file is taken."""
        return self._watch is not None

    def watch(self, files: Callable[[], Sequence[Path]]) -> None:
        """From now on a file that is saved is taken."""
        loop = asyncio.get_running_loop()
        self._watch = FileWatch(files, partial(loop.call_soon_threadsafe, self.reload_soon))
        self._watch.start()

    async def record_start(self) -> None:
        """What was read at the start goes into the history; where that can't be kept, the node runs all the same."""
        try:
            await self._live.record_start()
        except StoreError as error:
            message = f"what was read at the start is not in the configuration's history: {error}"
            self._health.report(Finding(NOT_KEPT, "start", message))
            self._logger.error(message)

    def changed(self, revision: Revision) -> None:
        """A revision is in force."""
        what = ", ".join(map(self._told, revision.changes)) or "no value in force"
        self._logger.info(f"configuration changed: {what}", revision=revision.number, author=revision.author)
        self._health.clear(NOT_KEPT, "start")
        self._topic.publish(msgspec.to_builtins(RevisionDocument.of(revision)))

    def _told(self, change: RecordedChange) -> str:
        """What may be secret, as the environment of a program may, is not told in the log; the history has it."""
        known = key_at(self._live.loaded.sections, key_path(change.key))
        secret = known is not None and get_origin(known.type) is dict
        before, after = (_short(value and "…" if secret else value) for value in (change.before, change.after))
        return f"{change.key} {before} -> {after}"

    def found(self, findings: Sequence[ConfigFinding]) -> None:
        """What is wrong with the configuration in force, in the place of what was wrong with the one before."""
        known, self._findings = self._findings, [finding.for_health() for finding in findings]
        for finding in known:
            if finding not in self._findings:
                self._health.clear(finding.code, finding.subject)
        for finding in self._findings:
            if finding not in known:
                self._health.report(finding)
                self._logger.warning(finding.message)

    def reload_soon(self, then: Callable[[], None] = lambda: None) -> None:
        """Read the files anew, in a task of its own, and call `then`; on the loop. While the node starts it has just
        read them."""
        if not self.watches:
            return then()
        task = asyncio.get_running_loop().create_task(self._reload())
        self._reloading.add(task)
        task.add_done_callback(self._reloading.discard)
        task.add_done_callback(lambda _: then())

    async def _reload(self) -> None:
        await self._take_files()
        await self._refresh()

    async def _take_files(self) -> None:
        """Where the files are refused, say so loudly and go on as before."""
        try:
            await self._live.reload()
        except DmsError as error:
            why = "; ".join(str(error).splitlines())
            message = f"the files were not taken, the configuration stays as it was: {why}"
            self._health.report(Finding(REFUSED, "files", message))
            self._logger.error(message)
        else:
            self._health.clear(REFUSED, "files")

    async def stop(self) -> None:
        """Read nothing any more; a change that has begun is whole all the same."""
        if self._watch is not None:
            self._watch.stop()
        for task in self._reloading:
            task.cancel()
        await asyncio.gather(*self._reloading, return_exceptions=True)


class WorkFolder:
    """Makes the working folder of tasks wherever the configuration puts it; vetoes where it can't be made."""

    name = "work folder"

    async def prepare(self, change: ConfigChange) -> None:
        """Make the folder. ConfigError where it can't be made."""
        if change.touches("general.work_dir"):
            await in_thread(lambda: make_folder(change.new.config.general.work_dir))

    async def apply(self, change: ConfigChange) -> None:
        """Nothing is left to do."""

    async def abandon(self, change: ConfigChange) -> None:
        """An empty folder harms nobody."""


def make_folder(folder: Path) -> None:
    """Make the working folder of tasks. ConfigError where it can't be made."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"general.work_dir: {folder} can't be made: {error.strerror}; name a folder that this user may make"
        ) from None


def _short(value: Any) -> str:
    said = "nothing" if value is None else "{…}" if isinstance(value, dict) else value
    text = said if isinstance(said, str) else json.dumps(said, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:60]}…"
