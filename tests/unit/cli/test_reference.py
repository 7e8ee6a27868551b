"""The reference pages say everything that there is, and nothing else."""

import re
from pathlib import Path

import click
import pytest

from dms.cli.application import dms
from dms.cli.exit_status import FAILED, STATUSES
from dms.rpc.error import KINDS

PAGES = Path(__file__).resolve().parents[3] / "docs/reference"
CLI = (PAGES / "cli.md").read_text()
ERRORS = (PAGES / "errors.md").read_text()
SHARED = {"--json", "--data-dir", "--help"}


def commands(group: click.Group, name: str) -> list[tuple[str, click.Command]]:
    context = click.Context(group)
    found: list[tuple[str, click.Command]] = []
    for word in group.list_commands(context):
        command = group.get_command(context, word)
        assert command is not None
        nested = isinstance(command, click.Group)
        found += commands(command, f"{name} {word}") if isinstance(command, click.Group) else []
        found += [] if nested else [(f"{name} {word}", command)]
    return found


@pytest.mark.parametrize(("name", "command"), commands(dms, "dms"), ids=lambda value: str(value))
def test_every_command_has_a_section_with_all_its_options(name: str, command: click.Command) -> None:
    section = re.search(rf"^## `{name}`\n(.*?)(?=^## |\Z)", CLI, re.MULTILINE | re.DOTALL)
    assert section is not None
    options = {option for parameter in command.params for option in parameter.opts if option.startswith("-")}
    told = set(re.findall(r"`(--?[a-z][a-z-]*)", section[1]))
    assert options - SHARED == told - SHARED


def test_every_section_is_a_command_s() -> None:
    told = re.findall(r"^## `(dms[^`]*)`", CLI, re.MULTILINE)
    assert sorted(name for name, _ in commands(dms, "dms")) == sorted(told)


@pytest.mark.parametrize("code", KINDS)
def test_every_code_is_listed_with_its_number_and_its_exit_status(code: str) -> None:
    row = re.search(rf"^\| `{code}` \| [^|]*\| (-\d+) \|.*\| (\d+) \|$", ERRORS, re.MULTILINE)
    assert row is not None
    assert (str(KINDS[code].number), str(STATUSES.get(code, FAILED))) == row.groups()
