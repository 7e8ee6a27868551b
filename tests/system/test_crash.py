"""A node is killed at random moments of a busy run: what it has told anybody stays, and nothing runs twice that must
not. The tasks' own journal is the witness: it is written by the tasks, whatever the node believes."""

import random
from collections import Counter, defaultdict
from threading import Timer
from typing import Any

from dms.client import Client
from dms.errors import DmsError, NoNode

ONE_SHOTS = [f"once-{number}" for number in range(24)]
FINAL = {"success", "failed", "timed_out", "cancelled", "interrupted", "abandoned"}
PROGRAM = 'n() { echo "$DMS_TASK $DMS_EXECUTION $DMS_ATTEMPT $1" >> "$JOURNAL"; }; n start; sleep 0.03; n end'

TASKS: dict[str, dict[str, Any]] = {
    "program": {"run": ["sh", "-c", PROGRAM], "every": "300ms"},
    "quick": {"call": "functions:work", "every": "100ms"},
    "slow": {"call": "functions:work", "kwargs": {"seconds": 0.4}, "every": "200ms"},
    "together": {"call": "functions:work_together", "kwargs": {"seconds": 0.1}, "every": "150ms"},
    "queued": {
        "call": "functions:work", "kwargs": {"seconds": 0.3}, "every": "200ms", "overlap": "queue", "queue_limit": 3,
    },
    "flaky": {
        "call": "functions:work", "kwargs": {"failures": 2}, "every": "300ms",
        "retry": {"max_retries": 3, "delay": "60ms"},
    },
    "again": {
        "call": "functions:work", "kwargs": {"seconds": 0.2}, "every": "300ms", "durability": "at_least_once",
    },
    "next": {"call": "functions:work", "on": "task.quick.success"},
    "after-next": {"call": "functions:work", "on": "task.next.success"},
    "careless": {"call": "functions:work", "every": "200ms", "durability": "none"},
    "asked": {"call": "functions:work", "overlap": "queue", "queue_limit": 1000},
    **{
        name: {"call": "functions:work", "kwargs": {"seconds": 0.1}, "after": f"{number * 400}ms"}
        for number, name in enumerate(ONE_SHOTS)
    },
    "once-whole": {
        "call": "functions:work", "kwargs": {"seconds": 0.5}, "after": "2s", "durability": "at_least_once",
    },
}  # fmt: skip


class Witness:
    """What a node has told of its executions, and whether it stands by it after a crash."""

    def __init__(self) -> None:
        self.told: dict[str, dict[str, Any]] = {}
        self.accepted: dict[str, str] = {}

    def hear(self, node: Any, chance: random.Random) -> None:
        """Ask it until it dies."""
        with Client(node.data_dir) as client:
            while True:
                task = chance.choice(list(TASKS))
                try:
                    if chance.random() < 0.5:
                        accepted = client.call("task.run", {"name": "asked"})
                        self.accepted[accepted["id"]] = "asked"
                    for execution in client.call("task.history", {"name": task, "limit": 1000}):
                        self.told[execution["id"]] = execution
                except NoNode:
                    return
                except DmsError:
                    continue  # a one-shot that is over and has gone, or a full queue

    def check(self, node: Any, journal: list[list[str]]) -> None:
        """After the restart: all that was told, and all that ran, is there; what had ended is as it was."""
        found = {each["id"]: each for task in TASKS for each in executions(node, task)}
        for execution_id, before in self.told.items():
            assert execution_id in found, f"{before} is lost"
            if before["status"] in FINAL:
                assert before == found[execution_id]
            same = ("run_id", "task", "attempt", "due_at", "cause")
            assert [before[key] for key in same] == [found[execution_id][key] for key in same]
        assert self.accepted.keys() <= found.keys(), f"accepted and lost: {self.accepted.keys() - found.keys()}"
        for task, execution_id, _, _ in journal:
            assert execution_id in found or task == "careless", f"{task} {execution_id} ran and is not recorded"
        cut = [found[execution_id] for _, execution_id, _, _ in journal if execution_id in found]
        assert [] == [execution for execution in cut if execution["status"] not in FINAL]


def executions(node: Any, task: str) -> list[dict[str, Any]]:
    """All that the node remembers of a task; nothing of one that never ran."""
    found: list[dict[str, Any]] = []
    while True:
        try:
            page = node.ask("task.history", name=task, limit=1000, before=found[-1]["id"] if found else None)
        except DmsError:
            page = []
        found += page
        if len(page) < 1000:
            return found


def check_journal(journal: list[list[str]]) -> None:
    """What ran: each execution once, attempts in their order, one-shots no more than once."""
    starts = Counter((task, execution) for task, execution, _, word in journal if word == "start")
    assert {} == {key: count for key, count in starts.items() if count > 1}
    owners = defaultdict(set)
    for task, execution, attempt, _ in journal:
        owners[execution].add((task, attempt))
    assert [] == [execution for execution, of in owners.items() if len(of) > 1]
    once = Counter(task for task, _, _, word in journal if task in ONE_SHOTS and word == "start")
    assert {} == {task: count for task, count in once.items() if count > 1}


def test_a_kill_at_any_moment_loses_nothing_and_repeats_nothing(nodes: Any, nightly: bool) -> None:
    chance, witness = random.Random(3), Witness()
    nodes.configure(
        tasks=TASKS,
        scheduler={"max_running_tasks": 6, "history_max_count": 1_000_000},
        observability={"log_level": "error"},
    )
    for _ in range(200 if nightly else 20):
        node = nodes.begin().answers()
        killer = Timer(chance.uniform(0, 1.5), node.process.kill)
        killer.start()
        witness.hear(node, chance)
        node.end()
        killer.join()
        journal = node.journal
        check_journal(journal)
        after = nodes.start()
        witness.check(after, journal)
        after.kill()
    last = nodes.start()
    for task in (*ONE_SHOTS, "once-whole"):
        finish(last, task)
    check_journal(last.journal)
    noted = {(task, word) for task, _, _, word in last.journal}
    assert ("once-whole", "end") in noted
    told = {task: executions(last, task) for task in ONE_SHOTS}
    assert dict.fromkeys(ONE_SHOTS, 1) == {task: len(found) for task, found in told.items()}
    assert {"success", "interrupted"} >= {found[0]["status"] for found in told.values()}
    assert FINAL - {"timed_out", "cancelled", "abandoned"} <= {each["status"] for each in witness.told.values()}
    assert 0 == last.stop(), last.lines


def finish(node: Any, task: str) -> None:
    """Wait until a one-shot is over: then it is gone."""
    with Client(node.data_dir) as client:
        while task in {one["name"] for one in client.call("task.list")}:
            pass
