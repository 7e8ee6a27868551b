"""`dms task logs`: what a task's runs log and print."""

import re
from typing import Any

import click

from dms.cli.asking import Asking, print_json
from dms.cli.exit_status import DONE
from dms.cli.terminal import painted
from dms.cli.wording import local_time

AT_ONCE = 1000
"""Lines that are asked for at once."""

WAIT = "20s"
"""How long the node waits for new lines before it says that there are none yet; less than a client's patience."""

_COLOUR = re.compile(r"\x1b\[[\d;]*m")
_PRINTED = ("stdout", "stderr")


def print_logs(node: Asking, name: str | int, run: str | None, following: bool, newest: int | None) -> int:
    """Print what is kept, and with `following` what comes."""
    printing = _Printing(node.as_json)
    page = node.call("task.logs", name=name, run=run, limit=newest or AT_ONCE, newest=newest is not None)
    printing.show(page["lines"])
    try:
        while page["more"] or (following and not (page["over"] and run is not None)):
            page = node.call("task.logs", name=name, run=run, wait=WAIT if following else 0, **{"from": page["cursor"]})
            printing.show(page["lines"])
    except KeyboardInterrupt:
        return DONE
    if not printing.any:
        what = f"Run {run} of {name}" if run is not None else f"{name}"
        click.echo(f"{what} has said nothing yet, or nothing that is still kept.", err=True)
    return DONE


class _Printing:
    """Prints lines, each execution under a heading of its own."""

    def __init__(self, as_json: bool) -> None:
        self._as_json, self._execution = as_json, ""

    @property
    def any(self) -> bool:
        """Whether there were any."""
        return bool(self._execution)

    def show(self, lines: list[dict[str, Any]]) -> None:
        """Print them."""
        for line in lines:
            begun, self._execution = self._execution != line["execution"], line["execution"]
            if self._as_json:
                print_json(line)
                continue
            if begun:
                click.echo(painted(f"── {line['execution']}  {local_time(line['at'])}", "debug"))
            if line["dropped"]:
                click.echo(painted(f"   … {line['dropped']} lines are not kept", "warning"))
            click.echo(log_line(line))


def log_line(line: dict[str, Any]) -> str:
    r"""A line for people: when it came, its level or stream where that is not the usual, and what it says; colours are
    taken out, and whatever else could steer a terminal is spelt out.

    >>> log_line({"at": None, "kind": "stderr", "text": "\x1b[31mred\x1b[0m\ta \x1b[2J", "fields": {"n": 1}})
    ' stderr   red\ta \\x1b[2J  n=1'
    """
    kind = "" if line["kind"] in ("stdout", "info") else line["kind"]
    fields = "".join(f"  {name}={value}" for name, value in line["fields"].items() if name != "exception")
    told = f"{line['text']}{fields}"
    trace = line["fields"].get("exception") or ""
    first, *others = [shown(part) for part in (*told.split("\n"), *trace.splitlines())]
    head = f"{local_time(line['at'], '%H:%M:%S')} {painted(f'{kind:<8}', kind)} "
    return "\n".join([f"{head}{first}".rstrip(), *(f"    {part}" for part in others)])


def shown(text: str) -> str:
    r"""Text that can't steer a terminal, with its tabs and without its colours.

    >>> shown("\x1b[1;32mok\x1b[0m \x1b]0;title\x07")
    'ok \\x1b]0;title\\x07'
    """
    plain = _COLOUR.sub("", text)
    if plain.isprintable():
        return plain
    return "".join(each if each.isprintable() or each == "\t" else _spelt(each) for each in plain)


def _spelt(character: str) -> str:
    return character.encode("unicode_escape").decode()
