"""One value, read as its type says: strictly from a file, leniently from a text such as an environment variable."""

import json
from datetime import timedelta
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec

from dms.config.scalar import resolve_scalar
from dms.config.setting import Machine, expectation
from dms.errors import InvalidDuration, InvalidInput
from dms.instant import parse_duration

_YES = frozenset({"true", "yes", "on", "1"})
_NO = frozenset({"false", "no", "off", "0"})


def read_value(given: Any, kind: Any, folder: str, machine: Machine) -> Any:
    """The value as the type takes it: lengths of time and paths become `timedelta` and `Path` (relative to `folder`,
    where there is one).
    InvalidInput says what was given and what is expected."""
    if type(given) is kind:
        return given
    bare = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    if bare is timedelta:
        return _read_duration(given)
    if bare is Path:
        return _read_path(given, folder, machine)
    if bare == list[Path]:
        return [_read_path(entry, folder, machine) for entry in _checked(given, list[str])]
    return _checked(given, kind)


def read_text(given: str, kind: Any) -> Any:
    """What a text from outside a file means for a type, to be read by `read_value`. A text in double quotes is that
    text; lists and maps are JSON; blanks around anything but a text or a path count for nothing (an environment file
    with Windows line ends leaves such). InvalidInput where it can't be that."""
    bare = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    try:
        given.encode()
    except UnicodeEncodeError:
        raise InvalidInput(f"{ascii(given)[:60]} is not UTF-8") from None
    if bare not in (str, Path):
        given = given.strip()
    if bare is bool:
        return _read_bool(given)
    if bare in (str, Path, timedelta) or get_origin(bare) is Literal:
        return _decode(given, kind) if given.startswith('"') else given
    if given[:1] in ("[", "{", '"'):
        return _decode(given, kind)
    try:
        return resolve_scalar(given)
    except ValueError as error:
        raise InvalidInput(str(error)) from None


def shown(value: Any) -> str:
    """A value in a message: as JSON, and not too long.

    >>> shown("x" * 100)
    '"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…'
    """
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:60]}…"


def _checked(given: Any, kind: Any) -> Any:
    try:
        return msgspec.convert(given, kind, strict=True)
    except msgspec.ValidationError:
        raise InvalidInput(f"{_at_fault(given, kind)} is not {expectation(kind)}{_hint(given, kind)}") from None


def _at_fault(given: Any, kind: Any) -> str:
    """A value in a message, without those in it that are not at fault: they may be secret."""
    if isinstance(given, dict):
        bad = {name: value for name, value in given.items() if _is_odd(value)} if kind == dict[str, str] else {}
        return shown(bad) if bad else "a map"
    if isinstance(given, list) and kind in (list[str], list[Path]):
        bad_entries = [value for value in given if _is_odd(value)]
        return f"[…, {shown(bad_entries[0])}]" if 0 < len(bad_entries) < len(given) else shown(given)
    return shown(given)


def _is_odd(value: Any) -> bool:
    """Whether it is a plain value that is no text."""
    return isinstance(value, (int, float, bool, NoneType))


def _hint(given: Any, kind: Any) -> str:
    """What to do about the commonest slips."""
    match given:
        case int() | float() if kind is str:
            return f"; write it in quotes: {shown(shown(given))}"
        case list() | dict() if kind in (list[str], list[Path], dict[str, str]):
            within = given.values() if isinstance(given, dict) else given
            odd = [entry for entry in within if isinstance(entry, (int, float))]
            return f"; write {shown(odd[0])} in quotes: {shown(shown(odd[0]))}" if odd else ""
        case str() if get_origin(kind) is list:
            return f"; write [{', '.join(given.split())}]" if len(given) < 40 else ""
        case str() if given[:1].isdigit():
            return "; write it without quotes"
    return ""


def _read_duration(given: Any) -> timedelta:
    if given == 0 and not isinstance(given, (bool, str)):
        return timedelta(0)
    if isinstance(given, (int, float)) and not isinstance(given, bool):
        raise InvalidInput(f"{given} has no unit; write {given}s for seconds, or {given}m, {given}h")
    if not isinstance(given, str):
        raise InvalidInput(f"{_at_fault(given, timedelta)} is not {expectation(timedelta)}")
    try:
        return parse_duration(given)
    except InvalidDuration as error:
        raise InvalidInput(str(error).partition(": ")[2]) from None


def _read_path(given: Any, folder: str, machine: Machine) -> Path:
    if not isinstance(given, str) or not given or "\0" in given:
        raise InvalidInput(f"{_at_fault(given, Path)} is not {expectation(Path)}")
    if given == "~" or given.startswith("~/"):
        return Path(machine.home, given[2:])
    if given.startswith("~"):
        raise InvalidInput(f"{shown(given)}: only ~/ is understood; write the whole path")
    if not folder and not given.startswith("/"):
        raise InvalidInput(f"{shown(given)} starts from no folder here; give the whole path")
    return Path(folder, given)


def _read_bool(given: str) -> Any:
    word = given.lower()
    if word in _YES or word in _NO:
        return word in _YES
    return given


def _decode(given: str, kind: Any) -> Any:
    try:
        return msgspec.json.decode(given.encode())
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise InvalidInput(f"{shown(given)} is not {expectation(kind)} written as JSON") from None
