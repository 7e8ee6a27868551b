"""When a task comes due: after an interval, by a calendar, once, on an event, or as a third party's object says.

A trigger is a definition. The agenda keeps what happened so far (anchors, marks) in a timetable of its own, so that one
definition may stand in many tasks. `is_ready` and `reset` make each usable by itself too.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum
from functools import lru_cache
from typing import Any, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dms.background_tasks.triggers.cron import CronExpression
from dms.background_tasks.triggers.event_trigger import EventTrigger
from dms.background_tasks.triggers.moment import wall_of
from dms.errors import InvalidTrigger
from dms.instant import SECOND, duration_text, from_datetime, microseconds, to_datetime


class Trigger(Protocol):
    """The least that a trigger is. One with `next_after(now)` too is asked for its next time; one without is polled."""

    def is_ready(self, now: datetime) -> bool:
        """Whether it is due, as of `now`."""
        ...

    def reset(self, now: datetime) -> None:
        """It has fired; what follows counts from `now`."""
        ...


_MOST_RUNS = 1_000_000_000
_NEVER = datetime.max.replace(tzinfo=UTC)
_OFFSET = re.compile(r"UTC([+-]\d\d:[0-5]\d)").fullmatch


class Mode(StrEnum):
    """What an interval is counted from: its anchor, so that it never drifts, or the end of the last run."""

    FIXED_RATE = "fixed_rate"
    FIXED_DELAY = "fixed_delay"


class _Resettable:
    """`is_ready` and `reset` of a trigger that knows its next time after any other."""

    __slots__ = ("_since",)
    _since: datetime | None

    def is_ready(self, now: datetime) -> bool:
        """Whether a time of it has come since the last `reset`, or since it was first asked."""
        if self._since is None:
            self._since = now
        due = self.next_after(self._since)
        return due is not None and due <= now

    def reset(self, now: datetime) -> None:
        """It has fired; the next time is the first after `now`."""
        self._since = now

    def next_after(self, now: datetime) -> datetime | None:
        """The first time strictly after `now`; None where nothing comes."""
        raise NotImplementedError

    def definition(self) -> dict[str, Any]:
        """Its fields as plain values."""
        raise NotImplementedError

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self.definition() == other.definition()

    def __hash__(self) -> int:
        return hash(repr(self.definition()))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self}>"


class PeriodicTrigger(_Resettable):
    """Again and again: each `interval`, or by a `cron` expression in a time zone; exactly one of the two.

    `interval` and `jitter` are text ("5m"), seconds or `timedelta`. An interval fires at anchor + n * interval, n from
    1; the anchor is `start`, which is then itself the first fire, or the moment when the task was added. `at_start`
    adds one fire at once. `mode="fixed_delay"` counts from the end of the last run. `timezone` is an IANA name or a
    `tzinfo`; None takes the scheduler's. `jitter` delays each fire by a stable share of it. Nothing fires before
    `start` or after `end`, nor any more after `max_runs` runs. `exclude` names calendars of the scheduler: what fires
    at a moment that one of them leaves out does not run; only the scheduler knows them. InvalidTrigger or InvalidCron
    says which field is wrong.

    >>> PeriodicTrigger(cron="0 3 * * *", timezone="Europe/Helsinki").next_after(
    ...     datetime(2026, 11, 25, 12, tzinfo=UTC)).isoformat()
    '2026-11-26T03:00:00+02:00'
    """

    __slots__ = (
        "at_start", "cron", "end", "exclude", "interval", "jitter", "max_runs", "mode", "start", "timezone",
    )  # fmt: skip

    def __init__(
        self,
        interval: timedelta | str | float | None = None,
        *,
        cron: str | None = None,
        timezone: str | tzinfo | None = None,
        jitter: timedelta | str | float = 0,
        at_start: bool = False,
        mode: Mode | str = Mode.FIXED_RATE,
        start: datetime | str | None = None,
        end: datetime | str | None = None,
        max_runs: int | None = None,
        exclude: Sequence[str] = (),
    ) -> None:
        if (interval is None) == (cron is None):
            raise InvalidTrigger("interval, cron: give exactly one of the two")
        self.interval = None if interval is None else _interval(interval)
        self.cron = cron
        self.timezone = timezone
        self.jitter = microseconds(jitter, "jitter") if jitter else 0
        self.at_start = at_start
        self.mode = _mode(mode)
        self.start = None if start is None else wall_of(start, "start")
        self.end = None if end is None else wall_of(end, "end")
        self.max_runs = None if max_runs is None else _runs(max_runs)
        self.exclude = _names(exclude) if exclude else ()
        self._since = None
        if self.start is not None and self.end is not None and self.end < self.start:
            raise InvalidTrigger("end: it lies before start, so nothing would ever come")
        if at_start and start is not None:
            raise InvalidTrigger("at_start: start says already when the first fire comes")
        if cron is not None:
            self._check_cron(cron)
        elif timezone is not None:
            raise InvalidTrigger("timezone: an interval has none; it belongs to cron")

    def _check_cron(self, cron: str) -> None:
        if not isinstance(cron, str):
            raise InvalidTrigger(f"cron: {cron!r} is not a cron expression such as '0 3 * * *'")
        if self.at_start:
            raise InvalidTrigger("at_start: a calendar has no start; give a second trigger with cron '@reboot'")
        if self.mode is not Mode.FIXED_RATE:
            raise InvalidTrigger("mode: fixed_delay belongs to an interval, not to cron")
        zone = zone_of(self.timezone)
        expression = cron_expression(cron, zone or UTC)
        if self.start is not None and self.end is not None and not expression.is_reboot:
            unknown = 0 if zone else 86_400 * SECOND
            first = expression.next_after(self.start - 1 - unknown)
            if first is None or first > self.end + unknown:
                raise InvalidTrigger(f"end: nothing of {cron!r} comes between start and end")

    def next_after(self, now: datetime) -> datetime | None:
        """The first time strictly after `now`, aware, in the trigger's zone or else that of `now`; None where
        nothing comes. An interval without `start` counts from `now`."""
        at = max(from_datetime(_aware(now)), (self.start or 0) - 1)
        zone = zone_of(self.timezone) or now.tzinfo or UTC
        due = self._after(at, zone)
        if due is None or (self.end is not None and due > self.end):
            return None
        return to_datetime(due).astimezone(zone)

    def _after(self, at: int, zone: tzinfo) -> int | None:
        if self.cron is not None:
            return cron_expression(self.cron, zone).next_after(at)
        assert self.interval is not None
        anchor = at if self.start is None else self.start
        return anchor + ((at - anchor) // self.interval + 1) * self.interval

    def definition(self) -> dict[str, Any]:
        """Its fields as plain values, for the store and to tell a change."""
        zone = self.timezone if self.timezone is None or isinstance(self.timezone, str) else str(self.timezone)
        return {
            "type": "periodic",
            "interval": self.interval,
            "cron": self.cron,
            "timezone": zone,
            "jitter": self.jitter,
            "at_start": self.at_start,
            "mode": self.mode.value,
            "start": self.start,
            "end": self.end,
            **({} if self.max_runs is None else {"max_runs": self.max_runs}),
            **({"exclude": list(self.exclude)} if self.exclude else {}),
        }

    def __str__(self) -> str:
        often = "" if self.max_runs is None else f", {self.max_runs} times at most"
        return f"{self._when()}{f', not in {_and(self.exclude)}' if self.exclude else ''}{often}"

    def _when(self) -> str:
        if self.interval is not None:
            return f"every {duration_text(self.interval)}"
        return cron_expression(str(self.cron), zone_of(self.timezone) or UTC).description(zone_name(self.timezone))


class OneTimeTrigger(_Resettable):
    """Once: `delay` after the task was added, or `at` a moment; exactly one of the two.

    `at` is an aware `datetime`, or a naive one or ISO 8601 text together with a `timezone`. A local time that the
    clocks skip means the first instant after the gap, one that comes twice the first of both.
    InvalidTrigger says which field is wrong.
    """

    __slots__ = ("at", "delay")

    def __init__(
        self,
        delay: timedelta | str | float | None = None,
        *,
        at: datetime | str | None = None,
        timezone: str | tzinfo | None = None,
    ) -> None:
        if (delay is None) == (at is None):
            raise InvalidTrigger("delay, at: give exactly one of the two")
        if at is None and timezone is not None:
            raise InvalidTrigger("timezone: a delay has none; it belongs to at")
        self.delay = None if delay is None else microseconds(delay, "delay")
        self.at = None if at is None else wall_of(at, "at", zone_of(timezone))
        self._since = None

    def next_after(self, now: datetime) -> datetime | None:
        """Its one time, where that lies after `now`; a delay counts from `now`."""
        moment = from_datetime(_aware(now))
        due = self.at if self.delay is None else moment + self.delay
        if due is None or (self.delay is None and due <= moment):
            return None
        return to_datetime(due).astimezone(now.tzinfo)

    def is_ready(self, now: datetime) -> bool:
        """Whether its time has come and it was not `reset` since; a delay counts from the first time it is asked."""
        moment = from_datetime(_aware(now))
        if self._since is None:
            self._since = now
        elif self._since is _NEVER:
            return False
        due = self.at if self.delay is None else from_datetime(self._since) + self.delay
        return due is not None and due <= moment

    def reset(self, now: datetime) -> None:
        """It has fired and won't again."""
        self._since = _NEVER

    def definition(self) -> dict[str, Any]:
        """Its fields as plain values, for the store and to tell a change."""
        return {"type": "one_time", "delay": self.delay, "at": self.at}

    def __str__(self) -> str:
        if self.delay is not None:
            return f"once after {duration_text(self.delay)}"
        return f"once at {to_datetime(self.at or 0):%Y-%m-%d %H:%M:%S} UTC"


