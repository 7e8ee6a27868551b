"""The layers that are texts: the environment, and `KEY=VALUE` on the command line."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dms.config.document import KeyPath
from dms.config.finding import ConfigFinding, key_path
from dms.config.layer import Layer, LayerName, Origin
from dms.errors import ConfigError

_PREFIX = "DMS_"


def environment_layer(environ: Mapping[str, str], folder: str) -> tuple[Layer, list[ConfigFinding]]:
    """`DMS_SECTION__KEY` variables; one that is empty counts as unset and is reported (`""` sets the empty text).

    >>> layer, _ = environment_layer({"DMS_SCHEDULER__MAX_RUNNING_TASKS": "3", "PATH": "/bin"}, "/")
    >>> layer.values
    {'scheduler': {'max_running_tasks': '3'}}
    """
    findings = [_empty(name) for name, value in sorted(environ.items()) if _is_setting(name) and not value]
    texts = [(_path_of(name), value, name) for name, value in sorted(environ.items()) if _is_setting(name) and value]
    return _layer(LayerName.ENVIRONMENT, texts, folder, findings), findings


def arguments_layer(arguments: Sequence[str], folder: str) -> tuple[Layer, list[ConfigFinding]]:
    """`section.key=value` texts, a later one over an earlier. ConfigError where one is not of that form."""
    findings: list[ConfigFinding] = []
    return _layer(LayerName.ARGUMENTS, list(_split(arguments)), folder, findings), findings


def _split(arguments: Sequence[str]) -> Iterator[tuple[KeyPath, str, str]]:
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if not equals or not all(key.split(".")) or "." not in key or not key.isprintable():
            raise ConfigError(f"--set {argument}: give it as section.key=value, such as general.debug=true")
        yield key_path(key), value, f"--set {key}"


def _is_setting(name: str) -> bool:
    return name.startswith(_PREFIX) and "__" in name.removeprefix(_PREFIX) and name.isascii()


def _path_of(name: str) -> KeyPath:
    return tuple(name.removeprefix(_PREFIX).lower().split("__"))


def _empty(name: str) -> ConfigFinding:
    message = 'the variable is empty, which counts as unset; "" in quotes sets the empty text'
    return ConfigFinding("empty_variable", _path_of(name), message, Origin(LayerName.ENVIRONMENT, name))


def _layer(
    name: LayerName, texts: Sequence[tuple[KeyPath, str, str]], folder: str, findings: list[ConfigFinding]
) -> Layer:
    values: dict[str, Any] = {}
    sources: dict[KeyPath, str] = {}
    for path, value, source in sorted(texts, key=lambda text: len(text[0])):
        if _put(values, path, value):
            sources[path] = source
        else:
            message = "clashes with a whole section that is given beside it; give only one of them"
            findings.append(ConfigFinding("bad_value", path, message, Origin(name, source)))
    return Layer(name, values, name, sources=sources, folder=folder)


def _put(values: dict[str, Any], path: KeyPath, value: str) -> bool:
    """Put a text where its path says; False where a text stands in the way."""
    for part in path[:-1]:
        values = values.setdefault(str(part), {})
        if not isinstance(values, dict):
            return False
    values[str(path[-1])] = value
    return True
