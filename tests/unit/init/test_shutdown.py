import asyncio
import signal
import threading
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from itertools import count
from typing import Any

import pytest

from dms.init.shutdown import CANCEL, DOORS, DRAIN, SHARES, STORE, Outside, Share, Shutdown, Stage


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
        self.told: list[tuple[float, str]] = []
        self.timeout = timeout
        outside = Outside(lambda: self.timeout, self._hurry, lambda: ["stubborn"], self._tell, self._end)
        self.shutdown = Shutdown(self.log, outside)  # type: ignore[arg-type]

    def listen(self, on_terminal: bool) -> None:
        self.shutdown.listen(on_terminal, self._reload, self._hear)

    def _hear(self, numbers: Collection[int], heard: Callable[[int], None]) -> None:
        self._heard = dict.fromkeys(numbers, heard)

    def hears(self, number: int) -> None:
        """A signal comes."""
        heard = self._heard.get(number)
        if heard is not None:
            heard(number)

    def _reload(self) -> None:
        self.reloads += 1

    def _hurry(self) -> None:
        self.hurried += 1

    def _tell(self, within: float, doing: str) -> None:
        self.told.append((within, doing))

    def _end(self, status: int) -> None:
        self.statuses.append(status)
        self.ended.set()

    @property
    def events(self) -> list[str]:
        return [event for _, event, _ in self.log.lines]


def stage(share: Share, order: list[str], left: Sequence[str] = (), error: BaseException | None = None) -> Stage:
    async def act(within: float) -> Sequence[str]:
        order.append(share.name)
        if error is not None:
            raise error
        return left

    return Stage(share, act)


async def hang(within: float) -> Sequence[str]:
    await asyncio.Event().wait()
    return []


async def hang_whatever_is_said(within: float) -> Sequence[str]:
    """Not even a cancellation ends it, until the test does."""
    for _ in range(2):
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
    return []


SMALL = Share("small", 1 / 250)


async def test_the_stages_come_in_their_order_and_the_status_is_0() -> None:
    process, order = Process(), list[str]()
    assert 0 == await process.shutdown.run([stage(share, order) for share in SHARES])
    assert ["settle", "drain", "cancel", "doors", "store", "telemetry"] == order
    assert ["stopped"] == process.events


def test_the_shares_fit_into_the_timeout_and_leave_something_for_the_end_of_the_process() -> None:
    assert sum(share.of_timeout for share in SHARES) == pytest.approx(59 / 60)


@pytest.mark.parametrize(
    ("timeout", "seconds"),
    [(9, [0.6, 4.5, 1.5, 0.6, 0.9, 0.75]), (60, [4, 30, 10, 4, 6, 2]), (0.6, [0.04, 0.3, 0.1, 0.04, 0.06, 0.05])],
)
def test_the_shares_grow_with_the_timeout_but_telemetry_never_takes_more_than_2_seconds(
    timeout: float, seconds: list[float]
) -> None:
    assert seconds == pytest.approx([share.seconds(timeout) for share in SHARES])


async def test_a_stage_is_told_its_share_of_the_timeout_as_that_is_when_the_stop_begins() -> None:
    process, told = Process(timeout=9), list[float]()

    async def act(within: float) -> Sequence[str]:
        told.append(within)
        process.timeout = 1
        return []

    process.timeout = 60
    await process.shutdown.run([Stage(DRAIN, act), Stage(CANCEL, act)])
    assert [30, 10] == told


async def test_what_was_left_behind_is_named_and_the_status_is_70() -> None:
    process = Process()
    assert 70 == await process.shutdown.run([stage(CANCEL, [], ["stubborn"]), stage(STORE, [])])
    assert ("error", "stopped late", {"left_behind": ["stubborn"]}) == process.log.lines[-1]


@pytest.mark.parametrize("error", [OSError("gone"), asyncio.CancelledError("gone")])
async def test_a_stage_that_raises_does_not_keep_the_next_from_being_tried(error: BaseException) -> None:
    process, order = Process(), list[str]()
    assert 70 == await process.shutdown.run([stage(DOORS, order, error=error), stage(STORE, order)])
    assert ["doors", "store"] == order
    assert ("exception", "a stage of the stop failed", {"stage": "doors", "error": "gone"}) == process.log.lines[0]


@pytest.mark.parametrize("act", [hang, hang_whatever_is_said])
async def test_a_stage_that_overruns_its_share_is_cut_off_and_named_and_the_next_has_its_own(act: Any) -> None:
    process, order = Process(), list[str]()
    assert 70 == await process.shutdown.run([Stage(SMALL, act), stage(STORE, order)])
    assert ["store"] == order
    assert [
        ("error", "a stage of the stop was cut off", {"stage": "small", "share": "0.02s"}),
        ("error", "stopped late", {"left_behind": ["small"]}),
    ] == process.log.lines
    for left in asyncio.all_tasks() - {asyncio.current_task()}:
        left.cancel()


async def test_where_every_stage_hangs_each_is_cut_off_and_named() -> None:
    process = Process(timeout=0.3)
    assert 70 == await asyncio.wait_for(process.shutdown.run([Stage(share, hang) for share in SHARES]), 5)
    stopped_late = ("error", "stopped late", {"left_behind": [share.name for share in SHARES]})
    assert stopped_late in process.log.lines  # a slow machine may have run out of the time as a whole besides


async def test_the_end_of_the_time_for_a_stage_that_only_waits_is_no_failure() -> None:
    process, order = Process(), list[str]()
    assert 0 == await process.shutdown.run([Stage(SMALL, hang, only_waits=True), stage(STORE, order)])
    assert (["store"], ["stopped"]) == (order, process.events)


