"""What a run is told and what it tells."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from threading import Thread
from typing import Any

import pytest

from dms.background_tasks.agenda.decision import Attempt
from dms.background_tasks.agenda.entry import Entry
from dms.background_tasks.running.run import Progress, Run, Sinks
from dms.background_tasks.tasks.task import Event, Task
from dms.errors import InvalidInput


class Told:
    def __init__(self) -> None:
        self.lines: list[tuple[str, str, dict[str, Any]]] = []
        self.progress: list[Run] = []
        self.beats: list[Run] = []

    def sinks(self) -> Sinks:
        return Sinks(
            lambda run, level, line, fields: self.lines.append((level, line, dict(fields))),
            self.progress.append,
            self.beats.append,
        )


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def run(told: Told) -> Run:
    attempt = Attempt(Entry(Task("a", print), 1, False), "1-2", 0, "event", Event("door.opened", "front", 5))
    attempt.run_id, attempt.attempt = "1-1", 3
    return Run(attempt, {"general": {}}, told.sinks())


def test_a_run_is_for_the_moment_at_which_its_first_attempt_was_due(run: Run) -> None:
    run._attempt.occurrence = 90_000_000
    assert datetime(1970, 1, 1, 0, 1, 30, tzinfo=UTC) == run.due


def test_a_run_knows_what_it_is(run: Run) -> None:
    assert ("1-2", "1-1", "a", 3) == (run.id, run.run_id, run.task, run.attempt)
    assert (Event("door.opened", "front", 5), {"general": {}}) == (run.event, run.config)


def test_a_run_is_cancelled_once_it_is_told_so(run: Run) -> None:
    assert not run.cancelled
    run.cancel()
    assert run.cancelled


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
def test_a_line_of_the_log_carries_its_fields_whatever_they_are_called(run: Run, told: Told, level: str) -> None:
    getattr(run.log, level)("copied", event=1, self=2, level=3)
    assert [(level, "copied", {"event": 1, "self": 2, "level": 3})] == told.lines


@pytest.mark.parametrize("beat", [lambda run: run.heartbeat(), lambda run: run.progress(1)])
def test_a_sign_of_life_is_told_on_once_until_it_is_heard(told: Told, beat: Callable[[Run], None]) -> None:
    attempt = Attempt(Entry(Task("a", print, heartbeat_timeout="1m"), 1, False), "1-1", 0, "operator", None)
    run = Run(attempt, None, told.sinks())
    beat(run)
    beat(run)
    assert [run] == told.beats
    run.take_heartbeat()
    beat(run)
    assert [run, run] == told.beats


def test_where_nobody_listens_for_signs_of_life_none_is_told(run: Run, told: Told) -> None:
    run.heartbeat()
    run.progress(1)
    assert [] == told.beats


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("3", 10), "progress: done is '3', and no finite number"),
        ((float("nan"), 10), "progress: done is nan"),
        ((3, float("inf")), "progress: total is inf"),
        ((10**400,), "progress: done is 1000"),
    ],
)
def test_a_progress_that_no_reader_could_make_sense_of_is_refused(run: Run, given: Any, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        run.progress(*given)
    assert run.take_progress() is None


def test_a_progress_in_numbers_of_another_library_becomes_plain_numbers_and_text(run: Run) -> None:
    run.progress(Decimal(3), Fraction(10), 7)  # type: ignore[arg-type]
    taken = run.take_progress()
    assert taken is not None
    assert [(float, 3), (float, 10), (str, "7")] == [(type(each), each) for each in taken]


def test_progress_is_told_on_once_until_it_is_taken(run: Run, told: Told) -> None:
    run.progress(1)
    run.progress(2, 10)
    run.progress(3, 10, "third")
    assert [run] == told.progress
    assert Progress(3, 10, "third") == run.take_progress()
    run.progress(4)
    assert [run, run] == told.progress
    assert Progress(4) == run.take_progress()


def test_the_latest_progress_is_never_lost_however_it_is_taken() -> None:
    """A taker that cleared the latest after it had read it lost what came in between, such as the last 100 %."""
    for _ in range(20):
        told = Told()
        attempt = Attempt(Entry(Task("a", print), 1, False), "1-1", 0, "operator", None)
        run = Run(attempt, None, told.sinks())

        def work(run: Run = run) -> None:
            for done in range(2000):
                run.progress(done)

        thread = Thread(target=work)
        thread.start()
        latest, taken = None, 0
        while thread.is_alive() or taken < len(told.progress):
            if taken < len(told.progress):
                taken, latest = len(told.progress), run.take_progress()
        assert Progress(1999) == latest
