"""Lines at the end of a terminal that are drawn anew as they change; whatever else is printed goes above them."""

import os
import shutil
from typing import TextIO

from dms.cli.wording import columns


def can_be_drawn_on(stream: TextIO) -> bool:
    """Whether it is a terminal on which the cursor can be moved."""
    return stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"


class LiveBlock:
    """The lines, each by its key, in the order in which they came."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lines: dict[str, str] = {}
        self._drawn = 0

    def set(self, key: str, line: str) -> None:
        """Show a line, or another one in its place; it must be printable."""
        self._lines[key] = line
        self._draw("")

    def remove(self, key: str) -> None:
        """Show it no more, once something else is drawn."""
        self._lines.pop(key, None)

    def print(self, line: str) -> None:
        """A line that stays."""
        self._draw(f"{line}\n")

    def clear(self) -> None:
        """Leave the terminal as if nothing had been shown."""
        self._lines.clear()
        self._draw("")

    def _draw(self, above: str) -> None:
        back = f"\x1b[{self._drawn}A\r\x1b[J" if self._drawn else ""
        width, height = shutil.get_terminal_size()
        shown = [f"{_cut(line, width - 1)}\n" for line in list(self._lines.values())[: max(1, height - 2)]]
        self._drawn = len(shown)
        self._stream.write("".join([back, above, *shown]))
        self._stream.flush()


def _cut(line: str, width: int) -> str:
    while columns(line) > width:
        line = line[:-2] + "…"
    return line
