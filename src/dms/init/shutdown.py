"""A controlled stop: signals, stages with their shares of the time, and an end that always comes.

The first SIGINT or SIGTERM starts it, the second lets it wait no longer for what runs, the third ends the process at
once. SIGHUP starts it only where the node's terminal has gone; elsewhere it asks for the configuration to be read anew.
"""

import asyncio
import os
import signal
import threading
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from functools import partial
from math import inf
from typing import NamedTuple

from dms.clock import monotonic
from dms.init.logger import Logger
from dms.init.signals import hear
from dms.instant import SECOND

Hear = Callable[[Collection[int], Callable[[int], None]], None]
"""Has a function called for each of some signals, in a thread of its own."""

CLEAN = 0
LATE = 70
"""Exit status where a deadline passed."""

LAST_WORDS = 0.2
"""Seconds that the last line of the log may take."""

TELL_EVERY = 1.0
"""Seconds between two words about the stop to a service manager."""


class Share(NamedTuple):
    """A stage's own part of `shutdown.timeout`, at most so many seconds. No other stage can use it up."""

    name: str
    of_timeout: float
    most: float = inf

    def seconds(self, timeout: float) -> float:
        """How long the stage may take."""
        return min(self.of_timeout * timeout, self.most)


SETTLE = Share("settle", 4 / 60)
DRAIN = Share("drain", 30 / 60)
CANCEL = Share("cancel", 10 / 60)
DOORS = Share("doors", 4 / 60)
STORE = Share("store", 6 / 60)
TELEMETRY = Share("telemetry", 5 / 60, most=2.0)

SHARES = (SETTLE, DRAIN, CANCEL, DOORS, STORE, TELEMETRY)
"""All stages, in their order; what is left of the timeout is for the end of the process itself."""


def _nothing_to_tell() -> str:
    return ""


class Stage(NamedTuple):
    """A step of the stop: what it does within so many seconds; it gives the names of what it had to leave behind.

    A stage that `only_waits` has done nothing wrong when its time is over. `doing` tells people what it does now.
    """

    share: Share
    act: Callable[[float], Awaitable[Sequence[str]]]
    doing: Callable[[], str] = _nothing_to_tell
    only_waits: bool = False


class Outside(NamedTuple):
    """What a stop needs of the rest: `timeout` in seconds, as it is when the stop begins; `hurry`, which lets a stage
    that waits for tasks wait no longer; the names of the tasks that are `running`; `tell`, which hears how many seconds
    the stop may still take and what it does; `end`, which ends the process with an exit status."""

    timeout: Callable[[], float]
    hurry: Callable[[], None]
    running: Callable[[], Sequence[str]]
    tell: Callable[[float, str], None]
    end: Callable[[int], None] = os._exit


