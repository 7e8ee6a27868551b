"""The command line. `main` is what `dms` runs; each family of commands is imported only when it is called."""

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `dms` with these words, or those of the process, and give the exit status."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    if words == ["--version"]:  # before click is imported: it takes longer than all the rest
        from importlib.metadata import version

        print(f"dms {version('dms-node')}")
        return 0
    from dms.cli.application import run

    return run(words)
