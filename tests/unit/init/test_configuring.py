import asyncio
import io
import json
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from dms.adapters.config_store import MemoryConfigStore
from dms.command.config import config_topic
from dms.config import load
from dms.config.live import LiveConfig
from dms.config.store import Revision
from dms.errors import StoreError
from dms.health import Health
from dms.init.configuring import Configuring
from dms.init.logger import configure_logger, get_logger
from dms.testing import FakeClock


async def nothing_named() -> None:
    """What the files name is looked at by the doors."""


class FullAtFirst(MemoryConfigStore):
    """A store that can't keep the first revision."""

    full = True

    def save(self, revision: Revision) -> Future[None]:
        if not self.full:
            return super().save(revision)
        self.full = False
        failed: Future[None] = Future()
        failed.set_exception(StoreError("no room left on the disk"))
        return failed


async def test_a_start_that_can_not_be_kept_is_said_until_the_next_change_is(tmp_path: Path) -> None:
    stream, clock, health = io.StringIO(), FakeClock(), Health()
    configure_logger("info", stream, lambda _: None, clock)
    live = LiveConfig(load(environ={"HOME": str(tmp_path)}), FullAtFirst(), clock, _never)
    live.start()
    configuring = Configuring(live, get_logger("dms"), health, config_topic(1), nothing_named)
    live.listen(configuring.changed)
    await configuring.record_start()
    told = "what was read at the start is not in the configuration's history: no room left on the disk"
    assert ([told], ["error"]) == (
        [finding.message for finding in health.findings()],
        [json.loads(line)["level"] for line in stream.getvalue().splitlines()],
    )
    await live.set({"general.debug": True}, author="ana")
    assert ([], 1) == (health.findings(), live.revision)


async def test_what_a_program_finds_in_its_environment_is_not_told_in_the_log(tmp_path: Path) -> None:
    """pydantic/pydantic#8303: a secret that stood beside what was told of was shown with it."""
    stream, clock = io.StringIO(), FakeClock()
    configure_logger("info", stream, lambda _: None, clock)
    live = LiveConfig(load(environ={"HOME": str(tmp_path)}), MemoryConfigStore(), clock, _never)
    live.start()
    live.listen(Configuring(live, get_logger("dms"), Health(), config_topic(1), nothing_named).changed)
    for changes in (
        {"tasks.x": {"run": ["true"], "env": {"PASSWORD": "hunter2"}}},
        {"tasks.x.env.TOKEN": "hunter2"},
        {"tasks.x.env": {"PASSWORD": "hunter2"}},
        {"tasks.x.every": "5m"},
    ):
        await live.set(changes, author="ana")
    told = [
        json.loads(line)["event"].removeprefix("configuration changed: ") for line in stream.getvalue().splitlines()
    ]
    assert "hunter2" not in stream.getvalue()
    assert ["tasks.x nothing -> {…}", "tasks.x.env.TOKEN nothing -> …", "tasks.x.env.TOKEN … -> nothing"] == told[:3]
    assert "tasks.x.every nothing -> 5m" == told[3]


async def test_what_is_wrong_with_files_is_one_line_and_values_are_told_as_they_are_written(tmp_path: Path) -> None:
    stream, clock, health = io.StringIO(), FakeClock(), Health()
    configure_logger("info", stream, lambda _: None, clock)
    file, environ = tmp_path / "dms_config.yaml", {"HOME": str(tmp_path)}
    file.write_text("general: {debug: false}\n")

    async def read() -> Any:
        return load(file, environ=environ)

    live = LiveConfig(load(file, environ=environ), MemoryConfigStore(), clock, read)
    live.start()
    configuring = Configuring(live, get_logger("dms"), health, config_topic(1), nothing_named)
    live.listen(configuring.changed)
    file.write_text("general:\n  debug: 3\n  colour: red\n")
    done = asyncio.Event()
    configuring.watch(list)
    configuring.reload_soon(done.set)
    await done.wait()
    await configuring.stop()
    (finding,) = health.findings()
    assert (2, False) == (finding.message.count(str(file)), "\n" in finding.message)
    await live.set({"general.debug": True}, author="ana")
    told = json.loads(stream.getvalue().splitlines()[-1])["event"]
    assert "configuration changed: general.debug false -> true" == told


async def _never() -> Any:
    raise AssertionError
