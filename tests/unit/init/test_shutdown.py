import asyncio
import signal
import threading
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from dms.init.shutdown import Shutdown, Stage


class Log:
    """Keeps what is logged."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, dict[str, Any]]] = []

    def __getattr__(self, level: str) -> Any:
        return lambda event, **fields: self.lines.append((level, event, fields))


class Process:
    """A Shutdown, and what it does to the process."""

    def __init__(self, timeout: float = 5) -> None:
        self.log, self.hurried, self.reloads, self.ended = Log(), 0, 0, threading.Event()
        self.statuses: list[int] = []
        self.shutdown = Shutdown(timeout, self.log, self._hurry, lambda: ["stubborn"], self._end)  # type: ignore[arg-type]

    def reload(self) -> None:
        self.reloads += 1

    def _hurry(self) -> None:
        self.hurried += 1

    def _end(self, status: int) -> None:
        self.statuses.append(status)
        self.ended.set()

    @property
    def events(self) -> list[str]:
        return [event for _, event, _ in self.log.lines]


def stage(name: str, order: list[str], left: Sequence[str] = (), error: Exception | None = None) -> Stage:
    async def act() -> Sequence[str]:
        order.append(name)
        if error is not None:
            raise error
        return left

    return Stage(name, act)


async def test_the_stages_come_in_their_order_and_the_status_is_0() -> None:
    process, order = Process(), list[str]()
    assert 0 == await process.shutdown.run([stage("tasks", order), stage("store", order)])
    assert (["tasks", "store"], ["stopped"]) == (order, process.events)


async def test_what_was_left_behind_is_named_and_the_status_is_70() -> None:
    process = Process()
    assert 70 == await process.shutdown.run([stage("tasks", [], ["stubborn"]), stage("store", [])])
    assert ("error", "stopped late", {"left_behind": ["stubborn"]}) == process.log.lines[-1]


async def test_a_stage_that_raises_does_not_keep_the_next_from_being_tried() -> None:
    process, order = Process(), list[str]()
    stages = [stage("doors", order, error=OSError("gone")), stage("store", order)]
    assert 70 == await process.shutdown.run(stages)
    assert ["doors", "store"] == order
    assert ("exception", "a stage of the stop failed", {"stage": "doors", "error": "gone"}) == process.log.lines[0]


async def test_a_stage_that_takes_too_long_ends_the_process_and_is_named() -> None:
    process = Process(timeout=0.02)
    forever = asyncio.Event()

    async def hang() -> Sequence[str]:
        await forever.wait()
        return []

    stopping = asyncio.create_task(process.shutdown.run([Stage("store", hang)]))
    await asyncio.to_thread(process.ended.wait, 5)
    (line,) = process.log.lines
    assert ("error", "ended at once") == line[:2]
    assert ("store", ["stubborn"]) == (line[2]["stage"], line[2]["left_behind"])
    assert [70] == process.statuses
    forever.set()
    await stopping


async def test_after_the_stages_the_end_of_the_process_has_the_same_deadline() -> None:
    process = Process(timeout=0.02)
    let_go = threading.Event()
    thread = threading.Thread(target=let_go.wait, name="theirs")
    thread.start()
    assert 0 == await process.shutdown.run([])
    await asyncio.to_thread(process.ended.wait, 5)
    let_go.set()
    thread.join()
    assert ("the end of the process", True) == (
        process.log.lines[-1][2]["stage"],
        "theirs" in process.log.lines[-1][2]["threads"],
    )


async def test_a_start_that_hangs_does_not_outlast_the_signal() -> None:
    process = Process(timeout=0.02)
    process.shutdown.listen(False, process.reload)
    try:
        signal.raise_signal(signal.SIGTERM)
        await process.shutdown.requested()
        await asyncio.to_thread(process.ended.wait, 5)
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().remove_signal_handler(number)
    assert ([70], "the start") == (process.statuses, process.log.lines[-1][2]["stage"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_the_first_signal_stops_the_second_hurries_the_third_ends(number: signal.Signals) -> None:
    process = Process()
    process.shutdown.listen(False, process.reload)
    loop = asyncio.get_running_loop()
    try:
        signal.raise_signal(number)
        await process.shutdown.requested()
        assert ([("info", "stopping", {"signal": number.name, "within": "5s"})], 0) == (
            process.log.lines,
            process.hurried,
        )
        signal.raise_signal(number)
        signal.raise_signal(number)
        await asyncio.to_thread(process.ended.wait, 5)
    finally:
        for each in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(each)
    assert (1, [70]) == (process.hurried, process.statuses)
    assert ["stopping", "stopping now; what runs is cancelled", "ended at once"] == process.events


@pytest.fixture
async def unheard() -> AsyncIterator[None]:
    """No signal is heard any more after the test."""
    yield
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
        asyncio.get_running_loop().remove_signal_handler(each)


async def told_after_hangups(on_terminal: bool, reloads: int = 0) -> list[tuple[str, str]]:
    """What is logged where the terminal and then a shell say that the terminal is gone."""
    process, heard = Process(), asyncio.Event()
    process.shutdown.listen(on_terminal, process.reload)
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, heard.set)
    for number in (signal.SIGHUP, signal.SIGHUP, signal.SIGUSR1):
        signal.raise_signal(number)
    await heard.wait()
    assert (0, reloads) == (process.hurried, process.reloads)
    return [(level, event) for level, event, _ in process.log.lines]


@pytest.mark.usefixtures("unheard")
async def test_a_node_whose_terminal_has_gone_stops_in_its_own_time() -> None:
    """graphite-project/carbon#197: a hangup ended the process at once, and what was unwritten was lost."""
    assert [("info", "stopping")] == await told_after_hangups(on_terminal=True)


@pytest.mark.usefixtures("unheard")
async def test_without_a_terminal_a_hangup_reads_the_configuration_anew_and_ends_nothing() -> None:
    """zeroclaw-labs/zeroclaw#3721: the end of a session ended the service that was started in it."""
    message = "reading the configuration's files anew"
    assert [("info", message)] * 2 == await told_after_hangups(on_terminal=False, reloads=2)


@pytest.mark.usefixtures("unheard")
async def test_a_hangup_that_is_ignored_stays_so() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert [] == await told_after_hangups(on_terminal=True)
    finally:
        signal.signal(signal.SIGHUP, before)
