"""The command line. `main` is what `dms` runs; each family of commands is imported only when it is called."""

import sys
from collections.abc import Sequence
from contextlib import suppress

from dms import __version__


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `dms` with these words, or those of the process, and give the exit status."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    if words == ["--version"]:  # before click is imported: it takes longer than all the rest
        with suppress(OSError):  # it is told below, as for every command
            print(f"dms {__version__}", flush=True)
            return 0
    try:
        from dms.cli.application import run

        return run(words)
    except KeyboardInterrupt:  # already while it was being loaded
        return 130
