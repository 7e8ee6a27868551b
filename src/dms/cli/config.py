"""`dms config …`."""

import json
import sys
from functools import partial
from typing import Any

import click

from dms.cli.asking import Asking, asking, print_json
from dms.cli.exit_status import CONFIGURATION, DONE
from dms.cli.terminal import table
from dms.cli.wording import local_time, plain, typed
from dms.errors import ConfigError

_dry_run = click.option("--dry-run", is_flag=True, help="Tell what would change, and change nothing.")
_reason = click.option("--reason", default="", help="Why, for the history.")


@click.group()
def config() -> None:
    """What the configuration says, and why; and changing it."""


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
    value, place = (max(len(row[number]) for row in rows) for number in (1, 2))
    click.echo("\n".join(table(("", "", "", ""), rows, shrink=1 if value > place else 2)[1:]))
    if it["summary"]:
        click.echo(plain(it["summary"]))


def _place(said: dict[str, Any], it: dict[str, Any]) -> str:
    return str(it["why"] if said["layer"] == "default" else said["place"])


class _TakesValues(click.Command):
    """A value below 0 looks like an option: where it has to stand is said."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As ever, but for that."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            if error.option_name[1:2].isdigit():
                ctx.fail("a value below 0 stands after --, as in: dms config set -- tasks.backup.priority -5")
            raise


@config.command("set", cls=_TakesValues)
@click.argument("pairs", metavar="KEY VALUE [KEY VALUE]…", nargs=-1, required=True)
@click.option("--volatile", is_flag=True, help="Only until the node's next restart.")
@_dry_run
@click.option("--revision", type=int, help="Refuse where one of the keys has changed since this revision.")
@_reason
@asking
def set_(
    node: Asking, pairs: tuple[str, ...], volatile: bool, dry_run: bool, revision: int | None, reason: str
) -> None:
    """Set keys of the running node, all or none. VALUE is JSON where it can be read as that, else text."""
    if len(pairs) % 2:
        raise click.UsageError("give a value for each key, as in: dms config set scheduler.max_running_tasks 2")
    changes = {key: read_value(value) for key, value in zip(pairs[::2], pairs[1::2], strict=True)}
    changed = node.call(
        "config.set", changes=changes, volatile=volatile, dry_run=dry_run, expected_revision=revision, reason=reason
    )
    node.show(changed, print_changed)


@config.command()
@click.argument("keys", metavar="KEY…", nargs=-1, required=True)
@click.option("--volatile", is_flag=True, help="Only what was set until the next restart.")
@_dry_run
@_reason
@asking
def unset(node: Asking, keys: tuple[str, ...], volatile: bool, dry_run: bool, reason: str) -> None:
    """Remove what was set, so that the layers below count again."""
    only = True if volatile else None
    node.show(node.call("config.unset", keys=keys, volatile=only, dry_run=dry_run, reason=reason), print_changed)


@config.command()
@click.argument("from_", metavar="[FROM]", type=int, required=False)
@click.argument("to", type=int, required=False)
@asking
def diff(node: Asking, from_: int | None, to: int | None) -> None:
    """What differs between two revisions; without TO up to now, without FROM from the defaults on."""
    node.show(node.call("config.diff", **{"from": from_, "to": to}), _print_changes)


def _print_changes(changes: list[dict[str, Any]]) -> None:
    for change in changes:
        click.echo(_change(change))
    if not changes:
        click.echo("No difference.")


@config.command()
@click.option("--limit", type=click.IntRange(1, 200), default=20, show_default=True, help="How many at most.")
@click.option("--before", type=int, help="Only those older than this revision.")
@asking
def history(node: Asking, limit: int, before: int | None) -> None:
    """The configuration's revisions, newest first."""
    node.show(node.call("config.history", limit=limit, before=before), _print_history)


def _print_history(revisions: list[dict[str, Any]]) -> None:
    rows = [
        (str(each["revision"]), local_time(each["at"]), each["author"], "; ".join(map(_change, each["changes"])))
        for each in revisions
    ]
    click.echo("\n".join(table(("REVISION", "AT", "BY", "CHANGED"), rows, shrink=3)))


