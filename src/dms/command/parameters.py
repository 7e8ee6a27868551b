"""From the parameters of a request to the Struct that an operation wants, with errors that name the field."""

import re
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

from dms.errors import InvalidParameters, did_you_mean

Parameters = TypeVar("Parameters", bound=msgspec.Struct)

Name = str | int
"""A task's name, or its ID."""

_META = "_meta"
_AT = re.compile(r"(.*?)(?: - at `\$\.?(.*)`)?", re.DOTALL)
_TYPES = re.compile(r"`([a-z]+(?: \| [a-z]+)*)`")
_WORDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "bool": "true or false",
    "array": "a list",
    "object": "a map",
    "null": "null",
}
_MISSING = re.compile(r"Object missing required field `(.*)`")


def decode_parameters(kind: type[Parameters], given: dict[str, Any] | list[Any]) -> Parameters:
    """The parameters as `kind`. They may be given by name or, in the order of its fields, by position; `_meta` is
    the channel's own and belongs to every method. InvalidParameters names the field that can't be."""
    named = _named(kind, given)
    _refuse_unknown(kind, named)
    try:
        return msgspec.convert(named, kind)
    except msgspec.ValidationError as error:
        raise _told(str(error)) from None


def _named(kind: type[msgspec.Struct], given: dict[str, Any] | list[Any]) -> dict[str, Any]:
    if isinstance(given, dict):
        return {name: value for name, value in given.items() if name != _META}
    fields = kind.__struct_encode_fields__
    if len(given) > len(fields):
        raise InvalidParameters(f"{len(given)} parameters were given; there are {len(fields)}: {', '.join(fields)}")
    return dict(zip(fields, given, strict=False))


def _refuse_unknown(kind: type[msgspec.Struct], named: dict[str, Any]) -> None:
    fields = kind.__struct_encode_fields__
    for name in named:
        if name not in fields:
            known = f"known: {', '.join(fields)}" if fields else "this method has none"
            raise InvalidParameters(f"{name}: unknown parameter ({known}).{did_you_mean(name, fields)}", (name,))


def _told(problem: str) -> InvalidParameters:
    """msgspec's message in words, with the path in front: `wait: expected true or false, got text`."""
    found = _AT.fullmatch(problem)
    what, path = (found[1], found[2] or "") if found else (problem, "")
    missing = _MISSING.fullmatch(what)
    if missing:
        path, what = f"{path}.{missing[1]}".lstrip("."), "is required"
    return InvalidParameters(
        f"{path or 'parameters'}: {what[:1].lower()}{_in_words(what[1:])}", (path,) if path else ()
    )


def _in_words(what: str) -> str:
    return _TYPES.sub(lambda found: " or ".join(_WORDS.get(kind, kind) for kind in found[1].split(" | ")), what)


def moment(text: str | None, what: str) -> datetime | None:
    """The moment that a parameter names, in UTC; None where none was given. InvalidParameters where it is none."""
    return None if text is None else required_moment(text, what)


def required_moment(text: str, what: str) -> datetime:
    """The same of one that has to be there."""
    try:
        found = datetime.fromisoformat(text)
        if found.tzinfo is not None:
            return found.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    problem = f"{what}: {text!r} is not a moment with its UTC offset, such as 2026-12-24T18:00:00+02:00"
    raise InvalidParameters(problem, (what,))
