"""Following a topic in the plain form: a line a change, until Ctrl-C."""

import sys
from collections.abc import Callable
from datetime import datetime
from typing import Any

import click

from dms.cli.asking import Asking, print_json
from dms.cli.exit_status import DONE
from dms.cli.live_block import LiveBlock, can_be_drawn_on
from dms.cli.terminal import painted
from dms.cli.wording import columns, local_time, shortened, took, until

_BAR = 18


def follow(
    node: Asking,
    topic: str,
    line_of: Callable[[dict[str, Any]], str | None],
    show: Callable[[str], None] = click.echo,
    **options: Any,
) -> int:
    """Print the events of a topic as they come; `line_of` says how, and None for one that is not worth a line."""
    try:
        for notified in node.client.follow(topic, **options):
            if notified.method == "sub.gap":
                click.echo(f"… {notified.params['dropped']} missed: this end reads too slowly", err=True)
            elif node.as_json:
                print_json(notified.params["event"])
            else:
                line = line_of(notified.params["event"])
                if line is not None:
                    show(line)
    except KeyboardInterrupt:
        pass
    return DONE


def watch_runs(node: Asking, wanted: dict[str, Any]) -> int:
    """Print what starts and ends, and how far it has come: on a terminal by a bar for each run at its end."""
    if node.as_json or not can_be_drawn_on(sys.stdout):
        return follow(node, "task.runs", RunLines().line, wanted=wanted)
    block = LiveBlock(sys.stdout)
    try:
        return follow(node, "task.runs", RunLines(block).line, block.print, wanted=wanted)
    finally:
        block.clear()


class RunLines:
    """Changes of runs as lines: when, which task, what it came to. A run's progress is drawn into `block`; without one
    it is a line, once a second at most."""

    def __init__(self, block: LiveBlock | None = None) -> None:
        self._block = block
        self._width = 12
        self._told: dict[str, str] = {}

    def line(self, event: dict[str, Any]) -> str | None:
        """The line of an event; None where it is drawn, or too soon for another one."""
        if self._block is not None and event["run_id"] is not None:
            if event["kind"] == "progress":
                self._block.set(event["run_id"], self._drawn(event))
                return None
            self._block.remove(event["run_id"])
        if event["kind"] == "progress" and self._told.get(event["run_id"]) == event["at"][:19]:
            return None
        self._told[event["run_id"]] = event["at"][:19]
        self._width = max(self._width, columns(event["task"]))
        status, took_, text = _told(event)
        head = f"{local_time(event['at'], '%H:%M:%S')} {event['task']:<{self._width}}"
        return f"{head} {painted(f'{status:<9}', status)} {took_:>7}   {shortened(text)}".rstrip()

    def _drawn(self, event: dict[str, Any]) -> str:
        return f"         {event['task']:<{self._width}} {shortened(progress_text(event['progress']))}"


def _told(event: dict[str, Any]) -> tuple[str, str, str]:
    """The status, how long it took and the rest, for a line."""
    execution = event["execution"]
    if execution is None:
        return str(event["kind"]), "", event["text"]
    if event["kind"] == "progress":
        return "running", "", progress_text(event["progress"])
    if event["kind"] == "started":
        return "running", "", f"attempt {execution['attempt']}" if execution["attempt"] > 1 else ""
    again = (
        f"again {until(execution['retry_at'], datetime.fromisoformat(event['at']))}" if execution["retry_at"] else ""
    )
    on_attempt = f"on attempt {execution['attempt']}" if execution["attempt"] > 1 and not again else ""
    return execution["status"], took(execution), "; ".join(part for part in (event["text"], again, on_attempt) if part)


def progress_text(progress: dict[str, Any]) -> str:
    """How far a run has come: words, and a bar where the total is known.

    >>> progress_text({"done": 1, "total": 4, "text": "1 of 4 files"})
    '1 of 4 files  ████▌░░░░░░░░░░░░░ 25 %'
    """
    if not progress["total"]:
        return progress["text"] or f"{progress['done']:g}"
    share = min(1.0, max(0.0, progress["done"] / progress["total"]))
    full, half = divmod(round(share * _BAR * 2), 2)
    bar = "█" * full + "▌" * half
    return f"{progress['text']}  {bar:░<{_BAR}} {share:.0%}".replace("%", " %").strip()
