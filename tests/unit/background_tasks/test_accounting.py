"""Whatever is awaited through the counter goes as it would without it; only its own steps are counted."""

import asyncio
from collections.abc import Generator
from itertools import count
from typing import Any

import pytest

from dms.background_tasks.agenda.decision import Attempt
from dms.background_tasks.agenda.entry import Entry
from dms.background_tasks.running import accounting
from dms.background_tasks.running.accounting import counted
from dms.background_tasks.tasks.task import Task


@pytest.fixture
def attempt() -> Attempt:
    return Attempt(Entry(Task("a", print), 1, False), "1-1", 0, "operator", None)


@pytest.fixture(autouse=True)
def a_millisecond_each_time_somebody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    time = count(0, 1_000_000)
    monkeypatch.setattr(accounting, "ticks", lambda: next(time))


async def test_what_it_gives_is_given(attempt: Attempt) -> None:
    async def work() -> int:
        return 42

    assert 42 == await counted(work(), attempt)
    assert 1_000 == attempt.cpu


@pytest.mark.parametrize("waits", [1, 3])
async def test_its_own_steps_are_counted_and_not_what_lies_between_them(attempt: Attempt, waits: int) -> None:
    async def work() -> None:
        for _ in range(waits):
            await asyncio.sleep(0)
            accounting.ticks()

    await counted(work(), attempt)
    assert 1_000 + waits * 2_000 == attempt.cpu


async def test_what_it_raises_is_raised_and_its_step_counted(attempt: Attempt) -> None:
    async def work() -> None:
        await asyncio.sleep(0)
        raise ValueError("bad")

    with pytest.raises(ValueError, match="bad"):
        await counted(work(), attempt)
    assert 2_000 == attempt.cpu


async def test_a_cancellation_reaches_it_and_what_it_does_then_is_counted(attempt: Attempt) -> None:
    seen: list[str] = []

    async def work() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append("cancelled")
        await asyncio.sleep(0)
        return "ended in order"

    task = asyncio.ensure_future(counted(work(), attempt))
    await asyncio.sleep(0)
    task.cancel()
    assert "ended in order" == await task
    assert (["cancelled"], 3_000) == (seen, attempt.cpu)


async def test_an_error_that_it_handled_is_no_part_of_what_it_raises_later(attempt: Attempt) -> None:
    async def work() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            pass
        await asyncio.sleep(0)
        raise ValueError("bad")

    task = asyncio.ensure_future(counted(work(), attempt))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(ValueError, match="bad") as raised:
        await task
    assert raised.value.__context__ is None


async def test_what_it_waits_for_is_given_to_it(attempt: Attempt) -> None:
    async def work() -> Any:
        return await Answered()

    class Answered:
        def __await__(self) -> Generator[None, None, str]:
            yield
            return "answer"

    assert "answer" == await counted(work(), attempt)
