import pytest

from dms.cli import terminal
from dms.cli.terminal import fields, painted, table, wrapped

ROWS = [("disk-space", "every 5m", "ready"), ("日本", "03:00 daily,\nHelsinki", "running 39 %")]


def test_columns_stand_under_each_other_whatever_the_characters_width() -> None:
    assert [
        "NAME        WHEN                   STATE",
        "disk-space  every 5m               ready",
        "日本        03:00 daily, Helsinki  running 39 %",
    ] == table(("NAME", "WHEN", "STATE"), ROWS, shrink=1)


def test_on_a_narrow_terminal_one_column_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "_room", lambda: 40)
    lines = table(("NAME", "WHEN", "STATE"), ROWS, shrink=1)
    assert "日本        03:00 daily, …  running 39 %" == lines[2]


def test_where_that_is_not_enough_the_widest_gives_way_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "_room", lambda: 50)
    lines = table(("KEY", "VALUE", "PLACE"), [("keep", "x" * 60, "y" * 30), ("a", "b", "c")], shrink=2)
    assert f"keep  {'x' * 29}…  {'y' * 11}…" == lines[1]


@pytest.mark.parametrize(("room", "line"), [(34, "id  2 s  9 MB  the disk is full"), (26, "id  2 s  the disk is full")])
def test_what_can_be_done_without_is_left_out_before_what_matters_is_cut(
    room: int, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal, "_room", lambda: room)
    rows = [("id", "2 s", "9 MB", "the disk is full")]
    assert line == table(("ID", "CPU", "MEM", "WHY"), rows, shrink=3, dispensable=(2,))[1]
    monkeypatch.setattr(terminal, "_room", lambda: 20)
    assert "id  the disk is full" == table(("ID", "CPU", "MEM", "WHY"), rows, shrink=3, dispensable=(2, 1))[1]


def test_a_column_that_is_narrow_already_is_not_made_wider(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "_room", lambda: 20)
    assert f"b  {'c' * 13}…  d" == table(("A", "B", "C"), [("b", "c" * 40, "d")], shrink=2)[1]


def test_colours_are_for_those_who_see_and_want_them(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "failed" == painted("failed", "failed")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[31mfailed\x1b[0m" == painted("failed", "failed")
    assert "unknown" == painted("unknown", "unknown")
    monkeypatch.setenv("NO_COLOR", "1")
    assert "failed" == painted("failed", "failed")


def test_a_field_without_a_value_is_left_out() -> None:
    assert ["name   a b", "state  ready"] == fields([("name", "a\nb"), ("error", ""), ("state", "ready")])


def test_a_text_goes_on_below_itself_where_the_terminal_is_narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "_room", lambda: 24)
    told = wrapped("finding", "a.yaml:3:1  x: no web-check " + "l" * 20, 10)
    assert ["finding   a.yaml:3:1  x:", "          no web-check", f"          {'l' * 20}"] == told.splitlines()
