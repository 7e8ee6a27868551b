"""`dms status`."""

from datetime import datetime
from typing import Any

import click

from dms.cli.asking import Asking, asking
from dms.cli.terminal import painted, wrapped
from dms.cli.wording import near, plain, until, whole

_STATES = {"well": "is well", "degraded": "is degraded", "not_ready": "is not ready"}
_WIDTH = 10


@click.command()
@asking
def status(node: Asking) -> None:
    """How the node is and what it does."""
    node.show(node.call("node.status"), _print)


def _print(it: dict[str, Any]) -> None:
    now = datetime.fromisoformat(it["now"])
    up = whole((now - datetime.fromisoformat(it["started_at"])).total_seconds())
    state = painted(_STATES[it["state"]], it["state"])
    click.echo(f"{plain(it['name'])} {state} · up {up} · {it['version']} · revision {it['revision']}")
    file = near(it["config_file"]) if it["config_file"] else "no file: the defaults"
    doors = " · ".join(_door(door) for door in it["doors"])
    findings = [("finding", plain(finding["message"])) for finding in it["findings"]]
    for name, text in (("tasks", _tasks(it, now)), ("doors", doors), ("config", file), *findings):
        click.echo(wrapped(name, text, _WIDTH))


def _tasks(it: dict[str, Any], now: datetime) -> str:
    tasks, coming = it["tasks"], it["next"]
    parts = [
        f"{tasks['declared']} declared, {tasks['own']} of its own",
        f"{tasks['running']} running, {tasks['waiting']} waiting of {tasks['slots']} slots",
    ]
    parts += [f"{tasks['paused']} paused"] if tasks["paused"] else []
    return " · ".join([*parts, f"next: {coming['name']} {until(coming['at'], now)}"] if coming else parts)


def _door(door: str) -> str:
    kind, _, path = door.partition(" ")
    return f"socket {near(path)}" if kind == "socket" else plain(door)
