"""`dms task …`."""

import re
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, time, timedelta
from functools import partial
from typing import Any

import click

from dms.cli.asking import Asking, asking, data_folder, read_json
from dms.cli.config import print_changed, read_value
from dms.cli.exit_status import DONE, FAILED
from dms.cli.preview import print_preview
from dms.cli.terminal import fields, painted, table, wrapped
from dms.cli.wording import ago, cpu, local_time, memory, plain, shortened, took, until
from dms.client.blocking import Client
from dms.errors import DmsError


def name_or_id(text: str) -> str | int:
    """A number is a task's ID, all else its name."""
    return int(text) if text.isdecimal() else text


def complete_name(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The names of the node's tasks that begin so, for the shell; none where no node answers."""
    try:
        tasks = Client(data_folder(ctx.params.get("data_dir"))).call("task.list", timeout=1)
    except DmsError:
        return []
    return [one["name"] for one in tasks if one["name"].startswith(incomplete)]


task_name = partial(click.argument, "name", type=name_or_id, shell_complete=complete_name)


@click.group()
def task() -> None:
    """Look at tasks, run them, hold them back."""


@task.command("list")
@click.option("--all", "every", is_flag=True, help="The node's own tasks too.")
@asking
def list_tasks(node: Asking, every: bool) -> None:
    """Every task: when, next, last."""
    tasks = node.call("task.list")
    node.show([one for one in tasks if every or one["lane"] == "user"], _print_list)


def _print_list(tasks: list[dict[str, Any]]) -> None:
    if not tasks:
        click.echo("No tasks yet. Declare one under `tasks:` in the configuration.")
        return
    now = _now()
    width = max((len(one["last"]["status"]) for one in tasks if one["last"]), default=0)
    rows = [(one["name"], _when(one), _next(one, now), _last(one["last"], now, width), _state(one)) for one in tasks]
    click.echo("\n".join(table(("NAME", "WHEN", "NEXT", "LAST", "STATE"), rows, shrink=1)))


def _when(one: dict[str, Any]) -> str:
    return ", ".join(one["triggers"]) or "on demand"


def _next(one: dict[str, Any], now: datetime) -> str:
    return until(one["next_fire"], now) + (", skipped" if one["skip_next"] and one["next_fire"] else "")


def _next_in_full(one: dict[str, Any], now: datetime) -> str:
    if one["next_fire"]:
        return f"{local_time(one['next_fire'])} ({_next(one, now)})"
    return "will be skipped, whenever it comes" if one["skip_next"] else ""


def _last(execution: dict[str, Any] | None, now: datetime, width: int) -> str:
    if execution is None:
        return ""
    return f"{execution['status']:<{width}} {ago(execution['ended_at'] or execution['started_at'], now):>8}".rstrip()


def _used(execution: dict[str, Any]) -> str:
    parts = ((took(execution), ""), (cpu(execution), " of processor time"), (memory(execution), " of memory"))
    return ", ".join(f"{used}{of}" for used, of in parts if used)


def _state(one: dict[str, Any]) -> str:
    progress = one["progress"]
    if progress and progress["total"]:
        return f"{one['state']} {100 * progress['done'] / progress['total']:.0f} %"
    return str(one["state"])


def _state_in_full(one: dict[str, Any]) -> str:
    until_when = f" until {local_time(one['paused_until'])}" if one["state"] == "paused" and one["paused_until"] else ""
    return f"{_state(one)}{until_when}{': ' + one['reason'] if one['reason'] else ''}"


def _now() -> datetime:
    from dms.clock import SystemClock
    from dms.instant import to_datetime

    return to_datetime(SystemClock().now().wall)


@task.command()
@task_name()
@asking
def get(node: Asking, name: str | int) -> None:
    """All about one task."""
    node.show(node.call("task.get", name=name), _print_task)


def _print_task(one: dict[str, Any]) -> None:
    now, last = _now(), one["last"]
    skipped = ", ".join(f"{count} ({reason})" for reason, count in one["skipped"].items())
    pairs = [
        ("name", f"{one['name']} (ID {one['id']}, {one['origin']})"),
        ("what", one["description"]),
        ("state", _state_in_full(one)),
        ("when", _when(one)),
        ("next", _next_in_full(one, now)),
        ("last", f"{last['status']} {ago(last['ended_at'] or last['started_at'], now)}" if last else ""),
        ("took", _used(last) if last else ""),
        ("error", (last or {}).get("error") or ""),
        ("priority", str(one["priority"]) if one["priority"] else ""),
        ("skipped", skipped),
    ]
    click.echo("\n".join(fields(pairs)))


@task.command()
@task_name()
@click.option("--event", metavar="JSON", help="What the run receives as its event's payload.")
@click.option("--wait", is_flag=True, help="Wait for the run's end; exit status 1 where it failed.")
@click.option("--timeout", metavar="LENGTH", help="How long to wait at most, such as 10m; the run goes on after it.")
@click.option(
    "--overlap",
    type=click.Choice(["skip", "queue", "cancel_running", "allow"]),
    help="Where it runs already, for this once: wait for that, end it, or run beside it; else what the task says.",
)
@asking
def run(node: Asking, name: str | int, event: str | None, wait: bool, timeout: str | None, overlap: str | None) -> int:
    """Run a task now."""
    if timeout is not None and not wait:
        raise click.UsageError("--timeout belongs to --wait")
    payload = read_json(event, "--event")
    try:
        with _progress_shown(node, name) if wait else nullcontext():
            execution = node.wait("task.run", name=name, wait=wait, event=payload, timeout=timeout, overlap=overlap)
    except KeyboardInterrupt:
        click.echo(f"dms: no longer waited for; {name} goes on", err=True)
        raise
    node.show(execution, _print_outcome)
    return FAILED if wait and execution["status"] != "success" else DONE


def _progress_shown(node: Asking, name: str | int) -> AbstractContextManager[None]:
    from dms.cli.waiting import progress_shown

    return progress_shown(node, name)


def _print_outcome(execution: dict[str, Any]) -> None:
    status = execution["status"]
    after = took(execution)
    parts = [painted(status, status), f"after {after}" if after else f"(execution {execution['id']})"]
    parts += [f"on attempt {execution['attempt']}"] if execution["attempt"] > 1 else []
    told = outcome_text(execution)
    click.echo(f"{execution['task']}: {' '.join(parts)}{': ' + told if told else ''}")


def outcome_text(execution: dict[str, Any]) -> str:
    """What came of it in a few words: its error, the last line that a program printed, or a short result."""
    results = execution["results"]
    if execution["error"]:
        return shortened(execution["error"])
    if isinstance(results, dict) and isinstance(results.get("output"), str):
        results = results["output"].rstrip().rpartition("\n")[2]
    return shortened(results) if isinstance(results, (str, int, float)) else ""


@task.command()
@task_name(required=False)
@click.option("--all", "every", is_flag=True, help="Everything instead of one task.")
@click.option("--until", "until_", metavar="TIME", help="Until this moment, such as 2026-12-24T18:00 (local time).")
@click.option("--for", "length", metavar="LENGTH", help="For so long, such as 2h.")
@click.option("--reason", default="", help="Why, for whoever looks at it.")
@asking
def pause(
    node: Asking, name: str | int | None, every: bool, until_: str | None, length: str | None, reason: str
) -> None:
    """Hold a task back; what runs goes on."""
    until_moment = _moment(until_, length)
    changed = node.call("task.pause", name=_one_or_all(name, every), until=until_moment, reason=reason)
    note = f" until {local_time(until_moment)}" if until_moment else ""
    node.show(
        changed[0] if name is not None else changed, lambda _: click.echo(f"{name or 'Everything'} is paused{note}.")
    )


@task.command()
@task_name(required=False)
@click.option("--all", "every", is_flag=True, help="What was paused as a whole.")
@asking
def resume(node: Asking, name: str | int | None, every: bool) -> None:
    """Let a paused task come due again."""
    changed = node.call("task.resume", name=_one_or_all(name, every))
    node.show(changed[0] if name is not None else changed, lambda _: click.echo(_goes_on(name, changed[0])))


def _goes_on(name: str | int | None, one: dict[str, Any]) -> str:
    """What a resume has come to; a task is still held back while everything is."""
    if name is None:
        return "Everything goes on."
    if one["state"] != "paused":
        return f"{name} goes on."
    return f"{name} is not paused by itself any more, but everything is: dms task resume --all"


@task.command("skip-next")
@task_name()
@click.option("--undo", is_flag=True, help="Run it after all.")
@asking
def skip_next(node: Asking, name: str | int, undo: bool) -> None:
    """Leave out a task's next fire, and only that."""
    node.show(node.call("task.skip_next", name=name, skip=not undo), _print_skip_next)


def _print_skip_next(one: dict[str, Any]) -> None:
    when = f" ({local_time(one['next_fire'])})" if one["next_fire"] else ""
    left_out = "will be skipped" if one["skip_next"] else "runs"
    click.echo(f"{one['name']}: its next fire{when} {left_out}.")


@task.command()
@task_name()
@click.argument("since", metavar="FROM")
@click.argument("until_", metavar="[TO]", required=False)
@asking
def backfill(node: Asking, name: str | int, since: str, until_: str | None) -> None:
    """Run a task for its past fires from FROM until before TO (local times; TO: now), oldest first."""
    moments = {"since": _local_moment(since, "FROM"), "until": until_ and _local_moment(until_, "TO")}
    node.show(node.wait("task.backfill", name=name, **moments), lambda taken: _print_backfill(name, taken))


def _print_backfill(name: str | int, taken: list[dict[str, Any]]) -> None:
    if not taken:
        click.echo(f"{name} has no fire in that span; nothing runs.")
        return
    runs = "1 run" if len(taken) == 1 else f"{len(taken)} runs"
    first, last = local_time(taken[0]["due_at"]), local_time(taken[-1]["due_at"])
    click.echo(f"{taken[0]['task']}: {runs}, for {first}{' to ' + last if last != first else ''}, one after another.")


def _one_or_all(name: str | int | None, every: bool) -> str | int | None:
    if (name is None) == (not every):
        raise click.UsageError("name one task, or say --all")
    return name


def _moment(until_: str | None, length: str | None) -> str | None:
    if until_ is not None and length is not None:
        raise click.UsageError("--until and --for: give one of the two")
    if length is not None:
        from dms.instant import parse_duration

        return (_now() + parse_duration(length, "--for")).isoformat()
    if until_ is None:
        return None
    return _local_moment(until_, "--until", ahead=True)


def _local_moment(text: str, what: str, ahead: bool = False) -> str:
    """A moment by the clock of this machine. A time of day is today's, or (`ahead`) the next one."""
    try:
        if not _TIME_OF_DAY(text):
            return datetime.fromisoformat(text).astimezone().isoformat()
        now, clock = _now().astimezone(), time.fromisoformat(text)
        today = datetime.combine(now, clock).astimezone()
        tomorrow = datetime.combine(now + timedelta(days=1), clock).astimezone()
        return (tomorrow if ahead and today <= now else today).isoformat()
    except (ValueError, OverflowError):
        problem = f"{text!r} is not a moment such as 2026-12-24T18:00, or 18:00"
        raise click.BadParameter(problem, param_hint=what) from None


_TIME_OF_DAY = re.compile(r"\d\d:\d\d(:\d\d)?").fullmatch


@task.command()
@task_name()
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many at most.")
@click.option("--before", metavar="ID", help="Only those older than this execution.")
@asking
def history(node: Asking, name: str | int, limit: int, before: str | None) -> None:
    """A task's executions, newest first, one line an attempt."""
    node.show(node.call("task.history", name=name, limit=limit, before=before), _print_history)


def _print_history(executions: list[dict[str, Any]]) -> None:
    if not executions:
        click.echo("It has not run yet.")
        return
    rows = [
        (
            each["id"],
            local_time(each["started_at"] or each["due_at"]),
            each["status"],
            took(each),
            cpu(each),
            memory(each),
            str(each["attempt"]),
            each["cause"],
            outcome_text(each),
        )
        for each in executions
    ]
    names = ("ID", "STARTED", "STATUS", "TOOK", "CPU", "MEMORY", "ATTEMPT", "CAUSE", "OUTCOME")
    click.echo("\n".join(table(names, rows, shrink=8, dispensable=(5, 4))))


@task.command()
@task_name()
@click.option("--at", metavar="TIME", help="Within a minute from then on, such as 2026-12-24T03:00 (local time).")
@asking
def explain(node: Asking, name: str | int, at: str | None) -> None:
    """Why a task ran, or did not, or will."""
    moment = None if at is None else _local_moment(at, "--at")
    node.show(node.call("task.explain", name=name, at=moment), _print_explanation)


def _print_explanation(told: dict[str, Any]) -> None:
    lines = [told["sentence"], *told["facts"]]
    if _CLOCK(" ".join(lines)) and _is_elsewhere(told["zone"]):
        lines.append(f"Times are those of {told['zone']}.")
    for line in lines:
        click.echo(wrapped("", plain(line), 0))


_CLOCK = re.compile(r"\b\d\d:\d\d").search


def _is_elsewhere(zone: str) -> bool:
    """Whether clocks there show another time than this machine's."""
    from dms.background_tasks.triggers.trigger import zone_of

    now = _now()
    return now.astimezone().utcoffset() != now.astimezone(zone_of(zone)).utcoffset()


@task.command()
@task_name()
@click.option("--run", "run_id", metavar="ID", help="The run, or an attempt of it; else the newest that said anything.")
@click.option("-f", "--follow", "following", is_flag=True, help="Go on with what comes; Ctrl-C ends it.")
@click.option("-n", "--lines", type=click.IntRange(1, 1000), help="Only the newest so many.")
@asking
def logs(node: Asking, name: str | int, run_id: str | None, following: bool, lines: int | None) -> int:
    """What a task's runs log and print. With --json each line is a JSON document."""
    from dms.cli.task_logs import print_logs

    return print_logs(node, name, run_id, following, lines)


@task.command()
@click.argument("names", metavar="[NAME]...", nargs=-1, type=name_or_id, shell_complete=complete_name)
@click.option("--days", type=float, default=7.0, metavar="N", help="How far to look ahead; 7 by default.")
@asking
def preview(node: Asking, names: tuple[str | int, ...], days: float) -> None:
    """What is to come: when tasks run, which start together, when all slots are taken."""
    node.show(node.call("task.preview", days=days, tasks=list(names)), print_preview)


@task.command()
@click.argument("file", metavar="FILE")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def replay(file: str, as_json: bool) -> int:
    """Decide once more what a recording holds, and compare; no node is asked."""
    from dms.cli.replay import print_replay

    return print_replay(file, as_json)


@task.command()
@task_name(required=False)
@asking
def watch(node: Asking, name: str | int | None) -> int:
    """What starts and ends, live, a line a change; Ctrl-C ends it. With --json each line is a JSON document."""
    from dms.cli.watching import watch_runs

    wanted = {} if name is None else {"task": node.call("task.get", name=name)["name"]}
    return watch_runs(node, wanted)


@task.command()
@click.argument("name")
@click.argument("program", nargs=-1, metavar="[-- PROGRAM ARGUMENT…]")
@click.option("--call", metavar="MODULE:FUNCTION", help="A Python function instead of a program.")
@click.option("--cron", metavar="EXPRESSION", help="Whenever the calendar says so.")
@click.option("--every", metavar="LENGTH", help="Again and again, so long apart.")
@click.option("--after", metavar="LENGTH", help="Once, so long from now.")
@click.option("--at", metavar="MOMENT", help="Once, at a moment.")
@click.option("--on", metavar="TOPIC", help="On an event.")
@click.option("--set", "settings", metavar="KEY=VALUE", multiple=True, help="Any other key of a task; repeatable.")
@asking
def add(node: Asking, /, name: str, program: tuple[str, ...], settings: tuple[str, ...], **given: str | None) -> None:
    """Declare a task in the running node: dms task add hello --every 5m -- echo hello"""
    declaration: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    if program:
        declaration["run"] = list(program)
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals:
            raise click.BadParameter(f"{setting!r} is not KEY=VALUE", param_hint="--set")
        declaration[key] = read_value(value)
    node.show(node.call("task.add", name=name, declaration=declaration), print_changed)


@task.command()
@task_name()
@asking
def remove(node: Asking, name: str | int) -> None:
    """Remove a task that was added; what runs of it is left to finish."""
    node.show(node.call("task.remove", name=name), print_changed)


@task.command()
@task_name()
@asking
def enable(node: Asking, name: str | int) -> None:
    """Let a task run by itself again."""
    node.show(node.call("task.enable", name=name), print_changed)


@task.command()
@task_name()
@asking
def disable(node: Asking, name: str | int) -> None:
    """Let a task run only when it is asked for, until it is enabled."""
    node.show(node.call("task.disable", name=name), print_changed)
