"""One pass over the layers, from the outermost, which say where to look, to the file and the defaults."""

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from dms.config.cache import Readings
from dms.config.check import Checked, check_layer
from dms.config.config import (
    Config,
    Sections,
    build_config,
    default_values,
    plain,
    plain_again,
    rebuild_config,
)
from dms.config.document import Document, KeyPath
from dms.config.file import FILENAME, drop_ins, find_config, read_bytes, read_document
from dms.config.finding import ConfigFinding
from dms.config.layer import ABSENT, Layer, LayerName, Merged, Origin, merge, merge_again, value_at
from dms.config.outside import arguments_layer, environment_layer
from dms.config.overrides import Override, override_layer
from dms.config.setting import Machine, Setting, closed_values, is_section, keys_of
from dms.errors import ConfigError, Malformed

SYSTEM_FOLDER = "/etc/dms"
_DATA_DIR: KeyPath = ("general", "data_dir")
_USER_DIR: KeyPath = ("general", "user_dir")


class Loaded(msgspec.Struct, frozen=True):
    """A configuration, and how it came about: its layers (lowest first, good values only), what they come to, that as
    plain values (`effective`), the findings, the main file where there is one, and what the defaults depended on."""

    config: Config
    layers: tuple[Layer, ...]
    merged: Merged
    effective: Mapping[str, Any]
    findings: list[ConfigFinding]
    file: Path | None
    sections: Sections
    machine: Machine

    def finding(self, code: str, path: KeyPath, message: str, offset: int = 0) -> ConfigFinding:
        """A further finding about the value at `path`, with its place; `offset` is where in its text the fault lies."""
        layer = self.merged.layer_of(path) or self.merged.layer_of(path[:-1])
        origin = Origin(LayerName.DEFAULT) if layer is None else layer.origin(path)
        mark = None if layer is None else layer.marks.get(path)
        if offset and mark is not None and mark.text_column:
            origin = msgspec.structs.replace(origin, column=mark.text_column + offset)
        return ConfigFinding(code, path, message, origin)


Check = Callable[[Loaded], Sequence[ConfigFinding]]
"""A further look at a configuration by a room that knows more, such as what cron expressions can be."""


def refusal(findings: Sequence[ConfigFinding]) -> ConfigError:
    """The findings as the error that refuses a start."""
    lines = tuple(str(finding) for finding in findings)
    return ConfigError("\n".join(lines), lines)


