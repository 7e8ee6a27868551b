"""What a setting is, stands beside the setting: the check, the reference page and `explain` are made from it."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from enum import StrEnum
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec


class Applies(StrEnum):
    """When a changed value takes effect."""

    LIVE = "live"
    NEXT_RUN = "next_run"
    RESTART = "restart"


class Machine(msgspec.Struct, frozen=True):
    """What defaults may depend on. `timezone` is the host's IANA name, empty where the host doesn't tell. `data_dir`
    is the usual data folder here, or what a layer above the defaults says."""

    cores: int
    home: str
    root: bool
    timezone: str
    data_dir: str

    @property
    def usual_data_dir(self) -> str:
        """The data folder where nobody says another one."""
        return "/var/lib/dms" if self.root else f"{self.home.rstrip('/')}/.dms"


class Setting(msgspec.Struct, frozen=True):
    """A key as people see it: what it is for, its default and why, and who may change it when.

    `default` is a value, or a function of the machine. A `place` key says where the node lives: a bad value refuses
    the start. An `early` key is read before any file and can't be set in one. `check` gets a value of the right type
    and raises InvalidInput with what is wrong with it. A `closed` value is what counts where the value that a layer
    says is bad: never what a layer below says, which may be wider.
    """

    summary: str
    default: Any = None
    why: str = ""
    unit: str = ""
    example: str = ""
    applies: Applies = Applies.RESTART
    scope: str = "config:write"
    place: bool = False
    early: bool = False
    closed: Any = msgspec.UNSET
    check: Callable[[Any], None] | None = None

    def default_on(self, machine: Machine) -> Any:
        """The default on a machine."""
        if isinstance(self.default, list):
            return [*self.default]
        return self.default(machine) if callable(self.default) else self.default


class Section(msgspec.Struct, frozen=True):
    """A group of keys; each field is `Annotated[type, Setting(…)]`."""


class Key(msgspec.Struct, frozen=True):
    """A field of a section: its name, its type without None, whether None is allowed, its Setting, and whether it holds
    keys of its own: a section, or a map of many."""

    name: str
    type: Any
    optional: bool
    setting: Setting
    nested: bool


@cache
def keys_of(section: type[Section]) -> dict[str, Key]:
    """The keys of a section by name, in the order in which they are declared."""
    hints = get_type_hints(section, include_extras=True)
    return {name: _key(name, hints[name]) for name in section.__struct_fields__}


def _key(name: str, hint: Any) -> Key:
    bare, *extras = get_args(hint)
    setting = next(extra for extra in extras if isinstance(extra, Setting))
    options = get_args(bare) if get_origin(bare) in (Union, UnionType) else (bare,)
    kept = [option for option in options if option is not NoneType]
    bounds = [extra for extra in extras if isinstance(extra, msgspec.Meta)]
    kind = kept[0] if len(kept) == 1 else bare
    nested = is_section(kind) or section_of_map(kind) is not None
    return Key(name, Annotated[kind, *bounds] if bounds else kind, len(kept) < len(options), setting, nested)


def is_section(kind: Any) -> bool:
    """Whether a key's type is a group of keys."""
    return isinstance(kind, type) and issubclass(kind, Section)


@cache
def section_of_map(kind: Any) -> type[Section] | None:
    """The section of which a map holds many by name, such as the tasks; else None."""
    arguments = get_args(kind)
    return arguments[1] if get_origin(kind) is dict and is_section(arguments[1]) else None


def key_at(sections: Mapping[str, Any], path: Sequence[str | int]) -> Key | None:
    """The declaration of the key at a path, or of the key whose value the path leads into; None for a whole section
    and for an entry of a map."""
    kind: Any = sections.get(str(path[0])) if path else None
    found: Key | None = None
    for part in path[1:]:
        inner = section_of_map(kind)
        if inner is not None:
            kind, found = inner, None
        elif is_section(kind):
            found = keys_of(kind).get(str(part))
            kind = None if found is None else found.type
    return found


def closed_values(sections: Mapping[str, Any], lost: Sequence[str | int]) -> dict[str, dict[str, Any]]:
    """What counts by section and key where something bad stands at a path. Of a whole section or file that is lost
    only those keys close whose default is closed: it need not have said anything of the others."""
    return {
        name: closed
        for name, kind in sections.items()
        if is_section(kind) and (closed := _closed_in(name, kind, tuple(lost)))
    }


def _closed_in(section: str, kind: type[Section], lost: tuple[str | int, ...]) -> dict[str, Any]:
    return {
        key.name: key.setting.closed
        for key in keys_of(kind).values()
        if key.setting.closed is not msgspec.UNSET
        and (lost[:2] == (section, key.name) or (_holds(lost, section) and key.setting.closed == key.setting.default))
    }


def _holds(lost: tuple[str | int, ...], section: str) -> bool:
    return lost in ((), (section,))


def expectation(kind: Any) -> str:
    """What a type takes, in words.

    >>> expectation(Annotated[int, msgspec.Meta(ge=1, le=9)])
    'a whole number from 1 to 9'
    >>> expectation(list[str])
    'a list of text'
    >>> expectation(int | str)
    'a whole number or text'
    """
    if get_origin(kind) is Annotated:
        return f"{expectation(get_args(kind)[0])}{_bounds(get_args(kind)[1])}"
    if get_origin(kind) in (Union, UnionType):
        return " or ".join(expectation(option) for option in get_args(kind) if option is not NoneType)
    if get_origin(kind) is Literal:
        return f"one of {', '.join(get_args(kind))}"
    if get_origin(kind) is list:
        return "a list" if get_args(kind)[0] is Any else f"a list of {_plural(get_args(kind)[0])}"
    if get_origin(kind) is dict:
        return "a map" if get_args(kind)[1] is Any else f"a map of names to {_plural(get_args(kind)[1])}"
    return "a map of settings" if is_section(kind) else _WORDS.get(kind, "a value")


_WORDS: dict[Any, str] = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    Path: "a path",
    timedelta: "a length of time such as 30s, 5m, 1h30m or 2d",
}


def _plural(kind: Any) -> str:
    return {str: "text", Path: "paths"}.get(kind, "settings")


def _bounds(meta: msgspec.Meta) -> str:
    if meta.ge is not None and meta.le is not None:
        return f" from {meta.ge} to {meta.le}"
    if meta.ge is not None:
        return f" of {meta.ge} or more"
    return f" of at most {meta.le}" if meta.le is not None else ""
