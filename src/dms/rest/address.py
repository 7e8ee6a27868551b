"""What the address of a request says: the parts of its path, and its query."""

import re
from collections.abc import Collection, Mapping
from typing import Any, get_args
from urllib.parse import parse_qsl

import msgspec
from starlette.requests import Request

from dms.access.bearer import TOKEN_IN_URL, shows_token
from dms.errors import InvalidInput, InvalidParameters, did_you_mean

_FLAGS = {"": True, "true": True, "false": False}
_WHOLE = re.compile(r"-?\d{1,18}", re.ASCII)
_NUMBER = re.compile(r"\d{1,9}(\.\d{1,9})?")
"""A number that surely fits 64 bits."""

_NO_NAME = re.compile(rb"%2f|%[01][0-9a-f]|%7f", re.IGNORECASE)


def check_address(request: Request) -> None:
    """InvalidInput where the address bears a token, or a name that would be taken for several: whoever puts a name
    into a path must get what bears that name, or nothing."""
    if shows_token(request.scope["query_string"].decode("latin-1")):
        raise InvalidInput(TOKEN_IN_URL)
    if _NO_NAME.search(request.scope.get("raw_path") or b""):
        raise InvalidInput("the path holds a slash or a control character in a name; no name here has one")


def types_of(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """The type of each parameter, by the name that it goes by outside."""
    return {field.encode_name: field.type for field in msgspec.structs.fields(kind)}


def path_parameters(types: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, Any]:
    """The parts of the path as parameters. Digits where a name or an ID may stand are an ID."""
    return {name: _value(text, get_args(types.get(name))) for name, text in given.items()}


def query_parameters(types: Mapping[str, Any], known: Collection[str], query: str) -> dict[str, Any]:
    """The query as parameters; `?wait` alone means `?wait=true`. InvalidParameters names one that is unknown or given
    twice: none is passed over, since it may be the one that matters. What is not of its type stays text, so that the
    operation says so."""
    given: dict[str, Any] = {}
    for name, text in parse_qsl(query, keep_blank_values=True):
        if name not in known:
            raise unknown(name, "query", known)
        if name in given:
            raise InvalidParameters(f"{name}: given twice in the query", (name,))
        given[name] = _value(text, (types[name], *get_args(types[name])))
    return given


def _value(text: str, kinds: Collection[Any]) -> Any:
    if bool in kinds:
        return _FLAGS.get(text, text)
    if int in kinds and _WHOLE.fullmatch(text):
        return int(text)
    return float(text) if float in kinds and _NUMBER.fullmatch(text) else text


def unknown(name: str, where: str, known: Collection[str]) -> InvalidParameters:
    """What to raise of a parameter that is not known there."""
    there_are = f"known: {', '.join(known)}" if known else "none is known"
    return InvalidParameters(f"{name}: unknown in the {where} ({there_are}).{did_you_mean(name, known)}", (name,))
