"""A busy node that is ended at random instants, and who knows from outside what it did.

Each task appends to a journal of its own, with a sync, when it begins and when it has ended: that is what ran, whatever
the node believes. A client asks for runs and reads histories meanwhile: that is what was told. In the end both must fit
what the node has on record.
"""

import random
import shutil
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from threading import Timer
from time import monotonic
from typing import Any, NamedTuple

from dms.client import Client
from dms.errors import DmsError, NoNode

FUNCTIONS = """
import os, time


def note(run, word):
    line = f"{run.due.isoformat()} {run.id} {run.attempt} {word}\\n"
    journal = os.open(os.path.join(os.environ["JOURNALS"], run.task), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(journal, line.encode())
        os.fsync(journal)
    finally:
        os.close(journal)


def work(run, seconds=0.0, failures=0):
    note(run, "start")
    time.sleep(seconds)
    if run.attempt <= failures:
        raise RuntimeError(f"attempt {run.attempt} was meant to fail")
    note(run, "end")


async def work_together(run, seconds=0.0):
    import asyncio
    note(run, "start")
    await asyncio.sleep(seconds)
    note(run, "end")
"""
PROGRAM = (
    'n() { echo "$DMS_DUE $DMS_EXECUTION $DMS_ATTEMPT $1" >> "$JOURNALS/$DMS_TASK"; sync "$JOURNALS/$DMS_TASK"; };'
    " n start; n end"
)
WORK = {"call": "torture_tasks:work"}
ALL = {"overlap": "queue", "queue_limit": 1000, "catch_up": "all", "catch_up_limit": 1_000_000}
"""Every fire of a task runs, however long the node was away or the task busy."""

STEP = timedelta(milliseconds=250)
ONE_SHOTS = [f"once-{number}" for number in range(20)]
EACH = {"each-once": STEP, "each-whole": STEP, "each-second": timedelta(seconds=1)}
"""The tasks of which each fire counts, and how far apart those are."""

WHOLE = {"each-whole", "asked-whole", "once-whole"}
"""The tasks that run again after a crash; all others but the careless one never do."""

FINAL = {"success", "failed", "timed_out", "cancelled", "interrupted", "abandoned"}

TASKS: dict[str, dict[str, Any]] = {
    "each-once": {**WORK, **ALL, "every": "250ms"},
    "each-whole": {**WORK, **ALL, "every": "250ms", "durability": "at_least_once"},
    "each-second": {"call": "torture_tasks:work_together", **ALL, "cron": "* * * * * *"},
    "program": {"run": ["sh", "-c", PROGRAM], "every": "400ms"},
    "quick": {**WORK, "every": "150ms"},
    "slow": {**WORK, "kwargs": {"seconds": 0.4}, "every": "200ms"},
    "flaky": {
        **WORK, "kwargs": {"failures": 2}, "every": "400ms",
        "retry": {"max_retries": 3, "delay": "60ms", "supersede": False},
    },
    "next": {**WORK, "on": "task.quick.success", "overlap": "queue", "queue_limit": 1000},
    "careless": {**WORK, "every": "200ms", "durability": "none"},
    "asked": {**WORK, "overlap": "queue", "queue_limit": 1000},
    "asked-whole": {**WORK, "overlap": "queue", "queue_limit": 1000, "durability": "at_least_once"},
    **{
        name: {**WORK, "kwargs": {"seconds": 0.1}, "after": f"{number * 500}ms"}
        for number, name in enumerate(ONE_SHOTS)
    },
    "once-whole": {**WORK, "kwargs": {"seconds": 0.5}, "after": "2s", "durability": "at_least_once"},
}  # fmt: skip


class Note(NamedTuple):
    """A line of a journal."""

    due: datetime
    execution: str
    attempt: int
    word: str


