"""`dms logs`."""

from typing import Any

import click

from dms.cli.asking import Asking, asking, print_json
from dms.cli.exit_status import DONE
from dms.cli.terminal import colourful
from dms.init.log_line import pretty_line


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
    """A line of the log for people, as the node itself would write it on a terminal."""
    return pretty_line(line, colours=colourful())
