import io
import json
from pathlib import Path
from typing import Any

import pytest

from dms.adapters.config_store import MemoryConfigStore
from dms.config import Loaded, load
from dms.config.change import ConfigChange
from dms.config.live import LiveConfig
from dms.errors import ConfigError, DmsError
from dms.health import Health
from dms.init.live_log import LiveLog
from dms.init.logger import configure_logger, get_logger
from dms.testing import FakeClock


class Veto:
    """A subscriber that comes after the log and refuses whatever it is asked."""

    name = "veto"

    async def prepare(self, change: ConfigChange) -> None:
        raise ConfigError("no")

    async def apply(self, change: ConfigChange) -> None:
        raise AssertionError

    async def abandon(self, change: ConfigChange) -> None:
        """There is nothing to undo."""


class Life:
    """A log that follows a live configuration."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.folder, self.stream, self.health, self.clock = folder, io.StringIO(), Health(), FakeClock()
        self.log = configure_logger("info", self.stream, lambda _: None, self.clock)
        loaded = load(arguments=arguments, environ={"HOME": str(folder)})

        async def again() -> Loaded:
            return loaded

        self.live = LiveConfig(loaded, MemoryConfigStore(), self.clock, again)
        self.live.start()
        self.live_log = LiveLog(self.log, self.health, self.clock)
        self.live_log.start(self.live.config)
        self.live.subscribe(self.live_log)
        self.logger = get_logger("test")

    async def set(self, **values: Any) -> None:
        given = {f"observability.{key}": value for key, value in values.items()}
        await self.live.set(given, author="test", volatile=True)

    def events(self, name: str) -> list[str]:
        return [json.loads(line)["event"] for line in (self.folder / name).read_text().splitlines()]

    @property
    def told(self) -> list[str]:
        return [json.loads(line)["event"] for line in self.stream.getvalue().splitlines()]

    def findings(self) -> list[tuple[str, str]]:
        return [(finding.code, finding.subject) for finding in self.health.findings()]


def is_open(path: Path) -> bool:
    return any(path == link.resolve() for link in Path("/proc/self/fd").iterdir())


async def test_the_level_follows_the_configuration(tmp_path: Path) -> None:
    life = Life(tmp_path, "observability.log_level=warning")
    life.logger.info("quiet")
    await life.set(log_level="info")
    life.logger.info("loud")
    await life.live.set({"general.debug": True}, author="test", volatile=True)
    life.logger.debug("louder")
    await life.live.set({"general.debug": False}, author="test", volatile=True)
    life.logger.debug("quiet")
    assert ["loud", "louder"] == life.told


async def test_a_file_is_written_changed_and_left(tmp_path: Path) -> None:
    life = Life(tmp_path, f"observability.log_file={tmp_path / 'a'}")
    life.logger.info("one")
    await life.set(log_file=str(tmp_path / "b"))
    life.logger.info("two")
    await life.set(log_file=None)
    life.logger.info("three")
    assert (["one"], ["two"], ["one", "two", "three"]) == (life.events("a"), life.events("b"), life.told)


async def test_how_much_is_kept_changes_without_a_line_lost(tmp_path: Path) -> None:
    life = Life(tmp_path, f"observability.log_file={tmp_path / 'a'}")
    life.logger.info("one")
    (tmp_path / "a.5").write_text("")
    await life.set(max_backups=2)
    life.logger.info("two")
    assert (["one", "two"], False) == (life.events("a"), (tmp_path / "a.5").exists())


async def test_a_file_that_can_not_be_written_is_vetoed_and_the_log_goes_on_as_it_was(tmp_path: Path) -> None:
    life = Life(tmp_path, f"observability.log_file={tmp_path / 'a'}")
    with pytest.raises(DmsError, match=rf"observability\.log_file: {tmp_path} can't be written: Is a directory"):
        await life.set(log_file=str(tmp_path), log_level="error")
    life.logger.info("one")
    assert (["one"], []) == (life.events("a"), life.findings())


async def test_another_ones_veto_leaves_the_log_as_it_was_and_nothing_open(tmp_path: Path) -> None:
    life = Life(tmp_path)
    life.live.subscribe(Veto())
    with pytest.raises(DmsError):
        await life.set(log_file=str(tmp_path / "a"))
    life.logger.info("one")
    assert ("", False) == ((tmp_path / "a").read_text(), is_open(tmp_path / "a"))


async def test_at_the_start_a_file_that_can_not_be_written_is_a_finding_until_it_can(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.mkdir()
    life = Life(tmp_path, f"observability.log_file={file}")
    assert [] == life.findings()
    life.logger.info("one")
    assert [("log_file", str(file))] == life.findings()
    file.rmdir()
    life.clock.advance("1s")
    life.logger.info("two")
    assert [] == life.findings()
    assert "lines are missing here: they could not be written" in life.events("a")[0].replace("of this log ", "")
    assert ["two", f"{file} can be written again"] == life.events("a")[1:]


async def test_a_finding_about_a_file_goes_with_the_file(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    life = Life(tmp_path, f"observability.log_file={tmp_path / 'a'}")
    life.logger.info("one")
    await life.set(log_file=str(tmp_path / "b"))
    assert [] == life.findings()
