"""A process that saves revisions is killed at random moments: all that was acknowledged is there, the newest whole."""

import random
import subprocess
import sys
from pathlib import Path

from dms.adapters.config_store import KEPT, SqliteConfigStore
from dms.adapters.sqlite import SqliteStore

# Saves one revision after the other, and prints the number of each that is acknowledged.
WRITER = """
import os, sys
from dms.adapters.config_store import SqliteConfigStore
from dms.adapters.sqlite import SqliteStore
from dms.config.store import Revision

store = SqliteStore(sys.argv[1])
kept = SqliteConfigStore(store, store.open())
newest = kept.newest()
store.load()
for number in range(newest.number + 1 if newest else 1, 1_000_000):
    kept.save(Revision(number, 0, "ana", "", [], [], {"number": number, "much": "x" * 20_000}, str(number))).result()
    os.write(1, b"%d\\n" % number)
"""


def last_acknowledged(path: Path, lines: int) -> int:
    """The last number that a writer acknowledged, which is killed after so many."""
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(lines)]
        process.kill()
        said += process.stdout.readlines()
    return int([line for line in said if line.endswith(b"\n")][-1])


def test_a_kill_at_any_moment_loses_no_revision_that_was_acknowledged(tmp_path: Path, nightly: bool) -> None:
    chance = random.Random(1)
    for _ in range(100 if nightly else 8):
        acknowledged = last_acknowledged(tmp_path / "dms.db", chance.randrange(1, 200))
        store = SqliteStore(tmp_path / "dms.db")
        kept = SqliteConfigStore(store, store.open())
        newest = kept.newest()
        store.load()
        assert newest is not None
        assert newest.number in (acknowledged, acknowledged + 1)
        assert (newest.number, str(newest.number)) == (newest.effective["number"], newest.hash)
        oldest = max(0, newest.number - KEPT)
        assert list(range(newest.number, oldest, -1)) == [each.number for each in kept.revisions(1000, None).result(10)]
        store.close()