class Torture:
    """A node's lives, one after another; `seed` decides all that is left to chance."""

    def __init__(self, nodes: Any, seed: int, **more: str) -> None:
        self.nodes, self.chance = nodes, random.Random(seed)
        self.told: defaultdict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
        self.accepted: defaultdict[str, set[str]] = defaultdict(set)
        self._journals = nodes.folder / "journals"
        self._journals.mkdir()
        (nodes.folder / "torture_tasks.py").write_text(FUNCTIONS)
        self._more = {"JOURNALS": str(self._journals), **more}
        nodes.configure(
            tasks=TASKS,
            scheduler={"max_running_tasks": 6, "history_max_count": 1_000_000, "quarantine_after": 0},
            observability={"log_level": "error"},
        )

    def live(self, longest: float, cut: Callable[[], object] = lambda: None) -> None:
        """Start the node, ask it whatever comes to mind, end it at a random instant, its own start not left out; then
        `cut` makes of its files what that leaves of them."""
        node = self.nodes.begin(**self._more)
        if self.chance.random() < 0.7:
            node.answers()
        killer = Timer(self.chance.uniform(0, longest), node.process.kill)
        killer.start()
        while node.process.poll() is None:
            self._listen(node)
        killer.join()
        assert node.end() == -9, "it ended by itself:\n" + "\n".join(node.lines)
        cut()

    def end(self) -> None:
        """Let it come to rest, and see that what it has on record is what ran and what was told."""
        node = self.nodes.start(**self._more)
        self._await_rest(node)
        noted = {task: self._journal(task) for task in TASKS}
        found = {task: self._history(node, task) for task in TASKS}
        assert 0 == node.stop(), node.lines
        for task in TASKS:
            check_record(task, noted[task], found[task])
        notes = {task: self._journal(task) for task in TASKS}
        check_what_ran(notes)
        for task, step in EACH.items():
            check_each_fire(task, step, notes[task], found[task])
        self._check_promises(notes)
        check_chain(found["quick"], found["next"])
        check_one_shots(notes, found)

    # ── the client ──

    def _listen(self, node: Any) -> None:
        """Ask until it dies. What it said before it must stand by."""
        try:
            with Client(node.data_dir) as client:
                while True:
                    self._ask(client)
                    self._history(node, self.chance.choice(list(TASKS)))
        except NoNode:
            return

    def _ask(self, client: Client) -> None:
        task = self.chance.choice(["asked", "asked-whole"])
        try:
            self.accepted[task].add(client.call("task.run", {"name": task})["run_id"])
        except NoNode:
            raise
        except DmsError:
            return  # not known yet, or a full queue

    def _history(self, node: Any, task: str) -> dict[str, dict[str, Any]]:
        """All that it has on record of a task, which includes all that it told of it before."""
        told, found = self.told[task], executions(node, task)
        lost = told.keys() - found.keys()
        assert not lost, f"{task}: on record before, and no longer: {[told[each] for each in lost]}"
        for each, before in told.items():
            now = found[each]
            assert before == now or before["status"] not in FINAL, f"it was {before}, and is {now}"
            kept = ("run_id", "task", "attempt", "due_at", "cause")
            assert [before[key] for key in kept] == [now[key] for key in kept]
        told.update(found)
        return found

    def _await_rest(self, node: Any) -> None:
        """Wait until all that has come due until now has ended, and the one-shots are gone."""
        deadline = monotonic() + 60
        waiting = {
            task: {run for run, each in executions(node, task).items() if each["status"] not in FINAL} for task in TASKS
        }
        while any(waiting.values()) or {*ONE_SHOTS, "once-whole"} & {one["name"] for one in node.ask("task.list")}:
            assert monotonic() < deadline, f"it does not come to rest: {waiting}"
            for task, runs in waiting.items():
                waiting[task] = {each for each in runs if executions(node, task)[each]["status"] not in FINAL}

    # ── the witness ──

    def _journal(self, task: str) -> list[Note]:
        path = self._journals / task
        lines = path.read_text().splitlines() if path.exists() else []
        words = [line.split() for line in lines]
        return [Note(datetime.fromisoformat(due), each, int(attempt), word) for due, each, attempt, word in words]

    def _check_promises(self, notes: dict[str, list[Note]]) -> None:
        """Whoever was told that a run is on its way was told the truth."""
        for task, runs in self.accepted.items():
            known = {each["run_id"] for each in self.told[task].values()}
            assert runs <= known, f"{task}: accepted and lost: {runs - known}"
        ended = {note.execution for note in notes["asked-whole"] if note.word == "end"}
        whole = {each["run_id"] for execution, each in self.told["asked-whole"].items() if execution in ended}
        assert self.accepted["asked-whole"] <= whole