class Shutdown:
    """Hears the signals and goes through the stages, once; all of it takes at most the timeout."""

    def __init__(self, logger: Logger, outside: Outside) -> None:
        self._logger, self._outside = logger, outside
        self._requested = asyncio.Event()
        self._asked = 0
        self._timeout, self._deadline = 0.0, 0.0
        self._at, self._doing = "the start", _nothing_to_tell
        self._arming = threading.Lock()
        self._last_resort: threading.Timer | None = None
        self._telling: asyncio.TimerHandle | None = None

    def listen(self, on_terminal: bool, reload: Callable[[], None], hear: Hear = hear) -> None:
        """From now on signals are heard, and acted on by the running loop; where that is stuck, the time runs all the
        same. SIGHUP stops a node that runs on a terminal; elsewhere it calls `reload`. Where it is ignored (nohup) it
        stays so."""
        on_loop = partial(_on_loop, asyncio.get_running_loop())
        numbers = {signal.SIGINT, signal.SIGTERM}
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            numbers.add(signal.SIGHUP)

        def heard(number: int) -> None:
            if number != signal.SIGHUP:
                self._asked_to_stop(number, on_loop)
            elif not on_terminal:
                on_loop(self._asked_to_reload, reload)
            elif not self._asked:  # both the system and a shell may say it, which is no reason to hurry
                self._asked_to_stop(number, on_loop)

        hear(numbers, heard)

    async def requested(self) -> None:
        """Wait until somebody asks for the stop; the start is over."""
        self._at = "no stage yet"
        await self._requested.wait()

    def _asked_to_stop(self, number: int, on_loop: Callable[..., None]) -> None:
        """In the signals' thread."""
        self._asked += 1
        name = signal.Signals(number).name
        if self._asked == 1:
            self._arm()
            on_loop(self._start_to_stop, name)
        elif self._asked == 2:
            on_loop(self._stop_faster, name)
        else:
            self._end_at_once("a third signal")

    def _start_to_stop(self, name: str) -> None:
        self._begin()
        self._logger.info("stopping", signal=name, within=f"{self._timeout:g}s")
        self._requested.set()

    def _stop_faster(self, name: str) -> None:
        self._logger.warning("stopping now; what runs is cancelled", signal=name)
        self._outside.hurry()

    def _asked_to_reload(self, reload: Callable[[], None]) -> None:
        self._logger.info("reading the configuration's files anew", signal="SIGHUP")
        reload()

    async def run(self, stages: Sequence[Stage]) -> int:
        """Go through the stages; the exit status. One that fails or overruns its share does not keep the next from
        being tried with its own.

        The last resort stays armed after that: a thread that a task left could hold the end of the interpreter.
        """
        self._begin()
        left = [name for stage in stages for name in await self._stage(stage)]
        self._at, self._doing = "the end of the process", _nothing_to_tell
        self._tell()
        if self._telling is not None:
            self._telling.cancel()
        if left:
            self._logger.error("stopped late", left_behind=left)
            return LATE
        self._logger.info("stopped")
        return CLEAN

    def _begin(self) -> None:
        self._arm()
        if self._telling is None:
            self._tell()

    def _arm(self) -> None:
        """From now on the end comes within the timeout, whatever a start still waits for and a loop is stuck in."""
        with self._arming:
            if self._last_resort is None:
                self._timeout = min(self._outside.timeout(), threading.TIMEOUT_MAX)
                self._deadline = monotonic() / SECOND + self._timeout
                why = "it took longer than shutdown.timeout"
                self._last_resort = threading.Timer(self._timeout, self._end_at_once, (why,))
                self._last_resort.daemon = True
                self._last_resort.start()

    def _tell(self) -> None:
        """Say now, and again and again, how long it may still take."""
        if self._telling is not None:
            self._telling.cancel()
        self._telling = asyncio.get_running_loop().call_later(TELL_EVERY, self._tell)
        left = max(0.0, self._deadline - monotonic() / SECOND)
        self._outside.tell(left, self._doing() or f"stopping: {self._at}")

    async def _stage(self, stage: Stage) -> Sequence[str]:
        """What the stage leaves behind; itself, where it fails or is cut off."""
        name = self._at = stage.share.name
        self._doing = stage.doing
        self._tell()
        seconds = stage.share.seconds(self._timeout)
        acting = asyncio.ensure_future(stage.act(seconds))
        await asyncio.wait([acting], timeout=seconds)
        if not acting.done():
            acting.cancel()  # and not waited for: what does not end when told to would take the time of the others
            return [] if stage.only_waits else self._cut_off(name, seconds)
        try:
            return acting.result()
        except (Exception, asyncio.CancelledError) as error:
            self._logger.exception("a stage of the stop failed", stage=name, error=str(error))
            return [name]

    def _cut_off(self, name: str, seconds: float) -> Sequence[str]:
        self._logger.error("a stage of the stop was cut off", stage=name, share=f"{seconds:.3g}s")
        return [name]

    def _end_at_once(self, why: str) -> None:
        """End whatever the state of the rest; even a log that nobody reads does not keep it."""
        teller = threading.Thread(target=self._tell_late, args=(why,), daemon=True)
        teller.start()
        teller.join(LAST_WORDS)
        self._outside.end(LATE)

    def _tell_late(self, why: str) -> None:
        tasks, threads = list(self._outside.running()), _foreign_threads()
        self._logger.error("ended at once", why=why, stage=self._at, left_behind=tasks, threads=threads)


def _on_loop(loop: asyncio.AbstractEventLoop, call: Callable[..., None], *arguments: object) -> None:
    with suppress(RuntimeError):  # it has ended
        loop.call_soon_threadsafe(call, *arguments)


def _foreign_threads() -> list[str]:
    """Threads for which the interpreter would wait at its end."""
    main = threading.main_thread()
    return [thread.name for thread in threading.enumerate() if not thread.daemon and thread is not main]
