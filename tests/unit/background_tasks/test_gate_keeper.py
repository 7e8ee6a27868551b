"""Gates are asked while somebody waits for them, whatever they do: raise, hang, exit, or tell by themselves."""

import asyncio
from collections.abc import AsyncIterator, Callable
from threading import Event, get_ident
from typing import Any

import pytest

from dms.background_tasks.loop.gate_keeper import GateKeeper

PATIENCE = 10


class Watch:
    """A keeper of one gate, with all that it tells and reports."""

    def __init__(self, gate: Any, patience: float = PATIENCE) -> None:
        self.told: list[bool] = []
        self.reported: list[str] = []
        self._news = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self.keeper = GateKeeper({"gate": gate}, 1000, self._tell, self._report, patience)

    def _tell(self, name: str, is_open: bool) -> None:
        self.told.append(is_open)
        self._loop.call_soon_threadsafe(self._news.set)

    def _report(self, name: str, message: str) -> None:
        self.reported.append(message)
        self._loop.call_soon_threadsafe(self._news.set)

    async def until(self, there: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not there():
                self._news.clear()
                await self._news.wait()


@pytest.fixture
async def watch() -> AsyncIterator[Callable[..., Watch]]:
    made: list[Watch] = []

    def make(*given: Any) -> Watch:
        made.append(Watch(*given))
        return made[-1]

    yield make
    for each in made:
        each.keeper.close()


async def test_a_gate_is_asked_in_a_thread_again_and_again_while_it_is_waited_for(watch: Any) -> None:
    answers, threads = [False, False, True], set()

    def gate() -> bool:
        threads.add(get_ident())
        return answers.pop(0) if len(answers) > 1 else answers[0]

    seen = watch(gate)
    seen.keeper.ask("gate")
    await seen.until(lambda: len(seen.told) >= 4)
    assert [False, False, True, True] == seen.told[:4]
    assert get_ident() not in threads


async def test_a_gate_that_nobody_waits_for_is_not_asked(watch: Any) -> None:
    seen = watch(lambda: True)
    seen.keeper.ask("gate")
    await seen.until(lambda: bool(seen.told))
    seen.keeper.leave("gate")
    told = len(seen.told)
    await asyncio.sleep(0.02)
    assert told == len(seen.told)


@pytest.mark.parametrize("error", [ValueError("no paper"), SystemExit("no paper")])
async def test_a_gate_that_raises_is_closed_and_told_of_until_it_answers_again(watch: Any, error: Exception) -> None:
    """jmettraux/rufus-scheduler#335: what a third party raises ends no loop."""
    broken = [True]

    def gate() -> bool:
        if broken:
            raise error
        return True

    seen = watch(gate)
    seen.keeper.ask("gate")
    await seen.until(lambda: len(seen.told) >= 3)
    assert {False} == set(seen.told)
    (report,) = seen.reported
    assert report.startswith(f"it counts as closed: it raised {type(error).__name__}: no paper")
    broken.clear()
    await seen.until(lambda: True in seen.told)
    assert "" == seen.reported[-1]


async def test_a_gate_that_hangs_is_closed_and_asked_no_second_time_until_it_has_answered(watch: Any) -> None:
    release, questions = Event(), []

    def gate() -> bool:
        questions.append(1)
        release.wait(PATIENCE)
        return True

    seen = watch(gate, 0.01)
    seen.keeper.ask("gate")
    await seen.until(lambda: len(seen.told) >= 3)
    assert ([False] * 3, 1) == (seen.told[:3], len(questions))
    assert ["it counts as closed: it has not answered within 0.01 s"] == seen.reported
    release.set()
    await seen.until(lambda: True in seen.told)
    assert "" == seen.reported[-1]


class Bell:
    """A gate that tells by itself."""

    def __init__(self) -> None:
        self.tell: Callable[[bool], None] | None = None

    def connect(self, tell: Callable[[bool], None]) -> None:
        self.tell = tell
        tell(False)

    def disconnect(self, tell: Callable[[bool], None]) -> None:
        assert tell is self.tell
        self.tell = None


async def test_a_gate_may_tell_by_itself(watch: Any) -> None:
    bell = Bell()
    seen = watch(bell)
    seen.keeper.ask("gate")
    assert bell.tell is not None
    bell.tell(True)
    assert [False, True] == seen.told
    seen.keeper.leave("gate")
    assert bell.tell is None


async def test_one_that_can_not_be_connected_to_is_told_of(watch: Any) -> None:
    class Broken(Bell):
        def connect(self, tell: Callable[[bool], None]) -> None:
            raise SystemExit("no licence")

    seen = watch(Broken())
    seen.keeper.ask("gate")
    (report,) = seen.reported
    assert report.startswith("it counts as closed: it raised SystemExit: no licence")
