"""The power goes at random instants of a busy run (see tests/power_cut.py and tests/torture.py): what was told, and
what was on the record before a function ran, is on the disk. The tasks' journals are what the world has seen."""

import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import apsw
import pytest

import power_cut
from torture import Torture, kept_on_failure

LONGEST_LIFE = 1.2


class Disk:
    """The disk of a node's data folder."""

    def __init__(self, nodes: Any, seed: int) -> None:
        self.folder, self.record = nodes.data_dir, nodes.folder / "record"
        self.chance = random.Random(seed)
        self.shell = f'exec {sys.executable} {power_cut.__file__} {self.record} "$@"'

    def lose_power(self) -> None:
        """What was not synced is lost, or half of it; each time more of it or less."""
        if self.record.exists():
            power_cut.cut(self.folder, self.record, self.before, self.chance, self.chance.choice([0, 0.5, 0.98]))
        self.look()

    def look(self) -> None:
        """This is what is on the disk."""
        self.before = power_cut.databases(self.folder) if self.folder.exists() else {}


def test_a_power_cut_at_any_instant_loses_nothing_and_repeats_nothing(nodes_in: Any, seed: int, nightly: bool) -> None:
    with kept_on_failure(seed) as folder:
        nodes = nodes_in(folder)
        disk = Disk(nodes, seed)
        disk.look()
        torture = Torture(nodes, seed, shell=disk.shell)
        for _ in range(200 if nightly else 20):
            torture.live(LONGEST_LIFE, disk.lose_power)
        torture.end()


WRITER = """
import apsw, os, sys
connection = apsw.Connection(sys.argv[1])
connection.pragma("journal_mode", "wal")
connection.pragma("synchronous", sys.argv[2])
connection.execute("CREATE TABLE IF NOT EXISTS line (number INTEGER PRIMARY KEY)")
for number in range(1_000_000):
    connection.execute("INSERT INTO line VALUES (?)", (number,))
    os.write(1, b"%d\\n" % number)
"""


@pytest.mark.parametrize(("synchronous", "all_there"), [("full", True), ("normal", False), ("off", False)])
def test_the_simulated_cut_takes_what_was_not_synced(tmp_path: Path, synchronous: str, all_there: bool) -> None:
    (tmp_path / "writer.py").write_text(WRITER)
    database, record = tmp_path / "some.db", tmp_path / "record"
    words = [power_cut.__file__, record, tmp_path / "writer.py", database, synchronous]
    with subprocess.Popen([sys.executable, *words], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(50)]
        process.kill()
        said += process.stdout.readlines()
    power_cut.cut(tmp_path, record, {}, random.Random(1), kept=0.5)
    acknowledged = [int(line) for line in said if line.endswith(b"\n")]
    try:
        kept = {row[0] for row in apsw.Connection(str(database)).execute("SELECT number FROM line")}
    except apsw.Error:
        kept = set()
    assert all_there == (set(acknowledged) <= kept)
