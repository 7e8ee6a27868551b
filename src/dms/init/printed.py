"""What a task's function prints: on a node it is kept with its run, as a program's output is."""

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from dms.background_tasks.running.run import CURRENT_RUN


class Printed(io.TextIOBase):
    """In the place of a standard stream (`stdout` or `stderr`; None where that is closed): what is written within a run
    goes to that, all else to the stream itself."""

    encoding = "utf-8"

    def __init__(self, name: str, stream: TextIO | None) -> None:
        self._name, self._stream = name, stream

    def write(self, text: str) -> int:
        """Add to what the run prints that is under way here."""
        run = CURRENT_RUN.get()
        if run is not None and not run.over:
            run.write(self._name, text)
        elif self._stream is not None:
            self._stream.write(text)
        return len(text)

    def writable(self) -> bool:
        """It is for writing."""
        return True

    def flush(self) -> None:
        """What went to the stream itself leaves it; a run's lines are kept at once."""
        if self._stream is not None:
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def printed_to_runs() -> Iterator[None]:
    """Within, what functions print is their runs'."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = Printed("stdout", sys.stdout), Printed("stderr", sys.stderr)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
