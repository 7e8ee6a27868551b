"""The `dms` command: which families there are, and how whatever goes wrong is told."""

import errno
import json
import os
import sys
from collections.abc import Sequence
from importlib import import_module

import click

from dms import __version__
from dms.cli.exit_status import DONE, FAILED, INTERRUPTED, exit_status, reason_of
from dms.cli.standard_streams import give_up_output, open_missing
from dms.errors import DmsError, did_you_mean

FAMILIES = {
    "run": "Start a node in the foreground.",
    "status": "How the node is and what it does.",
    "task": "Look at tasks, run them, hold them back.",
    "event": "Tell the node that something happened.",
    "logs": "What the node says of itself.",
    "config": "What the configuration says, and why.",
    "token": "Say who may come in over HTTP and WebSocket.",
    "call": "Call any method of the command channel.",
}
"""Each is the command of its name in the module of its name, `dms.cli.run.run` and so on."""


_OPTIONS_OF_COMMANDS = frozenset({"--data-dir", "--json"})

_UNWRITABLE = frozenset({errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
"""What the system says where an output takes no more."""


class Families(click.Group):
    """Imports a family when it is called, not when another one is."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The families, the one to begin with first."""
        return list(FAMILIES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """One of them."""
        if cmd_name not in FAMILIES:
            return None
        command: click.Command = getattr(import_module(f"dms.cli.{cmd_name}"), cmd_name)
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """What stands before the command; an option that belongs to a command is sent to its place."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            if error.option_name in _OPTIONS_OF_COMMANDS:
                ctx.fail(f"{error.option_name} stands after the command, as in: dms status {error.option_name}")
            raise

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The one that is called; for a slip the nearest is named."""
        if not ctx.resilient_parsing and args[0] not in FAMILIES and not args[0].startswith("-"):
            ctx.fail(f"no such command {args[0]}.{did_you_mean(args[0], FAMILIES)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Their names and what each is for, without an import."""
        with formatter.section("Commands"):
            formatter.write_dl(list(FAMILIES.items()))


@click.group(cls=Families, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="dms %(version)s")
def dms() -> None:
    """Run scheduled work on this machine, and ask the node that does so.

    A node is found by its data folder: --data-dir, else DMS_GENERAL__DATA_DIR, else /var/lib/dms as root and ~/.dms
    otherwise. Exit status: 0 done; 1 it failed; 2 wrong usage; 3 not found; 4 refused; 69 no node; 78 configuration.
    """


def run(words: Sequence[str]) -> int:
    """Run `dms` with these words. Whatever goes wrong becomes a line on standard error and an exit status."""
    if "_DMS_COMPLETE" in os.environ:
        dms.main(prog_name="dms")
    open_missing()
    try:
        status = _answer(words)
        sys.stdout.flush()
        return status
    except OSError as error:
        return _not_written(error)


def _answer(words: Sequence[str]) -> int:
    try:
        return _invoke(words)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except DmsError as error:
        return _tell(error, as_json="--json" in words)
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except Exception as error:  # no traceback reaches a user who did not ask for it
        if isinstance(error, OSError) and error.errno in _UNWRITABLE:
            raise
        return _unforeseen(error)


def _invoke(words: Sequence[str]) -> int:
    try:
        with dms.make_context("dms", list(words)) as context:
            status = dms.invoke(context)
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    return status if isinstance(status, int) else DONE


def _tell(error: DmsError, *, as_json: bool) -> int:
    print(f"dms: {error}", file=sys.stderr)
    if as_json:
        print(json.dumps({"error": {"reason": reason_of(error), "message": str(error)}}))
    _debug(error)
    return exit_status(error)


def _unforeseen(error: Exception) -> int:
    print(f"dms: {type(error).__name__}: {error} (a mistake in dms; DMS_DEBUG=1 shows where)", file=sys.stderr)
    _debug(error)
    return FAILED


def _debug(error: Exception) -> None:
    if os.environ.get("DMS_DEBUG") == "1":
        import traceback

        traceback.print_exception(error)


def _not_written(error: OSError) -> int:
    """Standard output takes no more. Where its reader left, it has seen enough, and all is well."""
    give_up_output()
    if error.errno == errno.EPIPE:
        return DONE
    print(f"dms: the output can't be written: {error.strerror}", file=sys.stderr)
    return FAILED
