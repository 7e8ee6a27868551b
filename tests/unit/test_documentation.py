"""What the pages say is so: their examples run, their links lead somewhere, and nothing that exists is left out."""

import re
import shlex
from pathlib import Path

import click
import pytest

import dms
from dms.cli import application
from dms.errors import DmsError, RemoteError

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")])
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)(?:#[\w-]+)?\)")
COMMAND = re.compile(r"^\$ (?:scripts/)?dms (?P<words>[^#|\n]*)", re.MULTILINE)
SAID = re.compile(r"^\s*print\(.*\)\s+# (.+)$", re.MULTILINE)


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def subclasses(root: type[DmsError]) -> list[type[DmsError]]:
    """Every error below this one."""
    return [found for child in root.__subclasses__() for found in (child, *subclasses(child))]


def blocks(language: str) -> list[object]:
    """Every fenced block in this language, with the page and line where it stands."""
    return [
        pytest.param(found[2], id=f"{name(page)}:{text[: found.start()].count(chr(10)) + 1}")
        for page in PAGES
        for text in [page.read_text()]
        for found in FENCE.finditer(text)
        if found[1] == language
    ]


@pytest.mark.parametrize("code", blocks("python"))
def test_a_python_example_runs_and_prints_what_it_says(
    code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "example", "exec"), {"__name__": "__main__"})
    assert SAID.findall(code) == capsys.readouterr().out.splitlines()[: len(SAID.findall(code))]


def commands() -> list[str]:
    """Every call of `dms` that a page shows."""
    return sorted({found["words"].strip() for page in PAGES for found in COMMAND.finditer(page.read_text())})


@pytest.mark.parametrize("words", commands())
def test_a_command_on_a_page_can_be_given_so(words: str) -> None:
    command: click.Command | None = application.dms
    context = application.dms.make_context("dms", shlex.split(words))
    while isinstance(command, click.Group):
        name, command, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        assert command is not None
        context = command.make_context(name, rest, parent=context)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    assert [] == [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()]


@pytest.mark.parametrize("error", [DmsError, *subclasses(DmsError)])
def test_every_error_is_in_the_reference(error: type[DmsError]) -> None:
    assert f"`{error.__name__}`" in (ROOT / "docs/reference/errors.md").read_text()
    assert f"`{error.code}`" in (ROOT / "docs/reference/errors.md").read_text() or error is RemoteError


@pytest.mark.parametrize("public", dms.__all__)
def test_every_public_name_is_in_the_reference_and_has_a_docstring(public: str) -> None:
    assert f"`{public}`" in (ROOT / "docs/reference/python.md").read_text()
    assert getattr(dms, public).__doc__


def test_the_map_of_the_largest_room_names_each_of_its_files_once() -> None:
    page = (ROOT / "docs/why/index.md").read_text().partition("## The largest room")[2].partition("## ")[0]
    named = [
        word for row in page.splitlines() for word in re.findall(r"`(\w+)`", row.split("|")[2] if "|" in row else "")
    ]
    files = [path.stem for path in (ROOT / "src/dms/background_tasks").rglob("*.py") if path.stem != "__init__"]
    assert sorted(files) == sorted(named)


def test_the_walkthrough_of_plugins_shows_the_example_as_it_is() -> None:
    page, example = (ROOT / "docs/guide/plugins.md").read_text(), ROOT / "examples/plugin"
    shown = {found[1]: found[2] for found in FENCE.finditer(page)}
    assert (example / "pyproject.toml").read_text() == shown["toml"]
    assert (example / "src/dms_disk.py").read_text() == shown["python"]


def test_the_readme_tells_how_many_packages_are_set_up() -> None:
    locked = (ROOT / "requirements.lock").read_text().count("==")
    assert f", {locked} packages … done" in (ROOT / "README.md").read_text()
