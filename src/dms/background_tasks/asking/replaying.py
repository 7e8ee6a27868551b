"""A recording is replayed: another agenda is told the same, and must decide the same. Pure but for reading the file."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from dms.background_tasks.agenda.agenda import Agenda
from dms.background_tasks.agenda.recovery import Memory
from dms.background_tasks.asking.recorded import (
    AFTER_NOW,
    CALLS,
    FORMAT,
    calendars_of,
    decision_document,
    instant_of,
    stored_of,
    zone_named,
)
from dms.background_tasks.asking.recording import FULL
from dms.errors import InvalidInput


class Difference(msgspec.Struct, frozen=True):
    """The first turn in which something else was decided: its line in the file (from 1), the wall time (microseconds),
    and what was decided in its place then and now; None where one of them decided nothing more."""

    line: int
    at: int
    recorded: list[Any] | None
    decided: list[Any] | None


class Replay(msgspec.Struct, frozen=True):
    """What became of a replay: how many calls were made and how many decisions were the same, from when until when
    (wall microseconds), whether the recording came to its bound, and the first difference, if any."""

    calls: int
    decisions: int
    since: int
    until: int
    full: bool
    difference: Difference | None = None


def replay(path: str | os.PathLike[str]) -> Replay:
    """Replay the recording in a file; so a test is: `assert replay("incident.jsonl").difference is None`. InvalidInput
    where the file can't be read, is no recording, or holds what can't be replayed."""
    try:
        lines = Path(path).read_bytes().splitlines()
    except OSError as error:
        raise InvalidInput(f"{path}: {error.strerror or error}") from None
    try:
        return replay_lines(lines)
    except InvalidInput as error:
        raise InvalidInput(f"{path}: {error}") from None


def replay_lines(lines: Iterable[bytes]) -> Replay:
    """The same of the lines of a recording. A last line that is cut off, by a crash, ends it."""
    rest = iter(lines)
    agenda, since = _agenda_of(next(rest, b""))
    calls = decisions = 0
    until, line = since, 2
    for line, text in enumerate(rest, 2):
        call = _read(text)
        if call is None or call == FULL:
            return Replay(calls, decisions, since, until, call == FULL)
        until = call[1][0]
        given = _make(agenda, call, line)
        calls += 1
        if call[0] == "advance":
            now = [_plain(decision_document(decision)) for decision in given]
            if now != call[3]:
                return Replay(calls, decisions, since, until, False, _first_difference(line, until, call[3], now))
            decisions += len(now)
    return Replay(calls, decisions, since, until, False)


def _agenda_of(header: bytes) -> tuple[Agenda, int]:
    found = _read(header)
    if not isinstance(found, dict) or "format" not in found:
        raise InvalidInput("it is no recording of a scheduler")
    if found["format"] != FORMAT:
        raise InvalidInput(f"it has the form {found['format']}; this DMS reads {FORMAT}")
    options, now = found["options"], instant_of(found["now"])
    told = options | {"zone": zone_named(options["zone"]), "calendars": calendars_of(options["calendars"])}
    stored = None if found["stored"] is None else stored_of(found["stored"])
    return Agenda(now, memory=Memory(stored), **told), now.wall


def _read(text: bytes) -> Any:
    """A line; None where it is cut off."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return None


def _make(agenda: Agenda, call: list[Any], line: int) -> Any:
    """Tell the agenda what it was told then."""
    name, now, arguments = call[0], instant_of(call[1]), call[2]
    if name not in CALLS:
        raise InvalidInput(f"line {line}: {name} is nothing that this DMS tells an agenda")
    owner = agenda.attempts if name.startswith("attempts.") else agenda
    told = CALLS[name][1](*arguments)
    place = len(told) - AFTER_NOW.get(name, 0)
    return getattr(owner, name.rpartition(".")[2])(*told[:place], now, *told[place:])


def _plain(document: list[Any]) -> Any:
    return msgspec.json.decode(msgspec.json.encode(document))


def _first_difference(line: int, at: int, recorded: list[Any], decided: list[Any]) -> Difference:
    place = next(
        (place for place, (one, other) in enumerate(zip(recorded, decided, strict=False)) if one != other),
        min(len(recorded), len(decided)),
    )
    return Difference(line, at, _at(recorded, place), _at(decided, place))


def _at(decisions: list[Any], place: int) -> list[Any] | None:
    return decisions[place] if place < len(decisions) else None
