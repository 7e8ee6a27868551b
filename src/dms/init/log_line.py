"""A log line as text: one JSON object, or columns for people. Whatever a field holds, a line comes out."""

import json
import math
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec

_DEEPEST = 8
_LEAST_INT, _GREATEST_INT = -(2**63), 2**64 - 1
_COLOURS = {
    "success": 32, "failed": 31, "timed_out": 31, "abandoned": 31, "warning": 33, "error": 31, "debug": 2,
}  # fmt: skip

RESERVED = frozenset({"at", "level", "event", "logger", "task", "execution", "status", "took", "exception", "trace_id"})
"""Fields that have a place of their own in a line for people."""


def plain_fields(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields with everything replaced that JSON can't hold: what is odd becomes its text, what is deep an ellipsis.
    The same fields, where nothing is.

    >>> plain_fields({"event": "hello", "huge": 2**80, "odd": float("nan")})
    {'event': 'hello', 'huge': '1208925819614629174706176', 'odd': 'nan'}
    """
    if _are_plain(fields.values()) and "".join(fields).isascii():
        return fields
    return {_text(name): _plain(value, 0) for name, value in fields.items()}


def _are_plain(values: Iterable[Any]) -> bool:
    """Whether they certainly are. One loop without a call in it: each line of the log comes through here."""
    for value in values:
        kind = type(value)
        if kind is str:
            if not value.isascii():
                return False
        elif kind is int:
            if not _LEAST_INT <= value <= _GREATEST_INT:
                return False
        elif kind is not bool and value is not None and (kind is not float or not math.isfinite(value)):
            return False
    return True


def json_line(fields: Mapping[str, Any]) -> str:
    """The line as strict JSON, every control character escaped; the fields must be plain.

    >>> json_line({"level": "info", "event": "one\\ntwo"})
    '{"level":"info","event":"one\\\\ntwo"}'
    """
    line = msgspec.json.encode(fields).decode()
    return line if line.isprintable() else "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in line)


def pretty_line(fields: Mapping[str, Any], colours: bool = True) -> str:
    """The line as people read it: time, task, status and what it says, the rest as name=value. A traceback follows on
    lines of its own, indented, so that none of it can be taken for a line of the log."""
    moment = datetime.fromisoformat(str(fields["at"])).astimezone()
    status = str(fields.get("status") or ("" if fields["level"] == "info" else fields["level"]))
    head = f"{moment:%H:%M:%S} "
    if "task" in fields:
        head += f"{_clean(fields['task']):<12} "
        head += f"{_painted(f'{_clean(status):<9}', status, colours)} {_clean(fields.get('took', '')):>7}   "
    elif status:
        head += f"{_painted(_clean(status), status, colours)}  "
    rest = "  ".join(f"{_clean(name)}={_clean(value)}" for name, value in fields.items() if name not in RESERVED)
    line = f"{head}{_clean(fields['event'])}{'  ' if rest else ''}{rest}".rstrip()
    trace = fields.get("exception")
    return "\n".join([line, *(f"    {_clean(part)}" for part in _text(trace).splitlines())]) if trace else line


def _painted(text: str, status: str, colours: bool) -> str:
    colour = _COLOURS.get(status) if colours else None
    return text if colour is None else f"\x1b[{colour}m{text}\x1b[0m"


def _clean(value: Any) -> str:
    """As text without control characters, so that no value can end the line or move the cursor."""
    text = _text(value)
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def _text(value: Any) -> str:
    try:
        text = str(value)
    except Exception:  # noqa: BLE001 - an object whose text can't be made gets a stand-in
        text = f"<{type(value).__name__}>"
    return text.encode("utf-8", "backslashreplace").decode()


def _plain(value: Any, depth: int) -> Any:
    if value is None or value is True or value is False:
        return value
    if isinstance(value, int):
        return int(value) if _LEAST_INT <= value <= _GREATEST_INT else _text(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else _text(value)
    if depth < _DEEPEST and isinstance(value, Mapping):
        return {_text(name): _plain(held, depth + 1) for name, held in value.items()}
    if depth < _DEEPEST and isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(held, depth + 1) for held in value]
    return "…" if isinstance(value, (Mapping, list, tuple, set, frozenset)) else _text(value)
