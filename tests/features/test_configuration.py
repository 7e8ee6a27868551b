"""The steps of configuration.feature."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from dms.config import Loaded, default_config, get, load

scenarios("configuration.feature")


@dataclass
class World:
    """A home, an environment, and what was loaded and asked last."""

    home: Path
    environ: dict[str, str]
    loaded: Loaded | None = None
    file: Path | None = None
    origin: str = ""

    def load(self) -> None:
        self.loaded = load(environ=self.environ)

    def get(self, key: str) -> str:
        assert self.loaded is not None
        answer = get(self.loaded, key)
        self.origin = answer["origin"]
        return str(answer["value"])


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    (tmp_path / "here").mkdir()
    (tmp_path / "home" / ".dms").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("TZ", "Europe/Helsinki")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return World(tmp_path / "home", {"HOME": str(tmp_path / "home"), "TZ": "Europe/Helsinki"})


@given(parsers.re(r"a machine with (?P<cores>\d+) cores( and no configuration file)?"))
def _(cores: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda process: set(range(int(cores))), raising=False)


@given(parsers.parse("a file ~/{path}"))
def _(world: World, path: str, docstring: str) -> None:
    world.file = world.home / path
    world.file.write_text(docstring)


@given(parsers.parse("the variable {name} is {value}"))
def _(world: World, name: str, value: str) -> None:
    world.environ[name] = value


@given("the configuration was loaded")
@when("the configuration is loaded")
def _(world: World) -> None:
    world.load()


@when("the file is taken away")
def _(world: World) -> None:
    assert world.file is not None
    world.file.unlink()


@then(parsers.re(r"(?P<key>[a-z_]+\.[a-z_]+) is (?P<value>\S+)"))
def _(world: World, key: str, value: str) -> None:
    assert value == world.get(key)


@then(parsers.parse("it comes from the {layer}"))
def _(world: World, layer: str) -> None:
    assert layer == world.origin


@then("nothing is wrong")
def _(world: World) -> None:
    assert world.loaded is not None
    assert [] == world.loaded.findings


@then("it is the same as the default configuration")
def _(world: World) -> None:
    assert world.loaded is not None
    assert default_config() == world.loaded.config


@then(parsers.parse('at line {line:d}, column {column:d} "{key}" is wrong'))
def _(world: World, line: int, column: int, key: str) -> None:
    assert world.loaded is not None
    found = [(each.key, each.origin.line, each.origin.column) for each in world.loaded.findings]
    assert [(key, line, column)] == found
