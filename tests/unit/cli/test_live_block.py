"""Lines at the end of a terminal, drawn on one that only knows what is needed."""

import io
import os
import re

import pytest

from dms.cli.live_block import LiveBlock, can_be_drawn_on


class Terminal(io.StringIO):
    """Knows new lines, returns, going up and erasing to the end; anything else is a mistake."""

    def isatty(self) -> bool:
        return True

    @property
    def screen(self) -> list[str]:
        lines, at = [""], 0
        for part in re.findall(r"\x1b\[\d*[A-Z]|\n|\r|[^\x1b\n\r]+", self.getvalue()):
            if part == "\n":
                at += 1
                lines += [""] * (at == len(lines))
            elif part.endswith("A") and part[0] == "\x1b":
                at -= int(part[2:-1])
            elif part == "\x1b[J":
                lines[at:] = [""]
            elif part != "\r":
                assert part.isprintable()
                lines[at] += part
        return lines


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((20, 6)))
    return Terminal()


def test_lines_change_in_their_place_and_what_is_printed_stays_above_them(terminal: Terminal) -> None:
    block = LiveBlock(terminal)
    block.set("a", "a 10 %")
    block.set("b", "b 10 %")
    block.set("a", "a 20 %")
    assert ["a 20 %", "b 10 %", ""] == terminal.screen
    block.remove("a")
    block.print("a has ended")
    block.set("b", "b 30 %")
    assert ["a has ended", "b 30 %", ""] == terminal.screen
    block.clear()
    assert ["a has ended", ""] == terminal.screen


def test_no_line_is_wider_than_the_terminal_nor_are_there_more_than_fit(terminal: Terminal) -> None:
    block = LiveBlock(terminal)
    for number in range(10):
        block.set(str(number), f"{number} 日本語日本語日本語日本語")
    assert 5 == len(terminal.screen)
    assert "0 日本語日本語日本…" == terminal.screen[0]


def test_nothing_is_written_where_there_is_nothing_to_show(terminal: Terminal) -> None:
    block = LiveBlock(terminal)
    block.clear()
    assert "" == terminal.getvalue()


@pytest.mark.parametrize(("term", "can"), [("xterm", True), ("dumb", False), (None, False)])
def test_a_terminal_that_can_not_move_its_cursor_is_none(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, term: str | None, can: bool
) -> None:
    monkeypatch.delenv("TERM", raising=False)
    if term is not None:
        monkeypatch.setenv("TERM", term)
    assert can == can_be_drawn_on(terminal)
    assert not can_be_drawn_on(io.StringIO())
