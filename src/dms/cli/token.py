"""`dms token …`."""

from typing import Any

import click

from dms.cli.asking import Asking, asking
from dms.cli.terminal import table
from dms.cli.wording import ago, local_time, plain, typed
from dms.clock import SystemClock
from dms.instant import to_datetime


@click.group()
def token() -> None:
    """Say who may come in over HTTP and WebSocket."""


@token.command()
@click.option("--scope", "scopes", metavar="SCOPE", multiple=True, required=True, help="What it may do; several times.")
@click.option("--name", default="", metavar="NAME", help="Whom it is for, as the log tells it.  [default: its ID]")
@click.option("--expires", metavar="TIME", help="How long it is good, such as 30d.  [default: until it is revoked]")
@asking
def create(node: Asking, scopes: tuple[str, ...], name: str, expires: str | None) -> None:
    """Make a token. It is printed this once: TOKEN=$(dms token create --scope task:read)."""
    made = node.call("token.create", scopes=list(scopes), name=name, expires_in=expires)
    node.show({key: made[key] for key in ("id", "token", "scopes", "expires")}, lambda _: _print_new(made))


def _print_new(made: dict[str, Any]) -> None:
    click.echo(made["token"])
    until = f"until {local_time(made['expires'], '%d %b %Y %H:%M')}" if made["expires"] else "until it is revoked"
    told = f"Token {made['id']} for {plain(made['name'])} may {', '.join(made['scopes'])}, {until}."
    click.echo(f"{told} It is shown only now.\nTo take it back: {typed('token revoke')} {made['id']}", err=True)


@token.command(name="list")
@asking
def list_(node: Asking) -> None:
    """The tokens there are, without their secrets."""
    node.show(node.call("token.list"), _print_list)


def _print_list(found: dict[str, Any]) -> None:
    now = to_datetime(SystemClock().now().wall)
    rows = [
        (
            it["id"],
            it["name"],
            local_time(it["expires"], "%d %b %Y %H:%M") or "never",
            ago(it["last_used"], now) or "never",
            ", ".join(it["scopes"]),
        )
        for it in found["tokens"]
    ]
    if rows:
        click.echo("\n".join(table(("ID", "NAME", "EXPIRES", "LAST USED", "SCOPES"), rows, shrink=4)))
    else:
        click.echo(
            "There is no token: only this machine's node user and root come in. Make one: " + typed("token create")
        )


@token.command()
@click.argument("token_id", metavar="ID")
@asking
def revoke(node: Asking, token_id: str) -> None:
    """Make a token useless at once, and hang up on whoever came in with it."""
    revoked = node.call("token.revoke", id=token_id)
    node.show(revoked, lambda it: click.echo(f"{it['id']} of {plain(it['name'])} was revoked; its sockets are closed."))
