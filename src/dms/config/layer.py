"""Layers of settings, what they come to, and where each value comes from."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any

import msgspec

from dms.config.document import KeyPath, Mark


class LayerName(StrEnum):
    """The layers, the lowest first."""

    DEFAULT = "default"
    FILE = "main file"
    DROP_IN = "drop-in"
    ENVIRONMENT = "environment"
    OVERRIDE = "persistent override"
    ARGUMENTS = "command line"
    VOLATILE = "volatile override"

    @property
    def rank(self) -> int:
        """Its place among the layers: a greater one counts over a smaller one."""
        return _RANKS[self]

    @property
    def has_types(self) -> bool:
        """Whether its values have types of their own; the environment and the command line are texts."""
        return self not in (LayerName.ENVIRONMENT, LayerName.ARGUMENTS)

    @property
    def is_override(self) -> bool:
        """Whether it was set at run time."""
        return self in (LayerName.OVERRIDE, LayerName.VOLATILE)


_RANKS = {name: rank for rank, name in enumerate(LayerName)}


class Origin(msgspec.Struct, frozen=True):
    """Where a value comes from. `source` is a file, a variable or an argument; `line` and `column` are 0 where the
    source has none.

    >>> str(Origin(LayerName.FILE, "dms_config.yaml", 7, 23))
    'dms_config.yaml:7:23'
    """

    layer: LayerName
    source: str = ""
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.source}:{self.line}:{self.column}" if self.line else self.source or self.layer.value


class Layer(msgspec.Struct, frozen=True):
    """One layer's values. A file's have `marks`; in the environment and on the command line each key has a source of
    its own in `sources`. `folder` is what relative paths start from."""

    name: LayerName
    values: Mapping[str, Any]
    source: str = ""
    marks: Mapping[KeyPath, Mark] = {}
    sources: Mapping[KeyPath, str] = {}
    folder: str = ""

    def origin(self, path: KeyPath) -> Origin:
        """Where the value at `path` stands, or what it is a part of, or else the only part of it."""
        for known in _ancestors(path):
            if known in self.marks:
                mark = self.marks[known]
                return Origin(self.name, self.source, mark.line, mark.column)
            if known in self.sources:
                return Origin(self.name, self.sources[known])
        parts = {source for key, source in self.sources.items() if path and key[: len(path)] == path}
        return Origin(self.name, parts.pop() if len(parts) == 1 else self.source)


class Merged(msgspec.Struct, frozen=True):
    """What layers come to: the values, and from which layer each is."""

    values: Mapping[str, Any]
    layers: Sequence[Layer]

    def layer_of(self, path: KeyPath) -> Layer | None:
        """The highest layer that says something at `path`; None where none does."""
        for layer in reversed(self.layers):
            if value_at(layer.values, path) is not ABSENT:
                return layer
        return None

    def origin(self, path: KeyPath) -> Origin:
        """Where the value in force at `path` comes from; the default where no layer says it."""
        layer = self.layer_of(path)
        return Origin(LayerName.DEFAULT) if layer is None else layer.origin(path)


ABSENT: Any = msgspec.UNSET
"""Stands for a value that is not there."""


def merge(layers: Sequence[Layer]) -> Merged:
    """The layers, lowest first, laid over each other: maps merge key by key, everything else (lists too) is replaced
    by the higher layer's.

    >>> low = Layer(LayerName.DEFAULT, {"a": {"x": 1, "y": [1, 2]}})
    >>> high = Layer(LayerName.FILE, {"a": {"y": []}})
    >>> merge([low, high]).values
    {'a': {'x': 1, 'y': []}}
    """
    values: dict[str, Any] = {}
    for layer in layers:
        values = _laid_over(values, layer.values)
    return Merged(values, tuple(layers))


def merge_again(before: Merged, layers: Sequence[Layer], names: Collection[str]) -> Merged:
    """What layers come to that differ from those before at these top-level names only; all else is shared.

    >>> low = Layer(LayerName.DEFAULT, {"a": {"x": 1}, "b": {"y": 2}})
    >>> merge_again(merge([low]), [low, Layer(LayerName.FILE, {"a": {"x": 3}})], ["a"]).values
    {'a': {'x': 3}, 'b': {'y': 2}}
    """
    values = dict(before.values)
    for name in names:
        value = _merged_at(layers, name)
        if value is ABSENT:
            values.pop(name, None)
        else:
            values[name] = value
    return Merged(values, tuple(layers))


def _merged_at(layers: Sequence[Layer], name: str) -> Any:
    merged = ABSENT
    for layer in layers:
        value = layer.values.get(name, ABSENT)
        if isinstance(merged, dict) and isinstance(value, dict):
            merged = _laid_over(merged, value)
        elif value is not ABSENT:
            merged = value
    return merged


def _laid_over(low: dict[str, Any], high: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(low)
    for key, value in high.items():
        below = merged.get(key)
        merged[key] = _laid_over(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged


def value_at(values: Any, path: KeyPath) -> Any:
    """The value at a path in nested maps and lists, or ABSENT."""
    for part in path:
        held = part in values if isinstance(values, dict) else _has_index(values, part)
        if not held:
            return ABSENT
        values = values[part]
    return values


def leaves(value: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    """The paths of the values in nested maps; none where there is nothing."""
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from leaves(inner, (*path, name))
    elif value is not ABSENT:
        yield path


def is_same(one: Any, other: Any) -> bool:
    """Whether two plain values are the same, which 1, 1.0 and true are not to whoever gets them as an argument."""
    if one is other or one != other:
        return one is other
    return type(one) is type(other) and (type(one) in _PLAIN or _text(one) == _text(other))


_PLAIN = (str, int, bool, float)


def _text(value: Any) -> bytes:
    return msgspec.json.encode(value, order="sorted")


def _has_index(values: Any, part: str | int) -> bool:
    return isinstance(values, list) and isinstance(part, int) and part < len(values)


def _ancestors(path: KeyPath) -> Iterator[KeyPath]:
    """The path itself, then ever shorter ones, down to a single key."""
    for length in range(len(path), 0, -1):
        yield path[:length]
