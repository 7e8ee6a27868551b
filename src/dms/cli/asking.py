"""What every command that asks a node shares: the data folder that finds it, and `--json`."""

import json
import os
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

import click

from dms.client.blocking import Client

P = ParamSpec("P")
T = TypeVar("T")

PATIENCE = 30.0
"""Seconds after which a node that does not answer is given up, where nothing was to be waited for."""


class Asking:
    """A node to ask, and whether the answer is to be shown as JSON."""

    def __init__(self, data_dir: str, as_json: bool) -> None:
        self.as_json = as_json
        self.client = Client(data_dir)

    def call(self, method: str, **params: Any) -> Any:
        """The result of a method."""
        return self.client.call(method, params, timeout=PATIENCE)

    def wait(self, method: str, **params: Any) -> Any:
        """The result of a method that takes as long as it takes."""
        return self.client.call(method, params)

    def show(self, result: Any, people: Callable[[Any], None]) -> None:
        """A result: one JSON document, or whatever `people` prints of it."""
        if self.as_json:
            print_json(result)
        else:
            people(result)


def print_json(document: Any) -> None:
    """One JSON document, on one line."""
    click.echo(json.dumps(document, ensure_ascii=False))


def data_folder(given: str | None) -> str:
    """The data folder: the one given, else the default of `general.data_dir`."""
    if given:
        return os.path.expanduser(given)
    return "/var/lib/dms" if os.geteuid() == 0 else os.path.expanduser("~/.dms")


def data_dir_option(function: Callable[P, T]) -> Callable[P, T]:
    """`--data-dir`, or its variable."""
    help_ = "The node's data folder.  [default: /var/lib/dms as root, else ~/.dms]"
    return click.option("--data-dir", envvar="DMS_GENERAL__DATA_DIR", metavar="DIR", help=help_)(function)


def asking(function: Callable[Concatenate[Asking, P], T]) -> Callable[P, T]:
    """Give a command `--data-dir` and `--json`; its first argument is then the Asking that they make."""

    @wraps(function)
    def asked(*args: P.args, **kwargs: P.kwargs) -> T:
        node = Asking(data_folder(cast("str | None", kwargs.pop("data_dir"))), bool(kwargs.pop("as_json")))
        with node.client:
            return function(node, *args, **kwargs)

    as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
    return data_dir_option(as_json(asked))


def read_json(text: str | None, what: str) -> Any:
    """A value that was given as JSON on the command line; a usage error where it is none."""
    if text is None:
        return None
    try:
        return json.loads(text)
    except ValueError as error:
        hint = f"; a text needs its own quotes: '{json.dumps(text)}'" if text.isalnum() else ""
        raise click.BadParameter(f"{text!r} is not JSON ({error}){hint}", param_hint=what) from None