OWN_TRIGGERS = (PeriodicTrigger, OneTimeTrigger, EventTrigger)


def check_trigger(trigger: object) -> None:
    """InvalidTrigger unless it has the two methods that every trigger has."""
    for method in ("is_ready", "reset"):
        if not callable(getattr(trigger, method, None)):
            raise InvalidTrigger(f"triggers: {trigger!r} has no {method}(now); see dms.Trigger")


def definition_of(trigger: Trigger) -> dict[str, Any]:
    """A trigger's fields as plain values; of a third party's only its class is known."""
    if isinstance(trigger, OWN_TRIGGERS):
        return trigger.definition()
    return {"type": "foreign", "class": f"{type(trigger).__module__}:{type(trigger).__qualname__}"}


def trigger_from(definition: dict[str, Any]) -> Trigger | None:
    """The trigger that `definition_of` described; None for a third party's and for one with a channel."""
    fields = dict(definition)
    match fields.pop("type"):
        case "periodic":
            interval = fields.pop("interval")
            return PeriodicTrigger(
                None if interval is None else timedelta(microseconds=interval),
                jitter=timedelta(microseconds=fields.pop("jitter")),
                start=_optional_datetime(fields.pop("start")),
                end=_optional_datetime(fields.pop("end")),
                **fields,
            )
        case "one_time":
            if fields["delay"] is not None:
                return OneTimeTrigger(timedelta(microseconds=fields["delay"]))
            return OneTimeTrigger(at=to_datetime(fields["at"]))
        case "event" if fields["topic"] != "channel":
            debounce, max_wait = fields.get("debounce"), fields.get("max_wait")
            return EventTrigger(fields["topic"], debounce=_length(debounce), max_wait=_length(max_wait))
    return None


