"""What somebody wants the configuration to become, before anybody is asked about it. Pure."""

from collections.abc import Sequence
from typing import Any

import msgspec

from dms.config.config import plain
from dms.config.document import DEEPEST, TOO_DEEP, KeyPath, is_too_deep
from dms.config.explain import unknown
from dms.config.finding import WHOLE_FILE, key_path, key_text, new_findings
from dms.config.layer import LayerName, value_at
from dms.config.leaf import shown
from dms.config.overrides import Override
from dms.config.reading import Loaded
from dms.config.setting import is_section, keys_of
from dms.errors import ConfigError, InvalidParameters


class Proposal(msgspec.Struct, frozen=True):
    """A change that somebody wants: the configuration it would come to, and the overrides then; which of them, key by
    key, would come and which would go. `touched` are the keys that were named, to be said (where at all) in one layer.
    """

    loaded: Loaded
    persistent: Sequence[Override]
    volatile: Sequence[Override]
    author: str
    reason: str
    touched: Sequence[KeyPath] = ()
    into: LayerName = LayerName.OVERRIDE
    came: Sequence[Override] = ()
    went: Sequence[Override] = ()


def path_of(key: str) -> tuple[str, ...]:
    """The path of a key that is to be changed. InvalidParameters where it can't be one."""
    path = key_path(key)
    if not all(path) or len(path) > DEEPEST:
        raise InvalidParameters(f"{shown(key)} is not a key such as scheduler.max_running_tasks", (key,))
    return tuple(map(str, path))


def refuse_too_deep(path: tuple[str, ...], value: Any) -> None:
    """InvalidParameters where a value nests deeper than a file could."""
    if is_too_deep(value):
        raise InvalidParameters(f"{key_text(path)}: {TOO_DEEP}. Nothing was changed", (key_text(path),))


def refuse_worse(old: Loaded, new: Loaded) -> None:
    """InvalidParameters, naming the keys, where something is wrong with the new one that was not with the old one."""
    worse = new_findings(old.findings, new.findings)
    if worse:
        lines = "\n".join(f"{finding.key}: {finding.message}" for finding in worse)
        end = "" if lines.endswith((".", "?")) else "."
        raise InvalidParameters(f"{lines}{end} Nothing was changed", tuple(finding.key for finding in worse))


def refuse_worse_files(old: Loaded, new: Loaded) -> None:
    """ConfigError where that is so of what was read from files. Of one that can't be read now it is said that it can't,
    and not what was wrong with it when it could be."""
    worse = new_findings(old.findings, new.findings)
    if not worse:
        return _refuse_emptied(old, new)
    lines = tuple(map(str, [each for each in worse if each.code in WHOLE_FILE] or worse))
    raise ConfigError("\n".join(lines), lines)


def _refuse_emptied(old: Loaded, new: Loaded) -> None:
    """A file that is gone, or empty, is in the middle of being written more often than it is meant so. Only a drop-in
    that is gone was taken out."""
    empty = {layer.source for layer in new.layers if layer.name is LayerName.DROP_IN and not layer.values}
    for layer in old.layers:
        if layer.name is LayerName.DROP_IN and layer.values and layer.source in empty:
            line = f"{layer.source} is empty; the node goes on with what it said. To mean it, remove the file"
            raise ConfigError(line, (line,))
    said = [layer for layer in old.layers if layer.name is LayerName.FILE and layer.values]
    says = [layer for layer in new.layers if layer.name is LayerName.FILE and layer.values]
    if said and not says:
        line = f"{old.file} is empty or gone; the node goes on with what it said. To mean it, restart the node"
        raise ConfigError(line, (line,))


def defaults_of(loaded: Loaded, wanted: Sequence[tuple[str, ...]]) -> dict[tuple[str, ...], Any]:
    """The defaults, as plain values, of the keys that are, or lie in, what is wanted (nothing: everything).
    InvalidParameters where there is nothing to restore."""
    every = {
        (name, key.name): plain(value_at(loaded.layers[0].values, (name, key.name)))
        for name, kind in loaded.sections.items()
        if is_section(kind)
        for key in keys_of(kind).values()
        if not key.setting.place and not key.setting.early
    }
    for path in wanted:
        if not any(key[: len(path)] == path for key in every):
            what = unknown(loaded, path) or f"{key_text(path)}: there is no default that could be restored."
            raise InvalidParameters(f"{what} Nothing was changed", (key_text(path),))
    return {key: value for key, value in every.items() if not wanted or any(key[: len(p)] == p for p in wanted)}
