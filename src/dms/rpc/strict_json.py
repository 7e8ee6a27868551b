"""Strict JSON: nothing that comes in crashes, is changed on the way or nests without end; everything goes out."""

import re
from typing import Any

import msgspec

MAX_DEPTH = 64
"""How deep arrays and objects may nest."""

_LONG_NUMBER = re.compile(rb"\d{19}")
_LEAST, _MOST = -(2**63), 2**64 - 1

_decoder = msgspec.json.Decoder()


def decode(text: str | bytes) -> Any:
    """The value of a JSON text. ValueError says what is wrong with it: NaN, a lone surrogate, an integer that does
    not fit 64 bits, more than 64 levels, or simply not JSON."""
    try:
        data = text.encode() if isinstance(text, str) else text
        value = _decoder.decode(data)
    except RecursionError:
        raise ValueError(f"arrays and objects nest deeper than {MAX_DEPTH}") from None
    except UnicodeError:
        raise ValueError("the text is not valid UTF-8") from None
    except msgspec.MsgspecError as error:
        raise ValueError(str(error)) from None
    if data.count(b"[") + data.count(b"{") > MAX_DEPTH or _LONG_NUMBER.search(data):
        _check(value, MAX_DEPTH)
    return value


def _check(value: Any, levels: int) -> None:
    if isinstance(value, int):
        if not _LEAST <= value <= _MOST:
            raise ValueError("an integer does not fit 64 bits")
    elif isinstance(value, (list, dict)):
        if levels == 0:
            raise ValueError(f"arrays and objects nest deeper than {MAX_DEPTH}")
        for item in value.values() if isinstance(value, dict) else value:
            _check(item, levels - 1)


def encode(value: Any) -> bytes:
    """A value as JSON, on one line. What JSON has no form for is told by its `repr`: an answer must not fail because
    a task gave back something odd."""
    try:
        return _encoder.encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError):
        return _encode_odd(value)


def _encode_odd(value: Any) -> bytes:
    try:
        return _encoder.encode(_plain(value))
    except RecursionError:
        return _encoder.encode(_told(value))


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return _printable(value)
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, dict):
        return {_plain(key if isinstance(key, str) else _told(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item) for item in value]
    if isinstance(value, msgspec.Struct):
        return {name: _plain(getattr(value, name)) for name in value.__struct_fields__}
    return _told(value)


def _told(value: Any) -> str:
    try:
        return _printable(repr(value))
    except Exception:  # noqa: BLE001 — a foreign object's repr may raise anything
        return f"<{type(value).__name__}>"


def _printable(text: str) -> str:
    return text.encode(errors="backslashreplace").decode()


_encoder = msgspec.json.Encoder(enc_hook=_told)
