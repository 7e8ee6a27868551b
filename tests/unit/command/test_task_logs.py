"""`task.logs`: what is kept, what comes, and when nothing more will."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from dms.adapters.memory import MemoryStore
from dms.adapters.transcripts import FileTranscripts
from dms.background_tasks.running.run import Run
from dms.background_tasks.scheduler import Scheduler
from dms.background_tasks.tasks.retry import RetryPolicy
from dms.background_tasks.tasks.task import Task
from dms.command.operation import Operation
from dms.command.task_logs import task_log_operations
from dms.errors import InvalidParameters, NotFound

Ask = Callable[..., Any]
PATIENCE = 10


class Place(NamedTuple):
    scheduler: Scheduler
    operations: list[Operation]
    say: "asyncio.Queue[str]"


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    """`talk` says whatever is put into the queue, until that is nothing; `broken` says something and fails twice."""
    say: asyncio.Queue[str] = asyncio.Queue()

    async def talk(run: Run) -> None:
        while word := await say.get():
            run.log.info(word)

    async def broken(run: Run) -> None:
        run.log.warning(f"attempt {run.attempt}", n=1)
        raise ValueError("no")

    transcripts = FileTranscripts(tmp_path / "runs")
    async with Scheduler(store=MemoryStore(), transcripts=transcripts) as scheduler:
        scheduler.add_tasks([Task("talk", talk), Task("broken", broken, retry_policy=RetryPolicy(1, "1ms"))])
        yield Place(scheduler, task_log_operations(scheduler, transcripts), say)
        say.put_nowait("")


def said(page: dict[str, Any]) -> list[str]:
    return [line["text"] for line in page["lines"]]


async def test_the_lines_of_the_newest_run_are_told_with_all_that_is_known_of_them(place: Place, ask: Ask) -> None:
    await place.scheduler.run_task("broken")
    page = await ask(place.operations, "task.logs", name="broken")
    assert ("broken", ["attempt 1", "attempt 2"], False, True) == (
        page["task"],
        said(page),
        page["more"],
        page["over"],
    )
    cut = await ask(place.operations, "task.logs", name="broken", limit=1)
    assert (["attempt 1"], True, False) == (said(cut), cut["more"], cut["over"])
    line = page["lines"][1]
    assert {"execution": "1-2", "number": 1, "kind": "warning", "fields": {"n": 1}, "dropped": 0} == {
        name: line[name] for name in ("execution", "number", "kind", "fields", "dropped")
    }
    assert line["at"].endswith("+00:00")


async def test_an_attempt_is_told_by_itself_and_a_task_goes_by_its_id_too(place: Place, ask: Ask) -> None:
    await place.scheduler.run_task("broken")
    assert ["attempt 2"] == said(await ask(place.operations, "task.logs", name=2, run="1-2"))
    assert ["attempt 2"] == said(await ask(place.operations, "task.logs", name=2, newest=True, limit=1))


async def test_what_is_said_while_it_is_waited_for_comes_at_once(place: Place, ask: Ask) -> None:
    run = (await place.scheduler.run_task("talk").accepted()).run_id
    waiting = asyncio.ensure_future(ask(place.operations, "task.logs", name="talk", run=run, wait="60s"))
    await asyncio.sleep(0)
    place.say.put_nowait("first")
    page = await asyncio.wait_for(waiting, PATIENCE)
    assert (["first"], False) == (said(page), page["over"])
    waiting = asyncio.ensure_future(
        ask(place.operations, "task.logs", name="talk", run=run, wait="60s", **{"from": page["cursor"]})
    )
    await asyncio.sleep(0)
    place.say.put_nowait("")
    page = await asyncio.wait_for(waiting, PATIENCE)
    assert ([], True) == (said(page), page["over"])


async def test_who_names_no_run_waits_for_the_next_one_too(place: Place, ask: Ask) -> None:
    place.say.put_nowait("of the first")
    place.say.put_nowait("")
    await place.scheduler.run_task("talk")
    page = await ask(place.operations, "task.logs", name="talk")
    waiting = asyncio.ensure_future(
        ask(place.operations, "task.logs", name="talk", wait="60s", **{"from": page["cursor"]})
    )
    await asyncio.sleep(0)
    place.say.put_nowait("of the second")
    place.scheduler.run_task("talk")
    assert ["of the second"] == said(await asyncio.wait_for(waiting, PATIENCE))


async def test_a_wait_for_nothing_ends(place: Place, ask: Ask) -> None:
    page = await asyncio.wait_for(ask(place.operations, "task.logs", name="talk", wait="20ms"), PATIENCE)
    assert ([], True) == (said(page), page["over"])


async def test_what_nobody_knows_is_not_found(place: Place, ask: Ask) -> None:
    with pytest.raises(NotFound, match="there is no task called nobody"):
        await ask(place.operations, "task.logs", name="nobody")
    with pytest.raises(NotFound, match="nothing is known of a run 9-9 of talk"):
        await ask(place.operations, "task.logs", name="talk", run="9-9")


@pytest.mark.parametrize("wrong", [{"from": "x"}, {"limit": 0}, {"limit": 1001}])
async def test_what_can_not_be_is_refused_by_its_name(place: Place, ask: Ask, wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidParameters, match=next(iter(wrong))):
        await ask(place.operations, "task.logs", name="talk", **wrong)


async def test_a_name_that_is_no_task_leads_to_no_file(place: Place, ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "runs").mkdir(exist_ok=True)
    for folder in (tmp_path, tmp_path / "runs", tmp_path / "sub"):
        (folder / "1-1_1-1.log").write_bytes(b'{"n":1,"at":1,"kind":"stdout","text":"secret"}\n')
    (tmp_path / "sub").rename(tmp_path / "runs" / "sub")  # not while it is empty: such a folder is cleared away
    for name in ("..", ".", "sub/..", "talk/../sub", str(tmp_path), ""):
        with pytest.raises(NotFound):
            await ask(place.operations, "task.logs", name=name)
