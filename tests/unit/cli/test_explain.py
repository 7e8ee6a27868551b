import time
from collections.abc import Iterator

import pytest

from dms.cli.task import _print_explanation


@pytest.fixture(autouse=True)
def in_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("sentence", "zone", "note"),
    [
        ("backup runs since 03:00 today.", "Asia/Kolkata", ["Times are those of Asia/Kolkata."]),
        ("backup runs since 03:00 today.", "UTC+05:30", ["Times are those of UTC+05:30."]),
        ("backup runs since 03:00 today.", "UTC", []),
        ("backup runs since 03:00 today.", "Africa/Abidjan", []),
        ("backup runs when somebody asks.", "Asia/Kolkata", []),
    ],
)
def test_whose_clock_it_is_is_said_where_it_shows_another_time(
    sentence: str, zone: str, note: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    _print_explanation({"sentence": sentence, "facts": ["It has no history."], "zone": zone})
    assert [sentence, "It has no history.", *note] == capsys.readouterr().out.splitlines()
