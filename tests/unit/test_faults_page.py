"""The page of known faults names tests that there are, each in the file that it links."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs/why/faults.md"
ROW = re.compile(r"^\| (?P<fault>.+) \| (?P<source>.+) \| .+ \| \[(?P<test>\w+)\]\((?P<file>[^)]+)\) \|$", re.MULTILINE)
SOURCE = re.compile(r"[\w.-]+/[\w.-]+#\d+(?:, [\w.-]+/[\w.-]+#\d+)*").fullmatch
ROWS = [pytest.param(found, id=found["fault"]) for found in ROW.finditer(PAGE.read_text())]


def test_every_line_of_a_table_is_a_row() -> None:
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("|") and "_" in line]
    assert len(lines) == len(ROWS)


@pytest.mark.parametrize("row", ROWS)
def test_a_fault_has_its_source_and_its_test(row: re.Match[str]) -> None:
    assert SOURCE(row["source"])
    assert re.search(rf"def {row['test']}\(", (PAGE.parent / row["file"]).read_text())
