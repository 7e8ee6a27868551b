"""`dms logs`."""

from typing import Any

import click

from dms.cli.asking import Asking, asking, print_json
from dms.cli.exit_status import DONE
from dms.cli.terminal import painted
from dms.cli.wording import local_time, plain

_SHOWN = frozenset({"at", "level", "event", "logger", "task", "execution", "status", "took", "exception"})


@click.command()
@click.option("-f", "--follow", "following", is_flag=True, help="Go on with what comes; Ctrl-C ends it.")
@click.option("-n", "--lines", type=click.IntRange(1, 1000), default=50, show_default=True, help="How many at first.")
@asking
def logs(node: Asking, following: bool, lines: int) -> int:
    """What the node says of itself. With --json and -f each line is a JSON document."""
    tail = node.call("logs.tail", limit=lines)
    if not following:
        node.show(tail["lines"], lambda found: click.echo("\n".join(map(log_line, found))))
        return DONE
    for line in tail["lines"]:
        print_json(line) if node.as_json else click.echo(log_line(line))
    from dms.cli.watching import follow

    return follow(node, "logs", log_line, cursor=tail["cursor"])


def log_line(line: dict[str, Any]) -> str:
    """A line of the log for people: when, which task, how it went, what it says, and the rest as name=value."""
    status = str(line.get("status") or ("" if line.get("level") == "info" else line.get("level", "")))
    parts = [local_time(line.get("at"), "%H:%M:%S")]
    if "task" in line:
        parts += [f"{plain(line['task']):<12}", painted(f"{status:<9}", status), f"{plain(line.get('took', '')):>7}  "]
    elif status:
        parts.append(painted(f"{status:<9}", status))
    parts.append(plain(line.get("event", "")))
    parts += [f" {plain(name)}={plain(value)}" for name, value in line.items() if name not in _SHOWN]
    return " ".join(parts).rstrip()
