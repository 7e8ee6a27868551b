"""The immutable snapshot: reading a value is a plain attribute."""

from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from dms.config.calendar_declaration import CalendarDeclaration
from dms.config.layer import ABSENT
from dms.config.schema import (
    GeneralSection,
    ObservabilitySection,
    RestSection,
    SchedulerSection,
    ShutdownSection,
    WebSocketSection,
)
from dms.config.setting import Machine, Section, is_section, keys_of, section_of_map
from dms.config.task_declaration import TaskDeclaration
from dms.instant import duration_text

Sections = Mapping[str, Any]
"""Sections by name: a Section class, or `dict[str, Section]` for a map of many by name."""

Values = Mapping[str, Any]


class Config(msgspec.Struct, frozen=True):
    """The effective configuration, one attribute a section; sections that others bring are attributes too."""

    general: GeneralSection
    scheduler: SchedulerSection
    rest: RestSection
    websocket: WebSocketSection
    observability: ObservabilitySection
    shutdown: ShutdownSection
    calendars: dict[str, CalendarDeclaration]
    tasks: dict[str, TaskDeclaration]


BUILT_IN: Sections = {
    "general": GeneralSection,
    "scheduler": SchedulerSection,
    "rest": RestSection,
    "websocket": WebSocketSection,
    "observability": ObservabilitySection,
    "shutdown": ShutdownSection,
    "calendars": dict[str, CalendarDeclaration],
    "tasks": dict[str, TaskDeclaration],
}
"""The sections that every node has."""


def default_values(sections: Sections, machine: Machine) -> dict[str, Any]:
    """What the schema says where nobody says anything."""
    return {
        name: {key.name: key.setting.default_on(machine) for key in keys_of(kind).values()} if is_section(kind) else {}
        for name, kind in sections.items()
    }


def build_config(values: Mapping[str, Any], sections: Sections, machine: Machine) -> Config:
    """The snapshot of values that were checked before."""
    built = {name: _build(kind, values.get(name, {}), machine) for name, kind in sections.items()}
    return _class_for(sections)(**built)


def rebuild_config(old: Config, known: Values, values: Values, sections: Sections, machine: Machine) -> Config:
    """The snapshot of values, where `old` is that of the known ones: what is the same object in both is shared."""
    built = {
        name: _rebuilt(kind, getattr(old, name), known.get(name, {}), values.get(name, {}), machine)
        for name, kind in sections.items()
        if values.get(name) is not known.get(name)
    }
    return msgspec.structs.replace(old, **built)


def _rebuilt(kind: Any, old: Any, known: Values, values: Values, machine: Machine) -> Any:
    inner = section_of_map(kind)
    if inner is None:
        if values.keys() != known.keys():
            return build_section(kind, values, machine)
        changed = {name: value for name, value in values.items() if value is not known[name]}
        keys = keys_of(kind)
        return msgspec.structs.replace(
            old, **{name: _build(keys[name].type, changed[name], machine) for name in changed}
        )
    return {
        name: old[name] if known.get(name) is fields else build_section(inner, fields, machine)
        for name, fields in values.items()
    }


def build_section(kind: type[Section], values: Mapping[str, Any], machine: Machine) -> Section:
    """A section of checked values; what they leave out takes its default."""
    fields = {}
    for key in keys_of(kind).values():
        value = values.get(key.name)
        if value is None and key.name not in values:
            value = key.setting.default_on(machine)
        fields[key.name] = _build(key.type, value, machine) if key.nested else value
    return kind(**fields)


def plain(value: Any) -> Any:
    """A value as JSON can carry it, spelt as in the configuration."""
    if type(value) in _PLAIN:
        return value
    match value:
        case timedelta():
            return duration_text(value)
        case Path():
            return _path_text(value)
        case Section():
            return {name: plain(getattr(value, name)) for name in value.__struct_fields__}
        case Config():
            return {name: plain(getattr(value, name)) for name in value.__struct_fields__}
        case dict():
            return {name: plain(inner) for name, inner in value.items()}
        case list() | tuple():
            return [plain(inner) for inner in value]
    return value


_PLAIN = frozenset({str, int, float, bool, type(None)})


def plain_again(old: Any, known: Any, value: Any) -> Any:
    """A value as `plain` gives it, where `old` is what it gave for the known one: what is the same object in both is
    shared."""
    if value is known:
        return old
    if isinstance(value, dict) and isinstance(known, dict):
        return {
            name: old[name] if known.get(name, ABSENT) is inner else plain_again(old.get(name), known.get(name), inner)
            for name, inner in value.items()
        }
    return plain(value)


def _path_text(path: Path) -> str:
    """Bytes of a file's name that are no text, and that JSON can't carry, are written as escapes."""
    text = str(path)
    return text if text.isascii() else text.encode(errors="backslashreplace").decode()


def _build(kind: Any, value: Any, machine: Machine) -> Any:
    if is_section(kind) and isinstance(value, Mapping):
        return build_section(kind, value, machine)
    inner = section_of_map(kind)
    if inner is not None:
        return {name: build_section(inner, fields, machine) for name, fields in value.items()}
    return value


def _class_for(sections: Sections) -> type[Config]:
    """Config, or for a node with further sections a subclass with an attribute for each."""
    further = tuple((name, kind) for name, kind in sections.items() if name not in BUILT_IN)
    return _class_with(further) if further else Config


@cache
def _class_with(further: tuple[tuple[str, Any], ...]) -> type[Config]:
    return msgspec.defstruct("Config", further, bases=(Config,), frozen=True)  # type: ignore[return-value]
