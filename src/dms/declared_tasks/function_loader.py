"""Finds the functions that `call:` names, in files that nobody else could have written.

What is loaded runs with the node's rights. So it comes from the installed packages and from the folders that
`scheduler.import_paths` names, never from the working directory; and each file, and each folder between it and the
place that was named, must belong to root or to the node's user and be writable by nobody else.
"""

import grp
import os
import pwd
import stat
import sys
from collections.abc import Callable, Collection, Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import module_from_spec
from pathlib import Path
from threading import Thread
from types import ModuleType
from typing import Any

import msgspec

from dms.errors import InvalidTask, Refused

PATIENCE = 10.0
"""Seconds that the loading of all functions may take together; an import can hang."""


class Unloadable(msgspec.Struct, frozen=True):
    """A function that could not be had, and why."""

    reason: str


Loadable = Callable[..., Any] | Unloadable


class FunctionLoader:
    """Loads functions by reference from the environment's packages and from `import_paths`."""

    def __init__(self, import_paths: Sequence[Path], patience: float = PATIENCE) -> None:
        self._named = [str(path) for path in import_paths]
        self._folders = _search_folders(self._named)
        self._patience = patience

    def load(self, references: Collection[str]) -> dict[str, Loadable]:
        """Each `package.module:function`, or the reason why not; blocks for `patience` seconds at most.

        The folders named also join the end of `sys.path`, so that a module finds its neighbours.
        """
        sys.path += [folder for folder in self._named if folder not in sys.path]
        found: dict[str, Loadable] = {}
        thread = Thread(target=self._load_each, args=(references, found), name="dms-load-functions", daemon=True)
        thread.start()
        thread.join(self._patience)
        late = Unloadable(f"it was not loaded within {self._patience:g} s; an import hangs, or one before it does")
        return {reference: found.get(reference, late) for reference in references}

    def _load_each(self, references: Collection[str], found: dict[str, Loadable]) -> None:
        for reference in references:
            try:
                found[reference] = self._function(reference)
            except (Refused, InvalidTask) as error:
                found[reference] = Unloadable(str(error))
            except BaseException as error:  # noqa: BLE001  somebody else's module may raise anything, SystemExit too
                found[reference] = Unloadable(f"{reference} raised {type(error).__name__} while loading: {error}")

    def _function(self, reference: str) -> Callable[..., Any]:
        module_name, _, name = reference.partition(":")
        found: Any = self._module(module_name)
        for part in name.split("."):
            if not hasattr(found, part):
                raise InvalidTask(f"{module_name} has no function {name}")
            found = getattr(found, part)
        if not callable(found):
            raise InvalidTask(f"{reference} is a {type(found).__name__}, not a function")
        return found  # type: ignore[no-any-return]

    def _module(self, name: str) -> ModuleType:
        """Import a module, its packages first, each checked before a line of it runs."""
        if name.partition(".")[0] in sys.builtin_module_names:
            return import_module(name)
        module: ModuleType | None = None
        parts = name.split(".")
        for length in range(1, len(parts) + 1):
            module = self._one(".".join(parts[:length]), module)
        assert module is not None
        return module

    def _one(self, name: str, parent: ModuleType | None) -> ModuleType:
        path = self._folders if parent is None else getattr(parent, "__path__", None)
        spec = None if path is None else PathFinder.find_spec(name, [str(folder) for folder in path])
        if spec is None:
            named = ", ".join(self._named) or "none yet: name the one that it lies in"
            where = f"in the installed packages, nor in a folder of scheduler.import_paths ({named})"
            raise InvalidTask(f"there is no module {name} {where}")
        _check_owner(spec)
        loaded = sys.modules.get(name)
        if loaded is not None:
            _check_same(loaded, spec)
            return loaded
        return _execute(spec, name, parent)


def _execute(spec: ModuleSpec, name: str, parent: ModuleType | None) -> ModuleType:
    module = module_from_spec(spec)
    sys.modules[name] = module
    try:
        if spec.loader is not None:
            spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    if parent is not None:
        setattr(parent, name.rpartition(".")[2], module)
    return module


def _search_folders(named: Sequence[str]) -> list[str]:
    """Those named, then the interpreter's own without the working directory (which `-m` and `-c` put in front)."""
    here = os.path.realpath(os.getcwd())
    installed = [entry for entry in sys.path if entry and os.path.realpath(entry) != here]
    return [*named, *(entry for entry in installed if entry not in named)]


def _check_same(loaded: ModuleType, spec: ModuleSpec) -> None:
    """Another module of that name may have been imported before, from elsewhere."""
    file = getattr(loaded, "__file__", None)
    if file is not None and spec.origin is not None and os.path.realpath(file) != os.path.realpath(spec.origin):
        raise Refused(f"another module {spec.name} is loaded already, from {file}; rename yours")


def _check_owner(spec: ModuleSpec) -> None:
    """Refused where somebody else could have written the module, or could exchange it."""
    places = [*(spec.submodule_search_locations or ())]
    if spec.origin and os.path.isabs(spec.origin):
        places += [spec.origin, os.path.dirname(spec.origin)]
    for place in places:
        if not os.path.exists(place):
            continue
        status = os.stat(place)
        if status.st_uid not in (0, os.geteuid()):
            raise Refused(f"{place} belongs to user {status.st_uid}; it must be root's or the node's own user's")
        if status.st_mode & stat.S_IWOTH or (status.st_mode & stat.S_IWGRP and not _is_private_group(status)):
            raise Refused(f"{place} can be written by others; take that away: chmod go-w {place}")


def _is_private_group(status: os.stat_result) -> bool:
    """Whether a file's group is its owner alone, as where each user has a group of the same name."""
    try:
        owner, group = pwd.getpwuid(status.st_uid), grp.getgrgid(status.st_gid)
    except KeyError:
        return False
    alone = set(group.gr_mem) <= {owner.pw_name}
    return alone and group.gr_gid == owner.pw_gid and group.gr_name == owner.pw_name
