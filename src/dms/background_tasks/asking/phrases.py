"""How a moment, a run, and a fire that was left out are told in plain words. Pure."""

from datetime import datetime, tzinfo

from dms.background_tasks.asking.downtime import Downtime
from dms.background_tasks.store import Pause, Skipped
from dms.background_tasks.tasks.task import Execution, Status
from dms.instant import SECOND, to_datetime

MINUTE = 60 * SECOND


class Phrases:
    """Words for somebody who reads them at `now` (wall microseconds) in `zone`."""

    def __init__(self, now: int, zone: tzinfo) -> None:
        self._now, self._zone = now, zone

    def moment(self, wall: int) -> str:
        """A moment as one says it today."""
        moment, today = self._local(wall), self._local(self._now)
        clock = f"{moment:%H:%M}" if moment.second == 0 else f"{moment:%H:%M:%S}"
        if moment.date() == today.date():
            return f"{clock} today"
        return f"{clock} on {moment.day} {moment:%b}{'' if moment.year == today.year else f' {moment.year}'}"

    def _local(self, wall: int) -> datetime:
        return to_datetime(wall).astimezone(self._zone)

    def ahead(self, wall: int) -> str:
        """A moment that is to come, with its zone and how far it is."""
        return f"{self.moment(wall)} ({self._zone}), in {about(max(0, wall - self._now))}"

    def run(self, execution: Execution) -> str:
        """When, why and with what end."""
        when = execution.started
        if when is None:
            when = execution.due if execution.status is Status.WAITING else moment_of(execution)
        return f"at {self.moment(when)} {self.because(execution)}; {outcome(execution)}"

    def because(self, execution: Execution) -> str:
        """What it ran for."""
        match execution.cause:
            case "schedule":
                return "because it was due"
            case "catch_up":
                return f"to make up for its fire of {self.moment(moment_of(execution))}"
            case "backfill":
                return f"because an operator wanted its fire of {self.moment(moment_of(execution))}"
            case "event":
                return f"because of the event {'' if execution.event is None else execution.event.topic}".rstrip()
            case "operator":
                return "because an operator asked for it"
            case "crash":
                return "because a crash had cut it off"
            case "retry" | "retry_later":
                return f"as attempt {execution.attempt} of a run"
        return f"because of its {execution.cause}"

    def pause(self, pause: Pause | None) -> str:
        """That it is paused: since when, until when, why."""
        if pause is None:
            return "is paused"
        until = "" if pause.until is None else f" until {self.moment(pause.until)}"
        return f"is paused since {self.moment(pause.since)}{until}{f' ({pause.reason})' if pause.reason else ''}"

    def left_out(self, skipped: Skipped) -> str:
        """Fires that did not run, and why."""
        if skipped.count > 1:
            return f"{self.span(skipped)} did not run: {self.reason(skipped)}"
        return f"its fire of {self.moment(skipped.last)} did not run: {self.reason(skipped)}"

    def span(self, skipped: Skipped) -> str:
        """How many fires, and between when and when."""
        last = skipped.last + (skipped.last % SECOND == SECOND - 1)  # the last moment before one that ran
        return f"{skipped.count} fires between {self.moment(skipped.first)} and {self.moment(last)}"

    def reason(self, skipped: Skipped) -> str:
        """Why fires did not run."""
        since = "" if skipped.since is None else f" {self.moment(skipped.since)}"
        match skipped.reason:
            case "paused":
                return f"it was paused since{since}{f' ({skipped.why})' if skipped.why else ''}"
            case "skipped":
                return f"an operator asked at{since} to skip it"
            case "missed":
                late = skipped.at - skipped.last
                return f"it was missed{f' by {about(late)}' if late >= MINUTE else ''}, and {skipped.why}"
        return skipped.why or f"it was left out ({skipped.reason})"

    def off(self, downtime: Downtime) -> str:
        """That there was no process, or none that was heard of."""
        since, until = self.moment(downtime.since), self.moment(downtime.until)
        if downtime.certain:
            return f"the node was off from {since} to {until}"
        return f"nothing was heard of the node between {since} and {until}"


def outcome(execution: Execution) -> str:
    """What became of it, after how long."""
    took = ""
    if execution.started is not None and execution.ended is not None:
        lasted = execution.ended - execution.started if execution.ran is None else execution.ran
        took = f" after {about(max(0, lasted))}"
    error = f": {execution.error}" if execution.error else ""
    match execution.status:
        case Status.WAITING:
            return "it waits"
        case Status.STARTING | Status.RUNNING:
            return "it still runs"
        case Status.SUCCESS:
            return f"it ended in success{took}"
        case Status.FAILED:
            return f"it failed{took}{error}"
        case Status.ABANDONED:
            return f"it was given up{took}{error}"
    return f"it was {execution.status.value.replace('_', ' ')}{took}{error}"


def about(length: int) -> str:
    """A length of time (microseconds) in its largest unit.

    >>> [about(length * SECOND) for length in (5, 250, 90_000)] + [about(20_000)]
    ['5 s', '4 m', '1 d', '20 ms']
    """
    for size, unit in ((86_400 * SECOND, "d"), (3_600 * SECOND, "h"), (MINUTE, "m"), (SECOND, "s")):
        if length >= size:
            return f"{length // size} {unit}"
    return f"{length // 1000} ms"


def moment_of(execution: Execution) -> int:
    """The moment that an execution's run is for."""
    return execution.due if execution.occurrence is None else execution.occurrence


def sentence(words: str) -> str:
    """Words with a capital and a full stop."""
    return f"{words[:1].upper()}{words[1:].rstrip('.')}."
