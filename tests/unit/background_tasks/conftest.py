"""What the tests of a running scheduler share: a witness of what happens to runs, and tasks that wait to be let go."""

import time
from collections.abc import Callable
from pathlib import Path
from threading import Condition, Event

import pytest

from dms.background_tasks.asking.view import RunEvent
from dms.background_tasks.scheduler import Scheduler

PATIENCE = 10
"""Seconds after which a test has failed; nothing here takes that long."""


class Witness:
    """Listens to a scheduler and remembers everything it hears."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.events: list[RunEvent] = []
        self._news = Condition()
        scheduler.subscribe(self._hear)

    def _hear(self, event: RunEvent) -> None:
        with self._news:
            self.events.append(event)
            self._news.notify_all()

    def of(self, kind: str, task: str) -> list[RunEvent]:
        return [event for event in self.events if (event.kind, event.task) == (kind, task)]

    def until(self, kind: str, task: str, count: int = 1) -> list[RunEvent]:
        """Wait until that has happened so often to runs of a task."""
        with self._news:
            happened = self._news.wait_for(lambda: len(self.of(kind, task)) >= count, PATIENCE)
        assert happened, f"{kind} of {task}: {len(self.of(kind, task))} of {count}; heard {self.events}"
        return self.of(kind, task)


class Gate:
    """A task's function that waits: `begun` once it runs, until `open`; gives back what it was told."""

    def __init__(self) -> None:
        self.begun, self._open = Event(), Event()

    def __call__(self) -> str:
        self.begun.set()
        assert self._open.wait(PATIENCE)
        return "let go"

    def await_begin(self) -> None:
        assert self.begun.wait(PATIENCE)

    def open(self) -> None:
        self._open.set()


@pytest.fixture
def witness() -> Callable[[Scheduler], Witness]:
    """`witness(scheduler)` hears what happens from now on."""
    return Witness


@pytest.fixture
def gate() -> Callable[[], Gate]:
    """`gate()` is a function for a task that runs until it is opened."""
    return Gate


def _lives(process_group: int) -> bool:
    """Whether somebody of a process group is left. Zombies are not: they wait for the system only."""
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdecimal():
                state, _, group = folder.joinpath("stat").read_text().rpartition(")")[2].split()[:3]
                if int(group) == process_group and state not in "ZX":
                    return True
        except (OSError, ValueError):
            continue  # it ended while we looked
    return False


@pytest.fixture
def has_ended() -> Callable[[int], bool]:
    """`has_ended(process_group)`: whether all of it is gone, as soon as the system has seen to it."""

    def gone(process_group: int) -> bool:
        deadline = time.monotonic() + PATIENCE
        while _lives(process_group):
            if time.monotonic() > deadline:
                return False
        return True

    return gone
