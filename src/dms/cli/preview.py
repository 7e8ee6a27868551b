"""What is to come, drawn as a timeline that needs no colours, with what stands out in it in words."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import click

from dms.cli.terminal import painted, wrapped
from dms.cli.wording import columns, local_time, plain, span

_NAMES = 16
"""Columns of the longest name that is shown whole."""

_FEW = 5


def print_preview(told: dict[str, Any]) -> None:
    """A row of the timeline for each task, one for what starts together and one for full slots; then the same in
    words."""
    timeline = told["timeline"]
    since, until, step = (local_time(told[which], "%a %d %b %H:%M") for which in ("since", "until", "since"))
    step = span(timedelta(seconds=timeline["length"]))
    click.echo(f"From {since} to {until}; a column is {step}, {told['slots']} slots.")
    if not told["tasks"]:
        click.echo("Nothing else comes by itself." if told["left_out"] else "Nothing comes by itself.")
    else:
        click.echo("\n".join(["", *_drawn(told, timeline), ""]))
    for line in (*_together(told), *_full(told), *_skipped(told), *_unknown(told), *_left_out(told)):
        click.echo(wrapped("", plain(line), 0))


def _drawn(told: dict[str, Any], timeline: dict[str, Any]) -> list[str]:
    width = min(_NAMES, max(columns(each["task"]) for each in told["tasks"]))
    width = max(width, len("together"))
    rows = [_row(each["task"], "".join(map(_number, each["by_step"])), width) for each in told["tasks"]]
    if any(timeline["together"]):
        rows.append(_row("together", "".join(map(_number, timeline["together"])), width, "waiting"))
    if any(timeline["full"]):
        rows.append(_row("full", "".join(map(_share, timeline["full"])), width, "failed"))
    return [" " * (width + 2) + _dates(timeline), *rows]


def _row(name: str, cells: str, width: int, colour: str = "") -> str:
    shown = name if len(name) <= width else name[: width - 1] + "…"
    return f"{shown:<{width}}  {painted(cells, colour)}"


def _number(count: int) -> str:
    return "." if count == 0 else str(count) if count < 10 else "+"


def _share(part: float) -> str:
    return "." if part == 0 else "-" if part < 0.5 else "#"


def _dates(timeline: dict[str, Any]) -> str:
    """The dates over the columns in which they begin, or the hours, where there are few days; as far as there is
    room."""
    begin, length = datetime.fromisoformat(timeline["since"]), timedelta(seconds=timeline["length"])
    moments = [(begin + step * length).astimezone() for step in range(len(timeline["together"]))]
    form = "%d %b" if length >= timedelta(hours=1) else "%H:%M"
    line, before = "", ""
    for step, moment in enumerate(moments):
        label = moment.strftime(form)
        if label != before and len(line) <= step - bool(step) and _begins(moment, length):
            line = f"{line:<{step}}{label}"
        before = label
    return line[: len(moments) + 6].rstrip()


def _begins(moment: datetime, length: timedelta) -> bool:
    """Whether a column that begins then is worth a label: that of a day, or of an hour."""
    if length >= timedelta(hours=1):
        return timedelta(hours=moment.hour, minutes=moment.minute) < length
    return timedelta(minutes=moment.minute, seconds=moment.second) < length


def _together(told: dict[str, Any]) -> Sequence[str]:
    lines = []
    for each in told["collisions"][:_FEW]:
        names = ", ".join(each["tasks"][:_FEW]) + (" …" if len(each["tasks"]) > _FEW else "")
        often = f"{each['times']} times, first " if each["times"] > 1 else ""
        lines.append(f"{len(each['tasks'])} start together: {names} ({often}{local_time(each['first'])}).")
    return lines


def _full(told: dict[str, Any]) -> Sequence[str]:
    """The longest of them; what is over in less than a second and lets nobody wait is not worth a line."""
    lines = []
    for each in told["full"][:_FEW]:
        length = datetime.fromisoformat(each["until"]) - datetime.fromisoformat(each["since"])
        if each["waited"] or length >= timedelta(seconds=1):
            wait = "1 run waits" if each["waited"] == 1 else f"{each['waited']} runs wait"
            wait = f"; {wait}" if each["waited"] else ""
            lines.append(f"All slots are taken from {local_time(each['since'])} on for {span(length)}{wait}.")
    return lines


def _skipped(told: dict[str, Any]) -> Sequence[str]:
    return [
        f"{each['task']}: {count} fire{'s' if count > 1 else ''} won't run ({reason})."
        for each in told["tasks"]
        for reason, count in each["skipped"].items()
    ]


def _unknown(told: dict[str, Any]) -> Sequence[str]:
    names = [each["task"] for each in told["tasks"] if each["length"] is None]
    shown = ", ".join(names[:_FEW]) + (" …" if len(names) > _FEW else "")
    return [f"Taken to need no time, for none of its runs has succeeded yet: {shown}."] if names else []


def _left_out(told: dict[str, Any]) -> Sequence[str]:
    lines = [f"{each['task']} is left out: it comes {each['fires']} times." for each in told["left_out"][:_FEW]]
    if len(told["left_out"]) > _FEW:
        lines.append(f"{len(told['left_out']) - _FEW} or more others come too often as well.")
    if told["more"]:
        lines.append(f"{told['more']} tasks more come.")
    if told["unseen"]:
        lines.append(f"{told['unseen']} tasks more are not looked at.")
    if not told["complete"]:
        lines.append("There is too much to come: what lies later is not looked at.")
    return lines
