"""From defaults, a file, the environment and the command line to the effective configuration.

A start must succeed where it can: a bad value, an unknown key or a broken file is a finding, and the layer below
counts. It is refused (ConfigError) where the node could end up in the wrong place, or where that was asked for.
"""

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from dms.config.check import check_layer
from dms.config.config import BUILT_IN, Config, Sections, build_config, default_values, plain
from dms.config.finding import ConfigFinding
from dms.config.layer import ABSENT, LayerName, value_at
from dms.config.machine import this_machine, working_directory
from dms.config.outside import environment_layer
from dms.config.overrides import Override, with_override
from dms.config.reading import Check, Loaded, Reading, folders_to_search, refusal, with_overrides
from dms.errors import InvalidInput

_current: Loaded | None = None
_overrides: list[Override] = []


def load_config(
    path: str | os.PathLike[str] | None = None,
    *,
    sections: Sections | None = None,
    environ: Mapping[str, str] | None = None,
    arguments: Sequence[str] | None = None,
    strict: bool = False,
) -> Config:
    """Read the configuration and make it what `get_config` gives.

    `path` names the main file; without it the first found on `search_paths` counts, and no file is fine. `sections`
    are further sections by name; `arguments` are `section.key=value` texts. A bad value leaves the layer below in
    force (`load` also tells the findings); ConfigError where the file named doesn't exist, where the node's place is
    at stake, and with `strict` for any finding.
    """
    global _current
    _current = load(path, sections=sections, environ=environ, arguments=arguments, strict=strict)
    _overrides.clear()
    return _current.config


def get_config() -> Config:
    """The configuration that was last loaded, with what was set since; the first call loads it."""
    return load_config() if _current is None else _current.config


def set_config(key: str, value: Any, *, on_error: Literal["refuse", "default"] = "refuse") -> Config:
    """Set a key of this process's configuration until it is loaded anew; no file changes. A bad value is refused with
    InvalidInput and changes nothing; with `on_error="default"` the key's default takes effect instead, and a warning
    is logged. A running node has its own configuration: `dms config set`."""
    global _current
    get_config()
    assert _current is not None
    path = tuple(key.split("."))
    try:
        proposed, overrides = _with(_current, path, plain(value))
    except InvalidInput as error:
        default = value_at(_current.layers[0].values, path)
        if on_error == "refuse" or default is ABSENT:
            raise
        logging.getLogger("dms").warning("%s; its default takes effect", error)
        proposed, overrides = _with(_current, path, plain(default))
    _current, _overrides[:] = proposed, overrides
    return proposed.config


def _with(loaded: Loaded, path: tuple[str, ...], value: Any) -> tuple[Loaded, list[Override]]:
    overrides = with_override(_overrides, Override(path, value, 0, "set_config", 0))
    proposed = with_overrides(loaded, (), overrides, {path[0]})
    bad = [finding for finding in proposed.findings if finding.origin.layer is LayerName.VOLATILE]
    if bad:
        raise InvalidInput("\n".join(f"{finding.key}: {finding.message}" for finding in bad))
    return proposed, overrides


def default_config(sections: Sections | None = None) -> Config:
    """The built-in defaults on this machine, whatever files and environment say."""
    every, machine = {**BUILT_IN, **(sections or {})}, this_machine(os.environ)
    return build_config(default_values(every, machine), every, machine)


def search_paths(environ: Mapping[str, str] | None = None) -> list[Path]:
    """The folders in which the main file is looked for: the working directory, the user's folder, /etc/dms."""
    environ = os.environ if environ is None else environ
    machine, folder = this_machine(environ), working_directory()
    layer, _ = environment_layer(environ, folder)
    return folders_to_search([check_layer(layer, BUILT_IN, machine).layer], machine, folder)


def load(
    path: str | os.PathLike[str] | None = None,
    *,
    sections: Sections | None = None,
    environ: Mapping[str, str] | None = None,
    arguments: Sequence[str] | None = None,
    strict: bool = False,
    cached: bool = False,
) -> Loaded:
    """What `load_config` does, with everything that there is to know about it. With `cached` the reading of a YAML
    file is kept in the data folder, where that exists, for the next start."""
    environ = os.environ if environ is None else environ
    reading = Reading({**BUILT_IN, **(sections or {})}, this_machine(environ), working_directory())
    reading.read_outside(environ, arguments or ())
    reading.read_file(None if path is None else Path(path), cached)
    loaded = reading.result()
    if strict and loaded.findings:
        raise refusal(loaded.findings)
    return loaded


def validate(
    path: str | os.PathLike[str], *, sections: Sections | None = None, checks: Sequence[Check] = ()
) -> list[ConfigFinding]:
    """What is wrong with a file, in the order in which it stands there; the environment is left aside. ConfigError
    where there is no such file."""
    every = {**BUILT_IN, **(sections or {})}
    reading = Reading(every, this_machine(os.environ), working_directory(), at_any_place=True)
    reading.read_file(Path(path), cached=False)
    loaded = reading.result()
    found = [*loaded.findings, *(finding for check in checks for finding in check(loaded))]
    found = [finding for finding in found if finding.code != "no_timezone"]
    return sorted(found, key=lambda finding: (finding.origin.line, finding.origin.column))
