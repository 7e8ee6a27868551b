"""A controlled stop: signals, stages with their shares of the time, and an end that always comes.

The first SIGINT or SIGTERM starts it, the second lets it wait no longer for what runs, the third ends the process at
once. SIGHUP starts it only where the node's terminal has gone; elsewhere it asks for the configuration to be read anew.
"""

import asyncio
import os
import signal
import threading
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import NamedTuple

from dms.init.logger import Logger

CLEAN = 0
LATE = 70
"""Exit status where a deadline passed."""

LAST_WORDS = 0.2
"""Seconds that the last line of the log may take."""

DRAIN_SHARE = 1 / 2
CANCEL_SHARE = 1 / 6


class Stage(NamedTuple):
    """A step of the stop: what it is called, and what it does; it gives what it had to leave behind."""

    name: str
    act: Callable[[], Awaitable[Sequence[str]]]


class Shutdown:
    """Hears the signals and goes through the stages, once; all of it takes at most `timeout` seconds.

    `hurry` lets the stage that waits for tasks wait no longer; `running` names the tasks that run; `end` ends the
    process with an exit status.
    """

    def __init__(
        self,
        timeout: float,
        logger: Logger,
        hurry: Callable[[], None],
        running: Callable[[], Sequence[str]],
        end: Callable[[int], None] = os._exit,
    ) -> None:
        self._timeout, self._logger, self._hurry = timeout, logger, hurry
        self._running, self._end = running, end
        self._requested = asyncio.Event()
        self._asked = 0
        self._at = "the start"
        self._last_resort: threading.Timer | None = None

    def listen(self, on_terminal: bool, reload: Callable[[], None]) -> None:
        """From now on signals are heard, by the running loop. SIGHUP stops a node that runs on a terminal; elsewhere it
        calls `reload`. Where it is ignored (nohup) it stays so."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._signalled, number)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            loop.add_signal_handler(
                signal.SIGHUP, self._hung_up if on_terminal else partial(self._asked_to_reload, reload)
            )

    async def requested(self) -> None:
        """Wait until somebody asks for the stop."""
        await self._requested.wait()

    def _signalled(self, number: int) -> None:
        self._asked += 1
        name = signal.Signals(number).name
        if self._asked == 1:
            self._logger.info("stopping", signal=name, within=f"{self._timeout:g}s")
            self._requested.set()
            self._arm()
        elif self._asked == 2:
            self._logger.warning("stopping now; what runs is cancelled", signal=name)
            self._hurry()
        else:
            self._end_at_once("a third signal")

    def _hung_up(self) -> None:
        """The terminal is gone; both the system and a shell may say so, which is no reason to hurry."""
        if not self._asked:
            self._signalled(signal.SIGHUP)

    def _asked_to_reload(self, reload: Callable[[], None]) -> None:
        self._logger.info("reading the configuration's files anew", signal="SIGHUP")
        reload()

    async def run(self, stages: Sequence[Stage]) -> int:
        """Go through the stages; the exit status. One that raises does not keep the next from being tried.

        The last resort stays armed after that: a thread that a task left could hold the end of the interpreter.
        """
        self._arm()
        left = [name for stage in stages for name in await self._stage(stage)]
        self._at = "the end of the process"
        if left:
            self._logger.error("stopped late", left_behind=left)
            return LATE
        self._logger.info("stopped")
        return CLEAN

    def _arm(self) -> None:
        """From now on the end comes within the timeout, also where a start still waits for something."""
        if self._last_resort is None:
            why = "it took longer than shutdown.timeout"
            self._last_resort = threading.Timer(self._timeout, self._end_at_once, (why,))
            self._last_resort.daemon = True
            self._last_resort.start()

    async def _stage(self, stage: Stage) -> Sequence[str]:
        self._at = stage.name
        try:
            return await stage.act()
        except Exception as error:
            self._logger.exception("a stage of the stop failed", stage=stage.name, error=str(error))
            return [stage.name]

    def _end_at_once(self, why: str) -> None:
        """End whatever the state of the rest; even a log that nobody reads does not keep it."""
        teller = threading.Thread(target=self._tell_late, args=(why,), daemon=True)
        teller.start()
        teller.join(LAST_WORDS)
        self._end(LATE)

    def _tell_late(self, why: str) -> None:
        tasks, threads = list(self._running()), _foreign_threads()
        self._logger.error("ended at once", why=why, stage=self._at, left_behind=tasks, threads=threads)


def _foreign_threads() -> list[str]:
    """Threads for which the interpreter would wait at its end."""
    main = threading.main_thread()
    return [thread.name for thread in threading.enumerate() if not thread.daemon and thread is not main]
