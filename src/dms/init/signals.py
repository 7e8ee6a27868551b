"""Signals, heard by a thread of their own: a loop that is stuck in somebody's code hears none."""

import os
import signal
import threading
from collections.abc import Callable, Collection
from functools import partial
from types import FrameType


def hear(numbers: Collection[int], heard: Callable[[int], None]) -> None:
    """From now on have `heard(number)` called, in that thread, for each of these signals. In the main thread only, once
    in a process. A process that is forked hears nothing of it, and is ended by them as any other."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    for number in numbers:
        signal.signal(number, _leave_it_to_the_thread)
        signal.siginterrupt(number, False)
    os.register_at_fork(after_in_child=partial(_be_as_any_other, numbers))
    threading.Thread(target=_listen, args=(reading, numbers, heard), name="dms-signals", daemon=True).start()


def _listen(reading: int, numbers: Collection[int], heard: Callable[[int], None]) -> None:
    while arrived := os.read(reading, 64):
        for number in arrived:
            if number in numbers:
                heard(number)


def _leave_it_to_the_thread(number: int, frame: FrameType | None) -> None:
    """Python writes the number into the pipe before it comes to this."""


def _be_as_any_other(numbers: Collection[int]) -> None:
    """Else what is sent to the child would arrive at the node, whose pipe it shares."""
    signal.set_wakeup_fd(-1)
    for number in numbers:
        signal.signal(number, signal.SIG_DFL)
