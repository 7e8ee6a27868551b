"""What is printed for people: colours where they can be seen, columns that stand under each other."""

import os
import shutil
import sys
import textwrap
from collections.abc import Sequence

import click

from dms.cli.wording import columns, plain

_GAP = 2
_LEAST = 12

COLOURS = {
    "success": "green",
    "well": "green",
    "running": "cyan",
    "waiting": "cyan",
    "starting": "cyan",
    "retrying": "yellow",
    "paused": "yellow",
    "disabled": "yellow",
    "degraded": "yellow",
    "cancelled": "yellow",
    "interrupted": "yellow",
    "parked": "red",
    "failed": "red",
    "timed_out": "red",
    "abandoned": "red",
    "not_ready": "red",
    "warning": "yellow",
    "error": "red",
    "critical": "red",
}
"""By state, status or level."""


def colourful() -> bool:
    """Whether colours are seen and wanted (https://no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def painted(text: str, state: str) -> str:
    """A text in the colour of a state."""
    return click.style(text, fg=COLOURS[state]) if colourful() and state in COLOURS else text


def table(
    header: Sequence[str], rows: Sequence[Sequence[str]], *, shrink: int, dispensable: Sequence[int] = ()
) -> list[str]:
    """Lines with the columns under each other. Where the terminal is too narrow, column `shrink` gives way as far as it
    still can be read, then the `dispensable` ones are left out, one after another, then the widest gives way. A cell's
    first word takes the colour of the state that it names."""
    cells = [[plain(cell) for cell in row] for row in (header, *rows)]
    widths = [max(columns(row[number]) for row in cells) for number in range(len(header))]
    shown = _shown(widths, shrink, dispensable)
    place, widths = shown.index(shrink), [widths[number] for number in shown]
    _narrow(widths, place)
    _narrow(widths, widths.index(max(widths)))
    return [_line([row[number] for number in shown], widths) for row in cells]


def _shown(widths: Sequence[int], shrink: int, dispensable: Sequence[int]) -> list[int]:
    """The columns that there is room for."""
    shown, least = list(range(len(widths))), min(widths[shrink], _LEAST)
    for number in dispensable:
        if sum(widths[each] for each in shown if each != shrink) + least + _GAP * (len(shown) - 1) <= _room():
            break
        shown.remove(number)
    return shown


def _narrow(widths: list[int], number: int) -> None:
    excess = sum(widths) + _GAP * (len(widths) - 1) - _room()
    if excess > 0:
        widths[number] = min(widths[number], max(_LEAST, widths[number] - excess))


def _room() -> int:
    """The columns there are: those of the terminal, and without one as many as it takes."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 10_000


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [_fitted(cell, width) for cell, width in zip(cells, widths, strict=True)]
    return (" " * _GAP).join(_in_colour(cell) for cell in padded).rstrip()


def _fitted(cell: str, width: int) -> str:
    while columns(cell) > width:
        cell = cell[: -2 if cell.endswith("…") else -1] + "…"
    return cell + " " * (width - columns(cell))


def _in_colour(cell: str) -> str:
    word = cell.split(" ", 1)[0]
    return painted(word, word) + cell[len(word) :]


def fields(pairs: Sequence[tuple[str, str]]) -> list[str]:
    """Lines of a name and its value; those without a value are left out."""
    width = max(len(name) for name, _ in pairs) + _GAP
    return [wrapped(name, plain(value), width) for name, value in pairs if value]


def wrapped(name: str, text: str, width: int) -> str:
    """A name in a column of so many, and a text beside it; one that is longer than the terminal is wide goes on below
    itself, from one word to the next."""
    wrapper = textwrap.TextWrapper(_room(), f"{name:<{width}}", " " * width)
    wrapper.break_long_words = wrapper.break_on_hyphens = False
    return wrapper.fill(text)
