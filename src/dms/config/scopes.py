"""Which scopes a change of the configuration needs: each key names its own. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from dms.config.config import Sections
from dms.config.document import KeyPath
from dms.config.finding import key_text
from dms.config.layer import Layer, value_at
from dms.config.setting import is_section, key_at, keys_of, section_of_map

_USUAL = "config:write"


def scopes_of(sections: Sections, path: KeyPath, value: Any) -> dict[str, str]:
    """The scope that each key needs which is said by a value at a path; a part of a free map needs that of the map.

    >>> from dms.config.config import BUILT_IN
    >>> scopes_of(BUILT_IN, ("tasks", "backup"), {"run": ["true"], "every": "5m"})
    {'tasks.backup.run': 'exec:run', 'tasks.backup.every': 'config:write'}
    """
    return {key_text(key): scope for key, scope in _scopes(sections, path, value)}


def scopes_of_removal(sections: Sections, path: KeyPath, layers: tuple[Layer, ...]) -> dict[str, str]:
    """The scope that each key needs of which an override at a path, or below it, goes: as many as saying it did."""
    needed: dict[str, str] = {}
    for layer in layers:
        if layer.name.is_override:
            needed |= scopes_of(sections, path, value_at(layer.values, path))
    return needed


def _scopes(sections: Sections, path: KeyPath, value: Any) -> Iterator[tuple[KeyPath, str]]:
    known = key_at(sections, path)
    if known is not None and not is_section(known.type):
        yield path, known.setting.scope
    elif isinstance(value, Mapping) and value and _has_parts(sections, path):
        for name, inner in value.items():
            yield from _scopes(sections, (*path, name), inner)
    else:
        yield path, _USUAL


def _has_parts(sections: Sections, path: KeyPath) -> bool:
    """Whether what stands at a path is a section, a map of sections, or an entry of one."""
    kind: Any = sections.get(str(path[0]))
    for part in path[1:]:
        inner = section_of_map(kind)
        if inner is not None:
            kind = inner
        elif is_section(kind) and str(part) in keys_of(kind):
            kind = keys_of(kind)[str(part)].type
        else:
            return False
    return is_section(kind) or section_of_map(kind) is not None
