"""What became of a replay, in words."""

import json
from typing import Any

import click
import msgspec

from dms.background_tasks.asking.replaying import Difference, Replay, replay
from dms.cli.asking import print_json
from dms.cli.exit_status import DONE, FAILED
from dms.cli.wording import local_time, plain
from dms.instant import rfc3339


def print_replay(file: str, as_json: bool) -> int:
    """Replay a recording and say what came of it; the exit status tells whether all was decided the same."""
    told = replay(file)
    if as_json:
        print_json(_document(told))
    else:
        for line in _lines(told):
            click.echo(plain(line))
    return DONE if told.difference is None else FAILED


def _document(told: Replay) -> dict[str, Any]:
    document: dict[str, Any] = msgspec.to_builtins(told)
    document |= {"since": rfc3339(told.since), "until": rfc3339(told.until)}
    if told.difference is not None:
        document["difference"]["at"] = rfc3339(told.difference.at)
    return document


def _lines(told: Replay) -> list[str]:
    since, until = local_time(rfc3339(told.since)), local_time(rfc3339(told.until))
    lines = [f"{told.calls} calls from {since} to {until}: {told.decisions} decisions are the same."]
    if told.full:
        lines.append("The recording was full then.")
    if told.difference is not None:
        lines += _of_difference(told.difference)
    return lines


def _of_difference(found: Difference) -> list[str]:
    return [
        f"Another decision, line {found.line}, {local_time(rfc3339(found.at))}:",
        f"  recorded  {_text(found.recorded)}",
        f"  now       {_text(found.decided)}",
    ]


def _text(decision: list[Any] | None) -> str:
    return "nothing more" if decision is None else json.dumps(decision)
