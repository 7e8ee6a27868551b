"""Overrides: what was set at run time, over the files and the environment. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from dms.config.document import KeyPath
from dms.config.layer import Layer, LayerName, is_same, value_at


class Override(msgspec.Struct, frozen=True):
    """A value that somebody set: the key's path, the value as it was given (plain JSON), the revision with which it
    came, who set it, and when (wall microseconds)."""

    path: tuple[str, ...]
    value: Any
    revision: int
    author: str
    at: int


def override_layer(name: LayerName, overrides: Iterable[Override]) -> Layer:
    """The overrides as a layer; one of a part stands over one of the whole. Relative paths have no place to start from.

    >>> whole = Override(("tasks", "backup"), {"every": "5m"}, 3, "ana", 0)
    >>> part = Override(("tasks", "backup", "enabled"), False, 4, "ana", 0)
    >>> override_layer(LayerName.OVERRIDE, [part, whole]).values
    {'tasks': {'backup': {'every': '5m', 'enabled': False}}}
    """
    values: dict[str, Any] = {}
    sources: dict[KeyPath, str] = {}
    for override in sorted(overrides, key=lambda each: len(each.path)):
        _put(values, override.path, override.value)
        sources[override.path] = f"{override.author}, revision {override.revision}"
    return Layer(name, values, name.value, sources=sources)


def with_override(overrides: Sequence[Override], new: Override) -> list[Override]:
    """The overrides with a further one, which takes the place of what was said of its key and of its parts."""
    return [*without_override(overrides, new.path), new]


def without_override(overrides: Sequence[Override], path: tuple[str, ...]) -> list[Override]:
    """The overrides without those of a key and of its parts. Where the key is a part of what was set as a whole, it is
    taken out of that."""
    kept = [override for override in overrides if override.path[: len(path)] != path]
    return [_without_part(override, path) for override in kept]


def said(overrides: Sequence[Override], path: tuple[str, ...]) -> Any:
    """What the overrides say at a path, ABSENT where they say nothing."""
    return value_at(override_layer(LayerName.OVERRIDE, overrides).values, path)


def moved(before: Sequence[Override], after: Sequence[Override]) -> tuple[list[Override], list[Override]]:
    """What comes, and what goes, where one set of overrides takes the place of another: each key as an override of its
    own, so that a part that stays is not told with what changes beside it. Who said what is the same is no matter.

    >>> whole = Override(("tasks", "backup"), {"run": ["true"], "every": "5m"}, 3, "ana", 0)
    >>> came, went = moved([whole], without_override([whole], ("tasks", "backup", "every")))
    >>> came, [each.path for each in went]
    ([], [('tasks', 'backup', 'every')])
    """
    if before is after:
        return [], []
    stays = {id(override) for override in before} & {id(override) for override in after}
    old = _by_key(override for override in before if id(override) not in stays)
    new = _by_key(override for override in after if id(override) not in stays)
    return _not_in(new, old), _not_in(old, new)


def _not_in(some: Mapping[KeyPath, Override], others: Mapping[KeyPath, Override]) -> list[Override]:
    return [each for path, each in some.items() if path not in others or not is_same(others[path].value, each.value)]


def _by_key(overrides: Iterable[Override]) -> dict[KeyPath, Override]:
    return {each.path: each for override in overrides for each in _split(override)}


def _split(override: Override) -> Iterator[Override]:
    if not isinstance(override.value, Mapping) or not override.value:
        yield override
        return
    for name, value in override.value.items():
        yield from _split(msgspec.structs.replace(override, path=(*override.path, name), value=value))


def _without_part(override: Override, path: tuple[str, ...]) -> Override:
    if path[: len(override.path)] != override.path:
        return override
    return msgspec.structs.replace(override, value=_pruned(override.value, path[len(override.path) :]))


def _pruned(value: Any, path: tuple[str, ...]) -> Any:
    if not isinstance(value, Mapping) or path[0] not in value:
        return value
    if len(path) == 1:
        return {name: inner for name, inner in value.items() if name != path[0]}
    return {**value, path[0]: _pruned(value[path[0]], path[1:])}


def _put(values: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    for part in path[:-1]:
        inner = values.get(part)
        values[part] = values = dict(inner) if isinstance(inner, Mapping) else {}
    values[path[-1]] = value
