"""Questions about a loaded configuration: what a key is, and why."""

from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from dms.config.config import plain
from dms.config.document import KeyPath
from dms.config.finding import key_path, key_text
from dms.config.layer import ABSENT, Layer, LayerName, value_at
from dms.config.reading import Loaded
from dms.config.setting import is_section, key_at, keys_of, section_of_map
from dms.errors import NotFound, did_you_mean

_FEW = 12
"""So many keys are listed where none is near the one that was asked for."""


class LayerValue(msgspec.Struct, frozen=True):
    """What one layer says of a key: the value, where it stands, and whether it is in force."""

    layer: LayerName
    value: Any
    place: str
    in_force: bool


class Explanation(msgspec.Struct, frozen=True):
    """A key's value, each layer's (the highest first), and what the key is; empty texts for a whole section."""

    key: str
    value: Any
    layers: list[LayerValue]
    summary: str
    why: str
    unit: str
    example: str
    applies: str
    scope: str


def get(loaded: Loaded, key: str | None) -> dict[str, Any]:
    """A key, a section or (None) everything, as plain values: `key`, `value`, `origin` (the layer; `several`
    where more than one adds to it) and `place`; for a section also `origins`, by key. NotFound where there is no such
    key.
    """
    path = () if key is None else key_path(key)
    value = _value(loaded, path)
    if not isinstance(value, dict) or not value:
        origin = loaded.merged.origin(path)
        return {"key": key, "value": value, "origin": origin.layer.value, "place": str(origin)}
    origins = {".".join(leaf): loaded.merged.origin(path + leaf).layer.value for leaf in _leaves(value)}
    layers = set(origins.values())
    return {"key": key, "value": value, "origin": layers.pop() if len(layers) == 1 else "several", "origins": origins}


def explain(loaded: Loaded, key: str) -> Explanation:
    """Every layer's value of a key and which is in force. NotFound where there is no such key."""
    path = key_path(key)
    value = _value(loaded, path)
    in_force = loaded.merged.layer_of(path)
    said = [_said(layer, path, layer is in_force) for layer in reversed(loaded.layers)]
    layers = [one for one in said if one is not None]
    known = key_at(loaded.sections, path)
    if known is None:
        return Explanation(key, value, layers, "", "", "", "", "", "")
    if not layers or layers[-1].layer is not LayerName.DEFAULT:
        default = plain(known.setting.default_on(loaded.machine))
        layers.append(LayerValue(LayerName.DEFAULT, default, LayerName.DEFAULT, not layers))
    setting = known.setting
    return Explanation(
        key, value, layers, setting.summary, setting.why, setting.unit, setting.example, setting.applies, setting.scope
    )


def _said(layer: Layer, path: KeyPath, in_force: bool) -> LayerValue | None:
    value = value_at(layer.values, path)
    if value is ABSENT:
        return None
    return LayerValue(layer.name, plain(value), str(layer.origin(path)), in_force)


def _value(loaded: Loaded, path: KeyPath) -> Any:
    value: Any = plain(loaded.config)
    for depth, part in enumerate(path):
        if not isinstance(value, dict) or part not in value:
            known = value if isinstance(value, dict) else ()
            inside = f" in {'.'.join(map(str, path[:depth]))}" if depth else ""
            hint = did_you_mean(str(part), known) or _those_there_are(known)
            raise NotFound(f"{'.'.join(map(str, path))}: no key {part}{inside}.{hint}")
        value = value[part]
    return value


def unknown(loaded: Loaded, path: KeyPath) -> str:
    """What is wrong with a key of which neither the schema nor the configuration knows; empty where one does."""
    kind: Any = loaded.sections
    for depth, part in enumerate(path):
        if isinstance(kind, Mapping):
            known: Mapping[Any, Any] = kind
        elif section_of_map(kind) is not None:
            known = dict.fromkeys(value_at(loaded.merged.values, path[:depth]), section_of_map(kind))
        elif is_section(kind):
            known = {name: key.type for name, key in keys_of(kind).items()}
        else:
            return ""
        if part not in known:
            return f"{key_text(path)}: unknown key.{did_you_mean(str(part), known) or _those_there_are(known)}"
        kind = known[part]
    return ""


def _those_there_are(known: Collection[str]) -> str:
    return f" There are: {', '.join(known)}." if 0 < len(known) <= _FEW else ""


def _leaves(value: dict[str, Any]) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for name, inner in value.items():
        nested = _leaves(inner) if isinstance(inner, dict) and inner else [()]
        found += [(name, *rest) for rest in nested]
    return found