def executions(node: Any, task: str) -> dict[str, dict[str, Any]]:
    """All that the node remembers of a task, by ID; nothing of one that never ran."""
    found: list[dict[str, Any]] = []
    while True:
        try:
            page = node.ask("task.history", name=task, limit=1000, before=found[-1]["id"] if found else None)
        except NoNode:
            raise
        except DmsError:
            page = []
        found += page
        if len(page) < 1000:
            return {each["id"]: each for each in found}


# ── what must hold ──


def check_what_ran(notes: dict[str, list[Note]]) -> None:
    """No execution begins twice; and no occurrence does, attempt by attempt, where its task is not to run again."""
    for task, lines in notes.items():
        starts = [note for note in lines if note.word == "start"]
        twice = _repeated(note.execution for note in starts)
        assert not twice, f"{task}: executions that began twice: {twice}"
        if task in TASKS and task not in WHOLE and "every" in TASKS[task] and task != "careless":
            again = _repeated((round(note.due.timestamp() * 20), note.attempt) for note in starts)
            assert not again, f"{task}: occurrences that ran twice: {again}"


def check_record(task: str, notes: list[Note], found: dict[str, dict[str, Any]]) -> None:
    """All that ran is on record, and as having run."""
    for note in notes if task != "careless" else []:
        assert note.execution in found, f"{task}: {note} is not on record"
        assert found[note.execution]["attempt"] == note.attempt
        assert found[note.execution]["started_at"] is not None


def check_each_fire(task: str, step: timedelta, notes: list[Note], found: dict[str, dict[str, Any]]) -> None:
    """From the first to the last fire none is missing and none is there twice. Each that has to run to its end did."""
    runs = {each["run_id"]: datetime.fromisoformat(each["due_at"]) for each in found.values() if each["attempt"] == 1}
    first = min(runs.values())
    numbers = Counter(round((due - first) / step) for due in runs.values())
    assert dict.fromkeys(range(max(numbers) + 1), 1) == dict(sorted(numbers.items())), task
    if task in WHOLE:
        settled = {number for number, each in _by_number(found, first, step) if each["status"] in FINAL}
        ended = {round((note.due - first) / step) for note in notes if note.word == "end"}
        assert settled <= ended, f"{task}: {settled - ended} never ran to the end"


def _by_number(found: dict[str, dict[str, Any]], first: datetime, step: timedelta) -> Iterator[tuple[int, Any]]:
    for each in found.values():
        yield round((datetime.fromisoformat(each["due_at"]) - first) / step), each


def check_chain(found: dict[str, dict[str, Any]], followers: dict[str, dict[str, Any]]) -> None:
    """What has to follow a success has followed each, and only once."""
    successes = {each for each, execution in found.items() if execution["status"] == "success"}
    followed = Counter(each["event"]["payload"]["execution"] for each in followers.values() if each["attempt"] == 1)
    assert dict.fromkeys(successes, 1) == {each: followed[each] for each in successes}


def check_one_shots(notes: dict[str, list[Note]], found: dict[str, dict[str, dict[str, Any]]]) -> None:
    """One-time tasks have run once."""
    assert dict.fromkeys(ONE_SHOTS, 1) == {task: len(found[task]) for task in ONE_SHOTS}
    assert {"success", "interrupted"} >= {each["status"] for task in ONE_SHOTS for each in found[task].values()}
    assert "end" in {note.word for note in notes["once-whole"]}


def _repeated(values: Any) -> dict[Any, int]:
    return {value: count for value, count in Counter(values).items() if count > 1}


@contextmanager
def kept_on_failure(seed: int) -> Iterator[Path]:
    """A folder that goes, unless the test fails: then its place is told, and the seed."""
    print(f"seed {seed}")
    folder = Path(tempfile.mkdtemp(prefix=f"dms-torture-{seed}-"))
    try:
        yield folder
    except BaseException:
        print(f"the folder is kept: {folder}")
        raise
    shutil.rmtree(folder)
