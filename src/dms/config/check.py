"""A layer against the schema: what is good of it, read as its types say, and a finding for the rest."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from dms.config.config import Sections, plain
from dms.config.document import TOO_DEEP, Flaw, KeyPath, is_too_deep
from dms.config.finding import ConfigFinding
from dms.config.layer import Layer, Origin
from dms.config.leaf import read_text, read_value, shown
from dms.config.setting import Key, Machine, Section, closed_values, is_section, keys_of, section_of_map
from dms.errors import InvalidInput, did_you_mean


class Checked(msgspec.Struct, frozen=True):
    """A layer with its good values only, the findings about the others, and the paths those are of."""

    layer: Layer
    findings: list[ConfigFinding]
    lost: list[KeyPath]


def check_layer(layer: Layer, sections: Sections, machine: Machine, flaws: list[Flaw] | None = None) -> Checked:
    """Each value on its own: a bad one is left out, so that the layer below counts for that key alone."""
    checker = _Checker(layer, machine)
    for flaw in flaws or []:
        checker.report_flaw(flaw)
    values = checker.sections(layer.values, sections)
    closed = {path: closed_values(sections, path) for path in checker.lost}
    for each in closed.values():
        for name, keys in each.items():
            values[name] = {**values.get(name, {}), **keys}
    findings = [_told_closed(finding, closed.get(finding.path)) for finding in checker.findings]
    return Checked(msgspec.structs.replace(layer, values=values), findings, checker.lost)


def _told_closed(finding: ConfigFinding, closed: Mapping[str, Mapping[str, Any]] | None) -> ConfigFinding:
    """The finding with what counts until it is mended, where that is not what a layer below says."""
    if not closed:
        return finding
    told = [f"{name}.{key}: {shown(plain(value))}" for name, keys in closed.items() for key, value in keys.items()]
    return msgspec.structs.replace(finding, message=f"{finding.message}. Until it is mended {', '.join(told)} counts")


class _Checker:
    def __init__(self, layer: Layer, machine: Machine) -> None:
        self.layer = layer
        self.machine = machine
        self.findings: list[ConfigFinding] = []
        self.lost: list[KeyPath] = []

    def report_flaw(self, flaw: Flaw) -> None:
        origin = Origin(self.layer.name, self.layer.source, flaw.line, flaw.column)
        self.findings.append(ConfigFinding(flaw.code, flaw.path, flaw.message, origin))
        self.lost.append(flaw.path)

    def sections(self, values: Mapping[str, Any], sections: Sections) -> dict[str, Any]:
        """The top level."""
        return self._each(values, (), sections, lambda name, value, path: self._kind(value, sections[name], path))

    def _each(
        self,
        values: Mapping[str, Any],
        path: KeyPath,
        known: Mapping[str, Any],
        read: Callable[[str, Any, KeyPath], Any],
    ) -> dict[str, Any]:
        """Read what is known of a map; nothing (null) and what is bad is left out, the unknown is reported."""
        good = {}
        for name, value in values.items():
            inner = (*path, name)
            if name not in known:
                self._unknown(inner, known)
                continue
            try:
                good[name] = read(name, value, inner)
            except _LeftOut:
                continue
            except InvalidInput as error:
                self._bad(inner, str(error))
        return good

    def _section(self, values: Mapping[str, Any], section: type[Section], path: KeyPath) -> dict[str, Any]:
        keys = keys_of(section)
        return self._each(values, path, keys, lambda name, value, inner: self._leaf(value, keys[name], inner))

    def _leaf(self, value: Any, key: Key, path: KeyPath) -> Any:
        if key.setting.early and self.layer.name.has_types:
            raise InvalidInput("is read before any file; set it in the environment or on the command line")
        if key.setting.place and self.layer.name.is_override:
            raise InvalidInput("says where the node lives; change it in the file or at the start, and restart the node")
        if value is None and key.optional:
            return None
        read = self._kind(value, key.type, path) if key.nested else self._value(value, key.type)
        if key.setting.check is not None:
            key.setting.check(read)
        return read

    def _kind(self, value: Any, kind: Any, path: KeyPath) -> Any:
        """A value by its type: a section, many sections by name, or a leaf."""
        inner = section_of_map(kind)
        if inner is None and not is_section(kind):
            return self._value(value, kind)
        if isinstance(value, str) and not self.layer.name.has_types:
            value = read_text(value, kind)
        if value is None:
            raise _LeftOut
        if not isinstance(value, Mapping):
            raise InvalidInput(f"{shown(value)} is not a map of settings")
        if inner is None:
            return self._section(value, kind, path)
        return self._each(value, path, value, lambda name, fields, at: self._entry(fields, inner, at))

    def _value(self, value: Any, kind: Any) -> Any:
        if isinstance(value, str) and not self.layer.name.has_types:
            value = read_text(value, kind)
        if is_too_deep(value):
            raise InvalidInput(TOO_DEEP)
        return read_value(value, kind, self.layer.folder, self.machine)

    def _entry(self, fields: Any, section: type[Section], path: KeyPath) -> dict[str, Any]:
        """One of many by name; one that says nothing is there all the same."""
        if fields is None:
            return {}
        read: dict[str, Any] = self._kind(fields, section, path)
        return read

    def _unknown(self, path: KeyPath, known: Mapping[str, Any]) -> None:
        name = str(path[-1])
        message = f"unknown key.{did_you_mean(name.lower(), known) or _dotted(name)}"
        self.findings.append(ConfigFinding("unknown_key", path, message, self._key_origin(path)))

    def _bad(self, path: KeyPath, message: str) -> None:
        self.findings.append(ConfigFinding("bad_value", path, message, self.layer.origin(path)))
        self.lost.append(path)

    def _key_origin(self, path: KeyPath) -> Origin:
        mark = self.layer.marks.get(path)
        if mark is None:
            return self.layer.origin(path)
        return Origin(self.layer.name, self.layer.source, mark.key_line, mark.key_column)


class _LeftOut(Exception):
    """A section of which nothing is said."""


def _dotted(name: str) -> str:
    """What to do about a key that was written as messages and `--set` tell it."""
    outer, dot, inner = name.partition(".")
    return f" A dot joins no keys in a file; write {outer}: {{{inner}: …}}" if dot and outer and inner else ""
