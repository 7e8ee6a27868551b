"""`dms config …`."""

import json
from typing import Any

import click

from dms.cli.asking import Asking, asking, print_json
from dms.cli.exit_status import CONFIGURATION, DONE
from dms.cli.terminal import table
from dms.cli.wording import plain
from dms.errors import ConfigError

_WHOLE_FILE = frozenset({"malformed", "unreadable"})
"""Codes of findings that leave nothing of a file."""


@click.group()
def config() -> None:
    """What the configuration says, and why."""


@config.command()
@click.argument("key")
@asking
def get(node: Asking, key: str) -> None:
    """The value of a key or a section, and where it comes from."""
    node.show(node.call("config.get", key=key), _print_value)


def _print_value(found: dict[str, Any]) -> None:
    origin = found.get("place") or found["origin"]
    if isinstance(found["value"], dict):
        for key, value in _leaves(found["value"], found["key"]):
            click.echo(f"{key} = {_text(value)}")
    else:
        click.echo(f"{found['key']} = {_text(found['value'])}   ({plain(origin)})")


def _leaves(value: dict[str, Any], prefix: str) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, inner in value.items():
        key = f"{prefix}.{name}"
        found += _leaves(inner, key) if isinstance(inner, dict) and inner else [(key, inner)]
    return found


def _text(value: Any) -> str:
    return plain(value) if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)


@config.command()
@click.argument("key")
@asking
def explain(node: Asking, key: str) -> None:
    """What each layer says of a key, and which is in force."""
    node.show(node.call("config.explain", key=key), _print_explanation)


def _print_explanation(it: dict[str, Any]) -> None:
    click.echo(f"{it['key']} = {_text(it['value'])}")
    rows = [
        (f"  {said['layer']}", _text(said["value"]), _place(said, it), "<- in force" if said["in_force"] else "")
        for said in it["layers"]
    ]
    click.echo("\n".join(table(("", "", "", ""), rows, shrink=2)[1:]))
    if it["summary"]:
        click.echo(plain(it["summary"]))


def _place(said: dict[str, Any], it: dict[str, Any]) -> str:
    return str(it["why"] if said["layer"] == "default" else said["place"])


@config.command()
@click.argument("file", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def validate(file: str | None, as_json: bool) -> int:
    """What is wrong with a file, by default the one that a node would read; no node is asked."""
    from dms.config import validate as find_faults
    from dms.declared_tasks import check_tasks

    path = file or _found()
    findings = find_faults(path, checks=[check_tasks])
    if as_json:
        print_json({"file": path, "findings": [_document(finding) for finding in findings]})
    else:
        for finding in findings:
            click.echo(plain(finding))
        click.echo(_verdict(path, [finding.code for finding in findings]))
    return CONFIGURATION if findings else DONE


def _found() -> str:
    from dms.config import find_config, search_paths

    folders = search_paths()
    found = find_config(folders, "dms_config")
    if found is None:
        raise ConfigError(f"no dms_config file in {', '.join(map(str, folders))}; name one")
    return str(found)


def _document(finding: Any) -> dict[str, Any]:
    origin = finding.origin
    return {
        "key": finding.key,
        "code": finding.code,
        "message": finding.message,
        "file": origin.source,
        "line": origin.line,
        "column": origin.column,
    }


def _verdict(path: str, codes: list[str]) -> str:
    if not codes:
        return f"{path} is valid."
    rest = "; the rest is valid" if _WHOLE_FILE.isdisjoint(codes) else ""
    return f"{len(codes)} problem{'s' if len(codes) > 1 else ''}{rest}."