@lru_cache(maxsize=10_000)
def cron_expression(text: str, zone: tzinfo) -> CronExpression:
    """A cron expression in a zone, read once."""
    return CronExpression.parse(text, zone)


def zone_of(timezone: str | tzinfo | None) -> tzinfo | None:
    """The zone of an IANA name, or of an offset such as UTC+02:00; InvalidTrigger where it is neither."""
    if timezone is None or isinstance(timezone, tzinfo):
        return timezone
    try:
        offset = _OFFSET(timezone)
        return datetime.strptime(offset[1], "%z").tzinfo if offset else ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError, TypeError):
        raise InvalidTrigger(
            f"timezone: {timezone!r} is not a time zone; give a name such as Europe/Helsinki"
        ) from None


def zone_name(timezone: str | tzinfo | None) -> str:
    """How people call a zone: `Helsinki` for Europe/Helsinki; empty where none is named."""
    return "" if timezone is None else str(timezone).rpartition("/")[2].replace("_", " ")


def _interval(given: timedelta | str | float) -> int:
    interval = microseconds(given, "interval")
    if interval < 1000:
        raise InvalidTrigger(f"interval: {given!r} is shorter than a millisecond")
    return interval


def _runs(given: int) -> int:
    if not isinstance(given, int) or isinstance(given, bool) or not 1 <= given <= _MOST_RUNS:
        raise InvalidTrigger(f"max_runs: {given!r} is not a whole number from 1 to {_MOST_RUNS}")
    return given


def _names(given: Sequence[str]) -> tuple[str, ...]:
    if isinstance(given, str) or not all(isinstance(name, str) and name for name in given):
        raise InvalidTrigger(f"exclude: {given!r} is not a list of the names of calendars, such as ['holidays']")
    return tuple(given)


def _and(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _mode(given: Mode | str) -> Mode:
    try:
        return given if isinstance(given, Mode) else Mode(given)
    except ValueError:
        raise InvalidTrigger(f"mode: {given!r} is neither fixed_rate nor fixed_delay") from None


def _aware(now: datetime) -> datetime:
    if now.tzinfo is None:
        raise InvalidTrigger(f"now: {now.isoformat()} has no UTC offset")
    return now


def _length(given: int | None) -> timedelta | None:
    return None if given is None else timedelta(microseconds=given)


def _optional_datetime(wall: int | None) -> datetime | None:
    return None if wall is None else to_datetime(wall)


def is_polled(trigger: object) -> bool:
    """Whether it is a third party's that can't say when it comes, so that it has to be asked again and again."""
    return not isinstance(trigger, OWN_TRIGGERS) and not callable(getattr(trigger, "next_after", None))
