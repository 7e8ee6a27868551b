"""`dms event …`."""

import click

from dms.cli.asking import Asking, asking, read_json


@click.group()
def event() -> None:
    """Tell the node that something happened."""


@event.command()
@click.argument("topic")
@click.argument("payload", metavar="[JSON]", required=False)
@asking
def emit(node: Asking, topic: str, payload: str | None) -> None:
    """Emit an event: the tasks that listen to its topic come due."""
    emitted = node.call("event.emit", topic=topic, payload=read_json(payload, "JSON"))
    node.show(emitted, lambda it: click.echo(f"{it['topic']} was emitted."))
