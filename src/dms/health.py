"""Findings in, one answer out: well, degraded (and why), not ready."""

from enum import StrEnum
from threading import Lock

import msgspec


class State(StrEnum):
    """How a node is: `well`, `degraded` (it works, and something wants a look), `not_ready` (it takes no work)."""

    WELL = "well"
    DEGRADED = "degraded"
    NOT_READY = "not_ready"


class Finding(msgspec.Struct, frozen=True):
    """Something that wants a look: a stable code, what it is about, and a sentence that says what to do."""

    code: str
    subject: str
    message: str


class Health:
    """Collects what every room found. A finding is replaced by the next of its code and subject. Thread-safe."""

    def __init__(self) -> None:
        self._findings: dict[tuple[str, str], Finding] = {}
        self._ready = False
        self._lock = Lock()

    def report(self, finding: Finding) -> None:
        """Something is wrong from now on."""
        with self._lock:
            self._findings[finding.code, finding.subject] = finding

    def clear(self, code: str, subject: str) -> None:
        """It is right again."""
        with self._lock:
            self._findings.pop((code, subject), None)

    def ready(self, ready: bool) -> None:
        """Whether the node takes work at all: after its start, and not while it stops."""
        self._ready = ready

    def findings(self) -> list[Finding]:
        """All of them, the oldest first."""
        with self._lock:
            return list(self._findings.values())

    def state(self) -> State:
        """The one answer."""
        if not self._ready:
            return State.NOT_READY
        return State.DEGRADED if self._findings else State.WELL
