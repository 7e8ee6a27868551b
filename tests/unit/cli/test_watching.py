import io
from typing import Any

import pytest

from dms.cli.live_block import LiveBlock
from dms.cli.watching import RunLines

AT = "2026-11-25T12:00:03.000000+00:00"


def event(kind: str, execution: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    base = {
        "attempt": 1,
        "status": "running",
        "started_at": "2026-11-25T12:00:00+00:00",
        "ended_at": None,
        "retry_at": None,
    }
    told = None if execution is None else {**base, **execution}
    return {
        "at": AT,
        "kind": kind,
        "task": "web-check",
        "run_id": "1-1",
        "text": "",
        "progress": None,
        "execution": told,
        **more,
    }


@pytest.mark.parametrize(
    ("told", "line"),
    [
        (event("started", {}), "web-check    running"),
        (event("started", {"attempt": 2}), "web-check    running             attempt 2"),
        (
            event(
                "ended", {"status": "failed", "ended_at": AT, "retry_at": "2026-11-25T12:00:13+00:00"}, text="refused"
            ),
            "web-check    failed      3.0 s   refused; again in 10 s",
        ),
        (
            event("ended", {"status": "success", "ended_at": AT, "attempt": 2}, text="200"),
            "web-check    success     3.0 s   200; on attempt 2",
        ),
        (event("skipped", text="overlap"), "web-check    skipped             overlap"),
        (
            event("progress", {}, progress={"done": 1, "total": 2, "text": "1 of 2 MB"}),
            "web-check    running             1 of 2 MB  █████████░░░░░░░░░ 50 %",
        ),
        (event("progress", {}, progress={"done": 7, "total": None, "text": ""}), "web-check    running             7"),
    ],
)
def test_a_change_is_a_line(told: dict[str, Any], line: str) -> None:
    shown = RunLines().line(told)
    assert shown is not None
    assert line == shown[len("12:00:03 ") :]


def test_progress_is_told_once_a_second_at_most() -> None:
    lines = RunLines()
    told = event("progress", {}, progress={"done": 1, "total": 2, "text": ""})
    assert lines.line(told) is not None
    assert lines.line(told) is None
    assert lines.line({**told, "at": "2026-11-25T12:00:04.000000+00:00"}) is not None


def test_an_end_is_told_however_soon_it_comes() -> None:
    lines = RunLines()
    lines.line(event("started", {}))
    assert lines.line(event("ended", {"status": "success", "ended_at": AT})) is not None


def test_a_long_name_widens_the_column_from_then_on() -> None:
    lines = RunLines()
    lines.line({**event("started", {}), "task": "a-name-of-twenty-chars"})
    shown = lines.line(event("started", {}))
    assert shown is not None
    assert "web-check              running" == shown[len("12:00:03 ") :]


def test_on_a_terminal_progress_is_drawn_and_its_run_takes_it_away() -> None:
    drawn = io.StringIO()
    lines = RunLines(LiveBlock(drawn))
    for done in (1, 2):
        told = event("progress", {}, progress={"done": done, "total": 2, "text": "copying\x1b[2J"})
        assert lines.line(told) is None
    assert "copying\\x1b[2J  ██████████████████ 100 %" in drawn.getvalue()
    ended = lines.line(event("ended", {"status": "success", "ended_at": AT}))
    assert ended is not None
    drawn.truncate(0)
    lines.line(event("progress", {}, progress={"done": 1, "total": 2, "text": "next"}, run_id="1-2"))
    assert "copying" not in drawn.getvalue()