class Reading:
    """Collects layers and findings; `read_outside` comes first, then `read_file`, then `result`. `at_any_place` reads
    for somebody who only wants to know what is wrong: no start is refused then."""

    def __init__(self, sections: Sections, machine: Machine, folder: str, *, at_any_place: bool = False) -> None:
        self.sections = sections
        self.machine = machine
        self.folder = folder
        self.at_any_place = at_any_place
        self.outside: list[Layer] = []
        self.files: list[Layer] = []
        self.file: Path | None = None
        self.readings: Readings | None = None
        self.findings: list[ConfigFinding] = []
        self.place_lost: list[tuple[LayerName, KeyPath, ConfigFinding]] = []

    def read_outside(self, environ: Mapping[str, str], arguments: Sequence[str]) -> None:
        """The environment, then the command line."""
        for layer, findings in (environment_layer(environ, self.folder), arguments_layer(arguments, self.folder)):
            self.findings += findings
            self.outside.append(self._take(check_layer(layer, self.sections, self.machine)))

    def read_file(self, named: Path | None, cached: bool) -> None:
        """The main file: the one named, or the first found; then the drop-ins beside it. None of them is fine. With
        `cached` their readings are remembered, and the last good one counts where a file can't be read now."""
        self.file = named or self._found()
        if self.file is None:
            return
        if cached:
            self.readings = Readings(Path(str(_value(self.outside, _DATA_DIR) or self.machine.data_dir)))
        self._read(LayerName.FILE, self.file, named is not None)
        for path in drop_ins(self.file):
            self._read(LayerName.DROP_IN, path, named=False)
        if self.readings is not None:
            self.readings.keep()

    def _read(self, name: LayerName, path: Path, named: bool) -> None:
        document = self._document(name, path, named)
        if document is None:
            self.files.append(Layer(name, closed_values(self.sections, ()), str(path)))
        else:
            folder = os.path.dirname(os.path.abspath(path))
            layer = Layer(name, document.values, str(path), document.marks, folder=folder)
            self.files.append(self._take(check_layer(layer, self.sections, self.machine, document.flaws)))

    def result(self) -> Loaded:
        """Everything laid over each other. ConfigError where the node's place is at stake."""
        above = [*self.files, *self.outside]
        refused = [lost[2] for lost in self.place_lost if not _said_above(above, lost[0], lost[1])]
        if refused and not self.at_any_place:
            raise refusal(list(dict.fromkeys(refused)))
        data_dir = _value(above, _DATA_DIR)
        machine = self.machine if data_dir is None else msgspec.structs.replace(self.machine, data_dir=str(data_dir))
        return compose(above, self.findings, self.file, self.sections, machine)

    def _take(self, checked: Checked) -> Layer:
        self.findings += checked.findings
        name = checked.layer.name
        for finding in checked.findings:
            if finding.path in checked.lost:
                self.place_lost += [(name, key, finding) for key in self._places_in(finding.path, name)]
        return checked.layer

    def _places_in(self, lost: KeyPath, layer: LayerName) -> list[KeyPath]:
        """The keys that say where the node lives which are, or lie in, what was lost."""
        return [
            key
            for key, setting in _settings(self.sections)
            if setting.place and key[: len(lost)] == lost[: len(key)] and not (setting.early and layer.has_types)
        ]

    def _found(self) -> Path | None:
        """The first file on the search path; as root, none in the working directory that is somebody else's."""
        paths = folders_to_search(self.outside, self.machine, self.folder)
        found = find_config(paths, FILENAME)
        here = os.path.realpath(self.folder)
        if found is None or not self.machine.root or os.path.realpath(found.parent) != here:
            return found
        strangers = {found.lstat().st_uid, found.stat().st_uid} - {os.geteuid()}
        if not strangers:
            return found
        message = (
            f"not read: it lies in the working directory and belongs to user {strangers.pop()}; "
            "name it with --config if you trust it"
        )
        self.findings.append(ConfigFinding("untrusted_file", (), message, Origin(LayerName.FILE, str(found))))
        return find_config([path for path in paths if os.path.realpath(path) != here], FILENAME)

    def _document(self, name: LayerName, path: Path, named: bool) -> Document | None:
        """What the file says; where it can't be read a finding, and what it said before, or None."""
        content, last = b"", None
        try:
            content = read_bytes(path)
            return self._parsed(content, path)
        except Malformed as error:
            last = None if self.readings is None else self.readings.last(path)
            counts = "nothing of this file" if last is None else "what it said when it could last be read"
            message = f"{error}; {counts} counts until it is mended"
            finding = ConfigFinding("malformed", (), message, Origin(name, str(path), error.line, error.column))
            place_lost = last is None and (b"data_dir" in content or not content)
        except OSError as error:
            reason = error.strerror or str(error)
            if named and isinstance(error, (FileNotFoundError, NotADirectoryError)):
                raise ConfigError(f"{path}: no such file; name one that exists") from None
            finding = ConfigFinding("unreadable", (), f"can't be read: {reason}", Origin(name, str(path)))
            place_lost = True
        self.findings.append(finding)
        if place_lost and not self.at_any_place and _value(self.outside, _DATA_DIR) is None:
            raise _place_unknown(finding)
        return last

    def _parsed(self, content: bytes, path: Path) -> Document:
        known = None if self.readings is None else self.readings.recall(path, content)
        document = read_document(content, path) if known is None else known
        if known is None and self.readings is not None:
            self.readings.remember(path, content, document)
        return document


def compose(
    layers: Sequence[Layer], findings: Sequence[ConfigFinding], file: Path | None, sections: Sections, machine: Machine
) -> Loaded:
    """Checked layers over the defaults, in the order of their ranks."""
    every = (Layer(LayerName.DEFAULT, default_values(sections, machine)), *_ranked(layers))
    merged = merge(every)
    config = build_config(merged.values, sections, machine)
    known = [*findings, *_timezone_finding(merged, machine)]
    return Loaded(config, every, merged, plain(merged.values), known, file, sections, machine)


