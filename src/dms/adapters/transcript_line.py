"""A line of a transcript as a line of JSON. Whatever it holds, a line comes out, and no longer than it may be."""

import traceback
from collections.abc import Mapping
from typing import Any

import msgspec

from dms.background_tasks.running.transcript import TranscriptLine

LONGEST = 128 * 1024
"""Characters of a line that are kept, and bytes of its fields."""

_Fields = Mapping[str, Any]


class _Kept(msgspec.Struct, omit_defaults=True, gc=False):
    n: int
    at: int
    kind: str
    text: str
    fields: dict[str, Any] | None = None


def encode_line(number: int, at: int, kind: str, text: object, fields: _Fields) -> bytes:
    """The line, with its end."""
    if type(text) is str and len(text) <= LONGEST and not fields:
        try:
            return _encode(_Kept(number, at, kind, text)) + b"\n"
        except UnicodeEncodeError:
            pass
    return _encode(_Kept(number, at, kind, _text_of(text), _fields_of(fields) or None)) + b"\n"


def decode_line(line: bytes, execution: str, dropped: int = 0) -> TranscriptLine | None:
    """What `encode_line` wrote; None where it is no whole line, as one that a crash cut off."""
    try:
        kept = _decode(line)
    except msgspec.DecodeError:
        return None
    return TranscriptLine(execution, kept.n, kept.at, kept.kind, kept.text, kept.fields or {}, dropped)


def number_of_line(line: bytes) -> int:
    """Its number, without reading the rest of it; 0 where it has none."""
    digits = line[len(_HEAD) : line.find(b",", 0, 40)]
    return int(digits) if line.startswith(_HEAD) and digits.isdigit() else 0


_HEAD = b'{"n":'


def _text_of(given: object) -> str:
    try:
        text = str(given)
    except Exception:  # noqa: BLE001 - an object whose text can't be made gets a stand-in
        text = f"<{type(given).__name__}>"
    if len(text) > LONGEST:
        text = f"{text[:LONGEST]}… ({len(text) - LONGEST} characters more)"
    return text.encode("utf-8", "backslashreplace").decode()


def _fields_of(fields: _Fields) -> dict[str, Any]:
    """Plain fields: those that JSON can't hold as text; an exception as its traceback."""
    plain = {_text_of(name): _plain(value) for name, value in fields.items() if name != "exc_info"}
    told = _traceback_of(fields["exc_info"]) if fields.get("exc_info") else ""
    if told:
        plain["exception"] = told[-LONGEST:]
    size = len(_encode(plain))
    return plain if size <= LONGEST else {"fields": f"{size} bytes of fields are not kept; the most is {LONGEST}"}


def _plain(value: Any) -> Any:
    if value is None or type(value) in (bool, float):
        return value
    try:
        return msgspec.json.decode(_encode(value))
    except Exception:  # noqa: BLE001 - an object may raise anything while it is looked at
        return _text_of(value)


def _traceback_of(error: Any) -> str:
    if isinstance(error, tuple):
        error = error[1]
    if not isinstance(error, BaseException):
        import sys

        error = sys.exc_info()[1]
    return "" if error is None else _text_of("".join(traceback.format_exception(error)))


_encode = msgspec.json.Encoder(enc_hook=_text_of).encode
_decode = msgspec.json.Decoder(_Kept).decode
