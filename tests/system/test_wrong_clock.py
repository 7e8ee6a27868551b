"""A real node whose wall clock is wrong, is set while it runs, or is right at last. libfaketime, which the tests' own
packages bring, shows the node another wall clock; its other clocks are the machine's."""

import importlib.util
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, time
from typing import Any

import pytest

from dms.clock import is_synchronized

PATIENCE = 20.0

TICK = {"call": "functions:work", "every": "200ms", "durability": "none"}
SECONDLY = {"call": "functions:work", "cron": "* * * * * *", "timezone": "UTC"}
DAILY = {"call": "functions:work", "every": "1d"}
NIGHTLY = {"call": "functions:work", "cron": "0 3 * * *", "timezone": "UTC"}


class WallClock:
    """What a node takes the time to be: the machine's, and so many seconds."""

    def __init__(self, library: Path, file: Path) -> None:
        self._file = file
        self.set_by(0)
        self.environment = {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def set_by(self, seconds: int) -> None:
        """Set it to so many seconds ahead of the right time."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{seconds:+d}\n")
        new.replace(self._file)

    def set_to(self, moment: str) -> None:
        """Set it to a moment, UTC."""
        self.set_by(int(datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp() - time()))


def library() -> Path | None:
    """Where libfaketime is; it must not be imported."""
    found = importlib.util.find_spec("libfaketime")
    folders = [] if found is None else list(found.submodule_search_locations or ())
    return next((place for folder in folders for place in Path(folder).rglob("libfaketime.so.1")), None)


@pytest.fixture
def wall_clock(tmp_path: Path) -> WallClock:
    place = library()
    if place is None:
        pytest.skip("libfaketime is not installed: no node can be shown another time")
    made = WallClock(place, tmp_path / "clock")
    made.set_to("2001-02-03T04:05:06")
    shown = subprocess.run(
        [sys.executable, "-c", "import time; print(time.gmtime().tm_year)"],
        env=made.environment,
        capture_output=True,
        text=True,
    )
    if shown.stdout != "2001\n":
        pytest.skip(f"libfaketime does not work on this machine: {shown.stderr or shown.stdout}")
    return made


def until(holds: Callable[[], Any]) -> Any:
    """Ask until it holds."""
    deadline = monotonic() + PATIENCE
    while not (found := holds()):
        assert monotonic() < deadline, "it did not come to that"
    return found


def year_of(moment: str) -> int:
    return datetime.fromisoformat(moment).year


def run_in(node: Any, task: str, year: int) -> dict[str, Any]:
    """The last run of a task, once that is of such a year."""

    def last() -> Any:
        execution = node.ask("task.get", name=task)["last"]
        return execution if execution and execution["ended_at"] and year_of(execution["due_at"]) == year else None

    return dict(until(last))


def ticks_on(node: Any) -> None:
    """The interval goes on, however the clock was set."""
    ended = [line for line in node.log if (line.get("task"), line.get("status")) == ("tick", "success")]
    node.wait_for_end_of("tick", times=len(ended) + 3)


def test_a_clock_that_is_set_back_by_years_and_ahead_by_decades_stops_nothing(
    nodes: Any, wall_clock: WallClock
) -> None:
    """dbader/schedule#323 and its kin: set back, a clock silenced what was due; set ahead, it all ran in a flood."""
    nodes.configure(tasks={"tick": TICK, "secondly": SECONDLY}, scheduler={"trust_clock": "always"})
    wall_clock.set_to("2026-07-01T12:00:00")
    node = nodes.start(**wall_clock.environment)
    run_in(node, "secondly", 2026)
    ticks_on(node)
    for year in (2020, 2060, 2026):
        before = len(node.journal)
        wall_clock.set_to(f"{year}-07-01T12:00:00")
        run_in(node, "secondly", year)
        ticks_on(node)
        assert len(node.journal) - before < 500
    task = node.ask("task.get", name="secondly")
    assert task["skipped"]["missed"] > 30 * 365 * 86_400
    assert 0 == node.stop()


@pytest.mark.skipif(is_synchronized(), reason="this machine's kernel says that its clock is right")
@pytest.mark.parametrize("woke", ["1970-01-01T00:00:40", "2098-02-03T04:05:06"])
def test_a_first_boot_in_a_wrong_year_is_set_right_once_the_clock_is_trusted(
    nodes: Any, wall_clock: WallClock, woke: str
) -> None:
    nodes.configure(tasks={"tick": TICK, "secondly": SECONDLY, "nightly": NIGHTLY, "daily": DAILY})
    wall_clock.set_to(woke)
    node = nodes.start(**wall_clock.environment)
    run_in(node, "secondly", year_of(woke))
    ticks_on(node)
    wall_clock.set_by(0)
    node.ask("config.set", changes={"scheduler.trust_clock": "always"})
    today = datetime.now(UTC)
    run_in(node, "secondly", today.year)
    ticks_on(node)

    def coming(task: str) -> datetime:
        return datetime.fromisoformat(node.ask("task.get", name=task)["next_fire"])

    assert {} == node.ask("task.get", name="nightly")["skipped"]
    assert [] == node.history("nightly")
    assert 0 < (coming("nightly") - today).total_seconds() <= 86_410
    daily = coming("daily")
    assert 86_000 < (daily - today).total_seconds() <= 86_410
    node.kill()

    node = nodes.start(**wall_clock.environment)
    assert abs((daily - coming("daily")).total_seconds()) < 1
    assert 0 == node.stop()


@pytest.mark.skipif(is_synchronized(), reason="this machine's kernel says that its clock is right")
def test_a_reboot_in_1970_loses_no_history_and_fires_nothing_again(nodes: Any, wall_clock: WallClock) -> None:
    nodes.configure(tasks={"once": {"call": "functions:work", "at": "2026-01-01T00:00:00Z"}, "tick": TICK})
    wall_clock.set_by(0)
    node = nodes.start(**wall_clock.environment)
    node.wait_for_end_of("once")
    node.kill()

    wall_clock.set_to("1970-01-01T00:00:40")
    node = nodes.start(**wall_clock.environment)
    ticks_on(node)
    wall_clock.set_by(0)
    ticks_on(node)
    assert ["success"] == [execution["status"] for execution in node.history("once")]
    assert 0 == node.stop()
