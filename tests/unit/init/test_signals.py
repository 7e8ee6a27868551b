import os
import signal
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import Any

import pytest

from dms.init.signals import hear

HEARD = (signal.SIGUSR1, signal.SIGUSR2)


@pytest.fixture
def heard() -> Iterator["SimpleQueue[int]"]:
    """What is heard, in its order; afterwards nothing is any more."""
    before = {number: signal.getsignal(number) for number in HEARD}
    came: SimpleQueue[int] = SimpleQueue()
    hear(HEARD, came.put)
    yield came
    signal.set_wakeup_fd(-1)
    for number, handler in before.items():
        signal.signal(number, handler)


def test_signals_are_heard_in_their_order_while_the_main_thread_waits(heard: "SimpleQueue[int]") -> None:
    for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGUSR1):
        os.kill(os.getpid(), number)
    assert [signal.SIGUSR1, signal.SIGUSR2, signal.SIGUSR1] == [heard.get(timeout=5) for _ in range(3)]


def test_others_are_not(heard: "SimpleQueue[int]") -> None:
    before = signal.signal(signal.SIGWINCH, lambda *_: None)
    try:
        os.kill(os.getpid(), signal.SIGWINCH)
        os.kill(os.getpid(), signal.SIGUSR1)
        assert signal.SIGUSR1 == heard.get(timeout=5)
    finally:
        signal.signal(signal.SIGWINCH, before)


def in_a_fork(act: Callable[[], Any]) -> int:
    """How a forked process ends that does this, or is ended by a signal before it is done."""
    child = os.fork()
    if not child:
        act()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_what_is_sent_to_a_forked_process_ends_that_and_is_not_heard_here(heard: "SimpleQueue[int]") -> None:
    """A child shares the pipe of its parent, so that what was meant for it stopped the parent."""
    assert -signal.SIGUSR1 == in_a_fork(lambda: os.kill(os.getpid(), signal.SIGUSR1))
    os.kill(os.getpid(), signal.SIGUSR2)
    assert signal.SIGUSR2 == heard.get(timeout=5)