def with_overrides(
    loaded: Loaded, persistent: Sequence[Override], volatile: Sequence[Override], names: Collection[str] | None = None
) -> Loaded:
    """A configuration with these overrides in the place of those that it has. Where they differ in the sections `names`
    only, no other section is looked at, and all that stays is shared."""
    if names is None:
        paths: list[KeyPath] = [each.path for each in (*persistent, *volatile)]
        paths += [finding.path for finding in loaded.findings if finding.path]
        names = {*loaded.sections, *(str(path[0]) for path in paths)}
    findings = [finding for finding in loaded.findings if not _of_overrides(finding, names)]
    above = [layer for layer in loaded.layers[1:] if not layer.name.is_override]
    for name, overrides in ((LayerName.OVERRIDE, persistent), (LayerName.VOLATILE, volatile)):
        if overrides:
            checked = _checked_again(loaded, override_layer(name, overrides), names)
            above.append(checked.layer)
            findings += checked.findings
    layers = (loaded.layers[0], *_ranked(above))
    merged, known = merge_again(loaded.merged, layers, names), loaded.merged.values
    return msgspec.structs.replace(
        loaded,
        config=rebuild_config(loaded.config, known, merged.values, loaded.sections, loaded.machine),
        layers=layers,
        merged=merged,
        effective=plain_again(loaded.effective, known, merged.values),
        findings=[*findings, *_timezone_finding(merged, loaded.machine)],
    )


def _checked_again(loaded: Loaded, layer: Layer, names: Collection[str]) -> Checked:
    """A layer checked in these sections only; the rest of it is as it was checked before."""
    here = {name: value for name, value in layer.values.items() if name in names}
    checked = check_layer(Layer(layer.name, here, layer.source, {}, layer.sources), loaded.sections, loaded.machine)
    before = next((each.values for each in loaded.layers if each.name is layer.name), {})
    kept = {name: value for name, value in before.items() if name not in names}
    whole = Layer(layer.name, {**kept, **checked.layer.values}, layer.source, {}, layer.sources)
    return Checked(whole, checked.findings, checked.lost)


def _ranked(layers: Sequence[Layer]) -> list[Layer]:
    return sorted(layers, key=lambda layer: layer.name.rank)


def _of_overrides(finding: ConfigFinding, names: Collection[str]) -> bool:
    """Whether it is found anew where the overrides of these sections are looked at."""
    return finding.code == _NO_TIMEZONE or (finding.origin.layer.is_override and finding.path[0] in names)


_NO_TIMEZONE = "no_timezone"


def _timezone_finding(merged: Merged, machine: Machine) -> list[ConfigFinding]:
    path: KeyPath = ("scheduler", "timezone")
    if machine.timezone or merged.origin(path).layer is not LayerName.DEFAULT:
        return []
    message = "the host doesn't tell its time zone, so it is UTC; set scheduler.timezone"
    return [ConfigFinding(_NO_TIMEZONE, path, message, Origin(LayerName.DEFAULT))]


def _said_above(layers: Sequence[Layer], lost_in: LayerName, key: KeyPath) -> bool:
    """Whether a layer above the one that lost a key says it."""
    higher = [layer for layer in layers if layer.name.rank > lost_in.rank]
    return _value(higher, key) is not None


def _place_unknown(finding: ConfigFinding) -> ConfigError:
    line = f"{finding}. It may say general.data_dir, so the node's place is unknown; mend it, or give --data-dir"
    return ConfigError(line, (line,))


def _settings(sections: Sections) -> list[tuple[KeyPath, Setting]]:
    return [
        ((name, key.name), key.setting)
        for name, kind in sections.items()
        if is_section(kind)
        for key in keys_of(kind).values()
    ]


def folders_to_search(layers: Sequence[Layer], machine: Machine, folder: str) -> list[Path]:
    """Where the main file is looked for; the user's folder is what the layers say."""
    user_dir = _value(layers, _USER_DIR)
    return [Path(folder), Path(str(user_dir)) if user_dir else Path(machine.home, ".dms"), Path(SYSTEM_FOLDER)]


def _value(layers: Sequence[Layer], path: KeyPath) -> Any:
    """What the highest of the layers says at a path; None where none does."""
    value = value_at(merge(layers).values, path)
    return None if value is ABSENT else value
