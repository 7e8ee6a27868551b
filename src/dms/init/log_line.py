"""A log line as text: one JSON object, or columns for people. Whatever a field holds, a line comes out."""

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

_DEEPEST = 8
_RESERVED = frozenset({"at", "level", "event", "logger", "task", "execution", "status", "took", "exception"})
_COLOURS = {
    "success": 32, "failed": 31, "timed_out": 31, "abandoned": 31, "warning": 33, "error": 31, "debug": 2,
}  # fmt: skip


def json_line(fields: Mapping[str, Any]) -> str:
    """The line as strict JSON, with a stand-in for each value that has no JSON form.

    >>> json_line({"level": "info", "event": "hello", "odd": {1, 2} and object})
    '{"level":"info","event":"hello","odd":"<class \\'object\\'>"}'
    """
    try:
        return msgspec.json.encode(fields, enc_hook=_stand_in).decode()
    except (TypeError, ValueError, RecursionError, msgspec.MsgspecError):
        return msgspec.json.encode({_text(name): _tame(value, 0) for name, value in fields.items()}).decode()


def pretty_line(fields: Mapping[str, Any]) -> str:
    """The line as people read it: time, task, status and what it says, the rest as name=value."""
    moment = datetime.fromisoformat(str(fields["at"])).astimezone()
    status = str(fields.get("status") or ("" if fields["level"] == "info" else fields["level"]))
    head = f"{moment:%H:%M:%S} "
    if "task" in fields:
        head += f"{_clean(fields['task']):<13}"
        head += f"{_painted(status):<{9 + len(_painted(status)) - len(status)}} {_clean(fields.get('took', '')):>7}   "
    elif status:
        head += f"{_painted(status)}  "
    rest = "  ".join(f"{_clean(name)}={_clean(value)}" for name, value in fields.items() if name not in _RESERVED)
    line = f"{head}{_clean(fields['event'])}{'  ' if rest else ''}{rest}".rstrip()
    trace = fields.get("exception")
    return f"{line}\n{trace}" if trace else line


def _painted(status: str) -> str:
    colour = _COLOURS.get(status)
    return status if colour is None else f"\x1b[{colour}m{status}\x1b[0m"


def _clean(value: Any) -> str:
    """As text without control characters, so that no value can end the line or move the cursor."""
    text = _text(value)
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def _stand_in(value: Any) -> str:
    return _text(value)


def _text(value: Any) -> str:
    try:
        text = value if isinstance(value, str) else str(value)
    except Exception:  # noqa: BLE001 - an object whose text can't be made gets a stand-in
        text = f"<{type(value).__name__}>"
    return text.encode("utf-8", "backslashreplace").decode()


def _tame(value: Any, depth: int) -> Any:
    """The value with everything that JSON can't hold replaced."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if depth < _DEEPEST and isinstance(value, Mapping):
        return {_text(name): _tame(held, depth + 1) for name, held in value.items()}
    if depth < _DEEPEST and isinstance(value, (list, tuple, set, frozenset)):
        return [_tame(held, depth + 1) for held in value]
    return _text(value) if depth < _DEEPEST or isinstance(value, str) else "…"
