"""The unit file that comes with DMS: systemd reads it, it takes little for itself, and it fits the node's stop."""

import configparser
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from dms.instant import parse_duration

ROOT = Path(__file__).resolve().parents[2]
UNIT = ROOT / "packaging/systemd/dms.service"


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit, with a program that there is on this machine."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("this machine has no systemd-analyze, which reads unit files")
    made = tmp_path / "dms.service"
    made.write_text(UNIT.read_text().replace("/opt/dms/bin/dms", "/bin/sh"))
    return made


def analyze(*words: str | Path) -> tuple[int, str]:
    ended = subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, timeout=60)
    return ended.returncode, ended.stderr


def test_systemd_finds_nothing_to_say_about_it(unit: Path) -> None:
    """A wrong value or an unknown key is told on standard error only, with status 0."""
    assert (0, "") == analyze("verify", unit)


def test_a_wrong_line_in_it_would_be_seen(unit: Path) -> None:
    unit.write_text(unit.read_text().replace("Restart=on-failure", "Restart=on-falure\nRestrat=no"))
    _, told = analyze("verify", unit)
    assert 2 == told.count("dms.service:")


def test_it_exposes_little(unit: Path) -> None:
    assert 0 == analyze("security", "--offline=true", "--threshold=25", unit)[0]


def service() -> configparser.SectionProxy:
    read = configparser.RawConfigParser(strict=False, comment_prefixes=("#",))
    read.optionxform = str  # type: ignore[assignment,method-assign]
    read.read(UNIT)
    return read["Service"]


def test_the_nodes_stop_fits_into_systemds() -> None:
    (timeout,) = [line.rpartition("=")[2] for line in UNIT.read_text().splitlines() if "DMS_SHUTDOWN__TIMEOUT" in line]
    assert parse_duration(timeout).total_seconds() < int(service()["TimeoutStopSec"])


def test_a_stop_reaches_the_nodes_programs_through_the_node_only() -> None:
    assert "mixed" == service()["KillMode"]


def test_it_is_in_the_distribution() -> None:
    targets = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]
    assert "share/dms/systemd/dms.service" == targets["wheel"]["shared-data"]["packaging/systemd/dms.service"]
    assert "packaging" in targets["sdist"]["include"]
