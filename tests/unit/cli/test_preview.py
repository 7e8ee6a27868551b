import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from dms.background_tasks.asking.preview import LeftOut, Preview, collisions
from dms.background_tasks.asking.rehearsal import ComingRun, Full
from dms.cli.preview import print_preview
from dms.command.preview import preview_document
from dms.instant import SECOND, from_datetime

NOON = from_datetime(datetime(2026, 11, 25, 12, tzinfo=UTC))
HOUR = 3_600 * SECOND


@pytest.fixture(autouse=True)
def in_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def run(task: str, hours: float, length: int | None = 60 * SECOND) -> ComingRun:
    return ComingRun(task, NOON + int(hours * HOUR), NOON + int(hours * HOUR), 0, length, "schedule")


def told(*runs: ComingRun, days: float = 7, **more: Any) -> dict[str, Any]:
    """The document of a preview, as it comes over the wire."""
    lengths = {run.task: run.length for run in runs if run.length is not None}
    fields = {"complete": True, "slots": 2, "skipped": {}, "full": [], "left_out": []} | more
    until = NOON + int(days * 24 * HOUR)
    preview = Preview(NOON, until, lengths=lengths, runs=runs, collisions=collisions(runs, ()), **fields)
    return dict(msgspec.to_builtins(preview_document(preview, UTC)))


def lines(document: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> list[str]:
    print_preview(document)
    return capsys.readouterr().out.splitlines()


def test_a_week_is_drawn_in_eighty_columns_with_collisions_and_full_slots(capsys: pytest.CaptureFixture[str]) -> None:
    nightly = [run(task, 15 + 24 * day) for day in range(7) for task in ("backup", "a-report-with-a-long-name")]
    often = [run("heating", hour / 12) for hour in range(7 * 24 * 12)]
    full = [Full(NOON + 15 * HOUR, NOON + 17 * HOUR, 3), Full(NOON + 40 * HOUR, NOON + 41 * HOUR)]
    drawn = lines(told(*often, *nightly, full=full), capsys)
    assert [
        "From Wed 25 Nov 12:00 to Wed 02 Dec 12:00; a column is 3 h, 2 slots.",
        "",
        "                      26 Nov  27 Nov  28 Nov  29 Nov  30 Nov  01 Dec  02 Dec",
        "heating           ++++++++++++++++++++++++++++++++++++++++++++++++++++++++",
        "backup            .....1.......1.......1.......1.......1.......1.......1..",
        "a-report-with-a…  .....1.......1.......1.......1.......1.......1.......1..",
        "together          .....3.......3.......3.......3.......3.......3.......3..",
        "full              .....#.......-..........................................",
        "",
        "3 start together: a-report-with-a-long-name, backup, heating (7 times, first 2026-11-26 03:00:00).",
        "All slots are taken from 2026-11-26 03:00:00 on for 2 h; 3 runs wait.",
        "All slots are taken from 2026-11-27 04:00:00 on for 1 h.",
    ] == drawn
    assert all(len(line) <= 80 for line in drawn[:8])


def test_slots_that_are_full_for_less_than_a_second_are_told_where_somebody_waits(
    capsys: pytest.CaptureFixture[str],
) -> None:
    full = [Full(NOON, NOON + SECOND // 2, 1), Full(NOON + HOUR, NOON + HOUR + SECOND // 4)]
    assert ["All slots are taken from 2026-11-25 12:00:00 on for 500 ms; 1 run waits."] == [
        line for line in lines(told(run("a", 1), full=full), capsys) if line.startswith("All slots")
    ]


def test_a_short_while_is_told_in_hours(capsys: pytest.CaptureFixture[str]) -> None:
    drawn = lines(told(run("a", 1), days=0.25), capsys)
    assert [
        "          12:00 13:00 14:00 15:00 16:00 17:00",
        "a         ......1.............................",
    ] == drawn[2:4]


def test_what_is_not_known_or_left_out_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    document = told(
        run("new", 1, None),
        skipped={("new", "overlap"): 1, ("held", "paused"): 12},
        left_out=[LeftOut(f"tick{number}", 604_800) for number in range(7)],
        unseen=3,
        complete=False,
    )
    document["more"] = 2
    assert [
        "new: 1 fire won't run (overlap).",
        "held: 12 fires won't run (paused).",
        "Taken to need no time, for none of its runs has succeeded yet: new, held.",
        *(f"tick{number} is left out: it comes 604800 times." for number in range(5)),
        "2 or more others come too often as well.",
        "2 tasks more come.",
        "3 tasks more are not looked at.",
        "There is too much to come: what lies later is not looked at.",
    ] == lines(document, capsys)[-12:]


def test_where_nothing_comes_that_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert "Nothing comes by itself." == lines(told(), capsys)[1]
    too_often = told(left_out=[LeftOut("tick", 604_800)])
    assert ["Nothing else comes by itself.", "tick is left out: it comes 604800 times."] == lines(too_often, capsys)[1:]