async def test_each_stage_is_told_to_the_service_manager_with_the_time_that_is_left() -> None:
    process = Process(timeout=60)
    await process.shutdown.run([Stage(DRAIN, stage(DRAIN, []).act, lambda: "draining 1 task: a"), stage(STORE, [])])
    assert ["the start", "draining 1 task: a", "store", "the end of the process"] == [
        doing.removeprefix("stopping: ") for _, doing in process.told
    ]
    assert all(59 < within <= 60 for within, _ in process.told)


async def test_it_is_told_again_while_a_stage_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    """systemd/systemd#39535: the notice of a stop starts the manager's own patience."""
    monkeypatch.setattr("dms.init.shutdown.TELL_EVERY", 0.001)
    process, counted, thrice = Process(timeout=60), count(), asyncio.Event()

    def doing() -> str:
        number = next(counted)
        if number == 2:
            thrice.set()
        return f"draining {number}"

    async def act(within: float) -> Sequence[str]:
        await thrice.wait()
        return []

    await process.shutdown.run([Stage(DRAIN, act, doing)])
    assert ["draining 0", "draining 1", "draining 2"] == [doing for _, doing in process.told][1:4]
    withins = [within for within, _ in process.told]
    assert withins == sorted(withins, reverse=True)


async def test_a_stop_that_hangs_with_its_loop_is_ended_and_named() -> None:
    process = Process(timeout=0.02)

    async def block(within: float) -> Sequence[str]:
        assert process.ended.wait(5)
        return []

    await process.shutdown.run([Stage(STORE, block)])
    (level, event, fields), *_ = process.log.lines
    assert ("error", "ended at once", "store", ["stubborn"]) == (level, event, fields["stage"], fields["left_behind"])
    assert [70] == process.statuses


async def test_a_timeout_beyond_what_a_timer_can_take_is_as_long_as_it_can() -> None:
    process = Process(timeout=1e18)
    assert 0 == await process.shutdown.run([stage(STORE, [])])
    assert threading.TIMEOUT_MAX == pytest.approx(process.told[0][0])


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


async def turn() -> None:
    """Let the loop do what it was asked for."""
    await asyncio.sleep(0)


async def test_a_start_that_hangs_does_not_outlast_the_signal() -> None:
    process = Process(timeout=0.02)
    process.listen(on_terminal=False)
    process.hears(signal.SIGTERM)
    await asyncio.to_thread(process.ended.wait, 5)
    assert ([70], "the start") == (process.statuses, process.log.lines[-1][2]["stage"])


async def test_a_loop_that_is_stuck_does_not_outlast_the_signal() -> None:
    process = Process(timeout=0.02)
    process.listen(on_terminal=False)
    process.hears(signal.SIGTERM)
    assert process.ended.wait(5)  # and the loop has no turn meanwhile
    assert ([70], ["ended at once"]) == (process.statuses, process.events)


async def test_where_the_loop_is_stuck_the_third_signal_ends_it_too() -> None:
    process = Process()
    process.listen(on_terminal=False)
    for _ in range(3):
        process.hears(signal.SIGTERM)
    assert ([70], "a third signal") == (process.statuses, process.log.lines[-1][2]["why"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_the_first_signal_stops_the_second_hurries_the_third_ends(number: signal.Signals) -> None:
    process = Process()
    process.listen(on_terminal=False)
    process.hears(number)
    await process.shutdown.requested()
    assert [("info", "stopping", {"signal": number.name, "within": "5s"})] == process.log.lines
    assert ([], 0) == (process.statuses, process.hurried)
    process.hears(number)
    await turn()
    assert ([], 1) == (process.statuses, process.hurried)
    process.hears(number)
    assert (1, [70]) == (process.hurried, process.statuses)
    assert ["stopping", "stopping now; what runs is cancelled", "ended at once"] == process.events


async def test_a_signal_tells_the_service_manager_at_once() -> None:
    process = Process()
    process.listen(on_terminal=False)
    process.hears(signal.SIGTERM)
    await turn()
    assert ["stopping: the start"] == [doing for _, doing in process.told]


async def told_after_hangups(on_terminal: bool, reloads: int = 0) -> list[tuple[str, str]]:
    """What is logged where the terminal and then a shell say that the terminal is gone."""
    process = Process()
    process.listen(on_terminal)
    for _ in range(2):
        process.hears(signal.SIGHUP)
    await turn()
    assert (0, reloads) == (process.hurried, process.reloads)
    return [(level, event) for level, event, _ in process.log.lines]


async def test_a_node_whose_terminal_has_gone_stops_in_its_own_time() -> None:
    """graphite-project/carbon#197: a hangup ended the process at once, and what was unwritten was lost."""
    assert [("info", "stopping")] == await told_after_hangups(on_terminal=True)


async def test_without_a_terminal_a_hangup_reads_the_configuration_anew_and_ends_nothing() -> None:
    """zeroclaw-labs/zeroclaw#3721: the end of a session ended the service that was started in it."""
    message = "reading the configuration's files anew"
    assert [("info", message)] * 2 == await told_after_hangups(on_terminal=False, reloads=2)


async def test_a_hangup_that_is_ignored_stays_so() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert [] == await told_after_hangups(on_terminal=True)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_signal_that_comes_after_the_loops_end_harms_nothing() -> None:
    process = Process()

    async def live() -> None:
        process.listen(on_terminal=False)

    asyncio.run(live())
    process.hears(signal.SIGTERM)
    assert [] == process.events
