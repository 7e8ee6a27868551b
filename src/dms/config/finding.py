"""What is wrong in a configuration, and where."""

from collections.abc import Iterable, Sequence

import msgspec

from dms.config.document import KeyPath
from dms.config.layer import Origin
from dms.health import Finding


class ConfigFinding(msgspec.Struct, frozen=True):
    """A stable code (unknown_key, bad_value, duplicate_key, …), the key, what is wrong with it, and where that stands.
    As text it is `file:line:column  key: what`."""

    code: str
    key: str
    message: str
    origin: Origin

    def __str__(self) -> str:
        what = f"{self.key}: {self.message}" if self.key else self.message
        return f"{self.origin}  {what}"

    def for_health(self) -> Finding:
        """The finding as the node's health answer shows it."""
        return Finding(f"config_{self.code}", self.key or str(self.origin), str(self))


def key_text(path: Sequence[str | int]) -> str:
    """A path as people write it.

    >>> key_text(("tasks", "backup", "run", 0))
    'tasks.backup.run[0]'
    """
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def key_path(key: str) -> KeyPath:
    """The path that a dotted key means."""
    return tuple(key.split("."))


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """` Did you mean …?` where a known name is close, else nothing.

    >>> did_you_mean("retires", ["retry", "run"])
    ' Did you mean retry?'
    """
    from difflib import get_close_matches

    close = get_close_matches(name.lower(), list(known), n=1)
    return f" Did you mean {close[0]}?" if close else ""
