"""Entry points of installed distributions, read straight from their `*.dist-info` folders.

`importlib.metadata` does the same and more, and takes 35 ms for it: 31 to be imported, 4 to read what 80
distributions say. This takes two.
"""

import os
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from dms.background_tasks.tasks.gate import BUILT_IN

GATES = "dms.gates"
TASKS = "dms.tasks"
OPERATIONS = "dms.operations"
GROUPS = (GATES, TASKS, OPERATIONS)
"""What a distribution may offer to a node."""

_FOLDER = ".dist-info"
_FILE = "entry_points.txt"


class EntryPoint(NamedTuple):
    """Something that a distribution offers under a name in a group; `reference` is `package.module:object`."""

    distribution: str
    group: str
    name: str
    reference: str

    def __str__(self) -> str:
        return f"{self.distribution}: {self.group} {self.name} = {self.reference}"

    def load(self) -> Any:
        """Import the module and give the object. Whatever that raises."""
        module, _, attributes = self.reference.partition(":")
        found: Any = import_module(module.strip())
        for attribute in filter(None, attributes.strip().split(".")):
            found = getattr(found, attribute)
        return found


def entry_points(groups: Sequence[str], path: Sequence[str]) -> list[EntryPoint]:
    """Those of these groups in the folders of `path` (as in `sys.path`), in their order; of a distribution that is
    there twice the first counts. The working directory is left out, since whoever can write there is nobody's
    administrator."""
    here, seen, found = os.path.realpath(os.getcwd()), set[str](), list[EntryPoint]()
    for entry in path:
        for folder in _distributions(entry) if entry and os.path.realpath(entry) != here else ():
            distribution = folder[: -len(_FOLDER)].partition("-")[0].replace("_", "-").lower()
            if distribution not in seen:
                seen.add(distribution)
                found += _read(Path(entry, folder, _FILE), distribution, groups)
    return found


def gate_names(offered: Sequence[EntryPoint]) -> list[str]:
    """The gates that a node has, told without loading anything of what is offered."""
    return [*BUILT_IN, *(each.name for each in offered if each.group == GATES)]


def _distributions(folder: str) -> list[str]:
    try:
        return sorted(name for name in os.listdir(folder) if name.endswith(_FOLDER))
    except OSError:  # no folder, or none that may be read: nothing is imported from there either
        return []


def _read(file: Path, distribution: str, groups: Sequence[str]) -> Iterator[EntryPoint]:
    try:
        text = file.read_text("utf-8", "replace")
    except OSError:
        return
    group = ""
    for line in map(str.strip, text.splitlines() if any(group in text for group in groups) else ()):
        if line.startswith("["):
            group = line.strip("[]").strip()
        elif group in groups and "=" in line and not line.startswith(("#", ";")):
            name, _, reference = line.partition("=")
            yield EntryPoint(distribution, group, name.strip(), reference.partition("[")[0].strip())
