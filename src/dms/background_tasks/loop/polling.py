"""Asking a third party's trigger whether it is ready, where it can't say when it will be."""

import inspect
from collections.abc import Callable
from datetime import datetime
from threading import Event, Lock, Thread
from typing import Any

from dms.instant import SECOND, Clock, to_datetime

Report = Callable[[str], None]


class Poller:
    """Asks one trigger each `interval` microseconds in a thread of its own, so that one that blocks holds up nobody.

    `fired` is called when it is ready, after which it is reset; `report(message)` when it raises, and with an empty
    message when it answers again.
    """

    def __init__(self, trigger: Any, clock: Clock, interval: int, fired: Callable[[], None], report: Report) -> None:
        self._ask, self._reset = _with_now(trigger.is_ready), _with_now(trigger.reset)
        self._clock, self._interval = clock, interval
        self._fired, self._report = fired, report
        self._stopped = Event()
        self._lock = Lock()
        self._fault = ""
        self._asked: int | None = None
        Thread(target=self._poll, name="dms-poll", daemon=True).start()

    def silent_for(self, boot: int) -> int:
        """Microseconds that an answer has been outstanding as of `boot`; 0 where none is."""
        asked = self._asked
        return 0 if asked is None else max(0, boot - asked)

    def suspect(self, message: str) -> None:
        """Report it, once until it answers again or fails in another way."""
        with self._lock:
            if self._fault != message and not (message and self._stopped.is_set()):
                self._fault = message
                self._report(message)

    def stop(self) -> None:
        """Ask no more; what was reported is taken back."""
        self._stopped.set()
        self.suspect("")

    def _poll(self) -> None:
        while not self._stopped.wait(self._interval / SECOND):
            now = self._clock.now()
            self._asked = now.boot
            self._ask_once(to_datetime(now.wall))
            self._asked = None

    def _ask_once(self, now: datetime) -> None:
        try:
            if self._ask(now):
                self._reset(now)
                self._fired()
        except BaseException as error:  # noqa: BLE001 - whatever it raises is its fault, not ours
            self.suspect(f"its trigger raised {type(error).__name__}: {error}")
        else:
            self.suspect("")


def _with_now(method: Callable[..., Any]) -> Callable[[datetime], Any]:
    """The method as one that takes `now`, whether it wants it or not."""
    try:
        inspect.signature(method).bind(None)
    except TypeError:
        return lambda now: method()
    except ValueError:
        pass
    return method
