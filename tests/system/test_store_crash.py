"""A writer process is killed at random moments: whatever was acknowledged is there, and no save by half."""

import random
import subprocess
import sys
from collections import deque
from pathlib import Path

import pytest

from dms.adapters.sqlite import SqliteStore
from dms.background_tasks.store import PutExecution, Query
from dms.background_tasks.tasks.task import Execution, Status

# Saves pairs of executions, several saves in flight, and prints the counter of each pair that is acknowledged.
WRITER = """
import os, sys, threading
from dms.adapters.sqlite import SqliteStore
from dms.background_tasks.store import PutExecution
from dms.background_tasks.tasks.task import Execution, Status

store = SqliteStore(sys.argv[1])
boot = store.load().starts
in_flight = threading.Semaphore(40)

def acknowledge(counter):
    os.write(1, b"%d\\n" % counter)
    in_flight.release()

for counter in range(0, 1_000_000, 2):
    pair = [Execution(f"{boot}-{n}", "r", f"t{n % 7}", 1, 1, Status.RUNNING, n, n) for n in (counter, counter + 1)]
    in_flight.acquire()
    store.save([PutExecution(each) for each in pair]).add_done_callback(lambda _, n=counter: acknowledge(n))
"""


def acknowledged_until_killed(path: Path, lines: int) -> set[int]:
    """Every counter that a writer acknowledged: it is killed after so many, and what it said meanwhile counts too."""
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(lines)]
        process.kill()
        said += process.stdout.readlines()
    return {int(line) for line in said if line.endswith(b"\n")}


def test_a_kill_at_any_moment_loses_nothing_that_was_acknowledged(tmp_path: Path, nightly: bool) -> None:
    chance = random.Random(3)
    promised: set[str] = set()
    for boot in range(1, 200 if nightly else 21):
        counters = acknowledged_until_killed(tmp_path / "dms.db", chance.randrange(1, 3_000))
        promised |= {f"{boot}-{counter + half}" for counter in counters for half in (0, 1)}
    store = SqliteStore(tmp_path / "dms.db")
    stored = store.load()
    kept = {execution.id for execution in stored.unfinished}
    store.close()
    assert set() == promised - kept
    assert set() == {partner for partner in map(partner_of, kept) if partner not in kept}
    assert (boot + 1, {Status.RUNNING}) == (stored.starts, {execution.status for execution in stored.unfinished})


def partner_of(execution_id: str) -> str:
    boot, counter = execution_id.split("-")
    return f"{boot}-{int(counter) ^ 1}"


@pytest.mark.nightly
def test_the_log_stays_under_its_bound_while_saves_and_queries_never_cease(tmp_path: Path) -> None:
    """superseriousbusiness/gotosocial#2808: some reader was always active, and the log grew to gigabytes."""
    store = SqliteStore(tmp_path / "dms.db")
    store.load()
    log = tmp_path / "dms.db-wal"
    queries = deque(store.executions(Query(limit=2_000)) for _ in range(3))
    sizes = []
    for first in range(0, 400_000, 50):
        saved = store.save([PutExecution(execution(counter)) for counter in range(first, first + 50)])
        while queries[0].done():
            queries.popleft()
            queries.append(store.executions(Query(limit=2_000)))
        saved.result(10)
        sizes.append(log.stat().st_size)
    store.close()
    assert max(sizes) < 64 * 1024 * 1024


def execution(counter: int) -> Execution:
    return Execution(f"1-{counter}", "r", f"t{counter % 7}", 1, 1, Status.SUCCESS, counter, results="x" * 300)
