"""What is wrong in a configuration, and where."""

from collections.abc import Iterable, Sequence

import msgspec

from dms.config.document import KeyPath
from dms.config.layer import Origin
from dms.health import Finding

WHOLE_FILE = frozenset({"malformed", "unreadable"})
"""Codes of findings that leave nothing of a file."""


class ConfigFinding(msgspec.Struct, frozen=True):
    """A stable code (unknown_key, bad_value, duplicate_key, …), the path of the key (empty: the whole file), what is
    wrong with it, and where that stands. As text it is `file:line:column  key: what`."""

    code: str
    path: KeyPath
    message: str
    origin: Origin

    @property
    def key(self) -> str:
        """The key as people write it."""
        return key_text(self.path)

    def __str__(self) -> str:
        what = f"{self.key}: {self.message}" if self.key else self.message
        return f"{self.origin}  {what}"

    def for_health(self) -> Finding:
        """The finding as the node's health answer shows it."""
        return Finding(f"config_{self.code}", self.key or str(self.origin), str(self))


def new_findings(before: Iterable[ConfigFinding], after: Iterable[ConfigFinding]) -> list[ConfigFinding]:
    """What was not wrong before, wherever it stands."""
    known = {(finding.code, finding.path, finding.message) for finding in before}
    return [each for each in after if (each.code, each.path, each.message) not in known]


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
