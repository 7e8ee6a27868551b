"""`dms call`."""

import json
import sys
from typing import Any

import click

from dms.cli.asking import Asking, asking, read_json


@click.command()
@click.argument("method")
@click.argument("params", metavar="[JSON]", required=False)
@asking
def call(node: Asking, method: str, params: str | None) -> None:
    """Call any method of the command channel, such as `dms call task.list '{}'`; with - the parameters are read from
    standard input. `dms call rpc.discover` describes them all."""
    given = read_json(sys.stdin.read() if params == "-" else params, "JSON")
    if given is not None and not isinstance(given, dict):
        raise click.BadParameter('give an object such as \'{"name": "backup"}\'', param_hint="JSON")
    node.show(node.client.call(method, given), _print)


def _print(result: Any) -> None:
    click.echo(json.dumps(result, ensure_ascii=False, indent=2))