@config.command()
@click.argument("revision", type=int)
@_dry_run
@asking
def rollback(node: Asking, revision: int, dry_run: bool) -> None:
    """Put back what was set as it was at a revision. Files and environment stay as they are."""
    node.show(node.call("config.rollback", revision=revision, dry_run=dry_run), print_changed)


@config.command("restore-defaults")
@click.argument("keys", metavar="[KEY]…", nargs=-1)
@_dry_run
@asking
def restore_defaults(node: Asking, keys: tuple[str, ...], dry_run: bool) -> None:
    """Put keys or sections, or all of them, to their defaults, whatever files say. Tasks stay."""
    node.show(node.call("config.restore_defaults", keys=keys, dry_run=dry_run), print_changed)


@config.command()
@asking
def reload(node: Asking) -> None:
    """Have the node read its files anew, now."""
    node.show(node.call("config.reload"), print_reloaded)


def read_value(text: str) -> Any:
    """A value as it is meant on the command line: JSON where it can be read as that, else the text itself. What begins
    as a list or a map does in JSON is meant so, and a usage error where it is none."""
    try:
        return json.loads(text, parse_constant=_not_json)
    except (ValueError, RecursionError):
        if text.startswith(("[", "{")):
            example = '["a", "b"]' if text.startswith("[") else '{"key": "disk"}'
            raise click.UsageError(
                f"{plain(text)} is not JSON; put texts and names in double quotes, as in {example}"
            ) from None
        return text


def _not_json(word: str) -> Any:
    raise ValueError(word)


def print_reloaded(changed: dict[str, Any]) -> None:
    """A rollback changes no file, so it is no way back from one."""
    print_changed(changed, undo="Undo: put the files back as they were")


def print_changed(changed: dict[str, Any], undo: str = "") -> None:
    """What a change came to, with the way back: by default that of what was set."""
    for change in changed["changes"]:
        click.echo(f"{_change(change)}{_when(change['key'], changed)}")
    for key, by in changed["masked_by"].items():
        click.echo(f"{key}: kept, and masked by {plain(by)}")
    for key, how in changed["unseen"].items():
        if key not in changed["masked_by"]:
            click.echo(f"{plain(key)}: {'set' if how == 'set' else 'no longer set'}; the value in force stays")
    revision = changed["revision"]
    if changed["dry_run"]:
        click.echo("Nothing was changed: this was a dry run.")
    elif changed["changes"] or changed["unseen"]:
        click.echo(f"Revision {revision}. {undo or 'Undo: ' + typed(f'config rollback {revision - 1}')}")
    elif not changed["masked_by"]:
        click.echo(f"Nothing to change: it is so already (revision {revision}).")


def _change(change: dict[str, Any]) -> str:
    return f"{plain(change['key'])}: {_text_or(change['before'])} -> {_text_or(change['after'])}"


def _text_or(value: Any) -> str:
    return "nothing" if value is None else _text(value)


def _when(key: str, changed: dict[str, Any]) -> str:
    if key in changed["restart_needed"]:
        return ", with the next start"
    return ", with the next run" if key in changed["next_run"] else ", live now"


@config.command()
@click.argument("file", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def validate(file: str | None, as_json: bool) -> int:
    """What is wrong with a file, by default the one that a node would read; no node is asked."""
    from dms.config import validate as find_faults
    from dms.declared_tasks import check_tasks
    from dms.http.opening import check_door
    from dms.plugins.entry_point import GROUPS, entry_points, gate_names

    path = file or _found()
    check = partial(check_tasks, gates=gate_names(entry_points(GROUPS, sys.path)))
    findings = find_faults(path, checks=[check, check_door])
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
    from dms.config.finding import WHOLE_FILE

    if not codes:
        return f"{path} is valid."
    rest = "; the rest is valid" if WHOLE_FILE.isdisjoint(codes) else ""
    return f"{len(codes)} problem{'s' if len(codes) > 1 else ''}{rest}."
