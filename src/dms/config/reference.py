"""The documented default file and the reference page, made from the schema.

`python -m dms.config.reference` writes both; a test compares them with what the schema says.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec import UNSET

from dms.config.config import BUILT_IN, plain
from dms.config.leaf import shown
from dms.config.setting import Applies, Key, Section, expectation, is_section, keys_of, section_of_map

_APPLIES = {
    Applies.LIVE: "at once",
    Applies.NEXT_RUN: "with a task's next run",
    Applies.RESTART: "with the next start",
}

_FILE_HEAD = """\
# Every setting of DMS, with its default. Copy what you want to change into dms_config.yaml, in the working directory,
# in ~/.dms or in /etc/dms. A line that is commented out depends on the machine, or is an example.
"""

_PAGE_HEAD = """\
# Configuration

Made from the schema by `python -m dms.config.reference`; the same text stands in `config.yaml` of the distribution.

## Where values come from

A later layer counts over an earlier one. Maps merge key by key; everything else, lists too, is replaced whole.

1. the defaults below
2. the main file: the one that `--config` names, else the first found of `dms_config.yaml`, `.yml`, `.json` and `.jsonc`
   in the working directory, in `general.user_dir` and in `/etc/dms`. As root, a file in the working directory that
   belongs to somebody else is not read.
3. drop-ins: the files of `conf.d` beside the main file, in the order of their names; hidden ones are left out
4. the environment: `DMS_SECTION__KEY`, such as `DMS_SCHEDULER__MAX_RUNNING_TASKS=8`. Lists and maps are JSON. A name is
   read in small letters. An empty variable counts as unset and is reported; `""` in quotes is the empty text.
5. persistent overrides: what was set at run time, kept in the node's database
6. the command line: `--set section.key=value`, read like the environment; `--data-dir DIR` is `general.data_dir`
7. volatile overrides: what was set at run time until the next restart

`dms config explain KEY` shows each layer's value with its place, and which is in force.

## How values are written

- Files are YAML 1.2, or JSON with comments and trailing commas. `no`, `on`, `1_000`, `12:30` and dates are text.
  Anchors and aliases are fine; merge keys (`<<`) and tags of your own are not YAML 1.2's core and are refused.
- A length of time has a unit: `250ms`, `30s`, `5m`, `1h30m`, `2d`. A bare number is refused: 30 what?
- A relative path in a file starts from the folder of that file, elsewhere from the working directory. `~/` is home.
- A file is read strictly: `"8"` is not a number, 8 is not text. The environment and the command line have only text and
  are read as the key's type says.

## When a value is bad

The node starts all the same and says `degraded`. A bad value is left out, so that the layer below counts for that key
alone; of a key that stands twice the first counts; an unknown key does nothing. Of a file that can't be read at all
counts what it said when a node here could last read it, else it counts as absent. Of a stored override that is bad the
layer below counts, and it stays in the database. The keys that say who can reach the node close instead: where one of
them is bad, or stands twice, its closed value (told below) counts, and not what a layer below says; where a whole
section, or a file of which nothing is known, can't be read, so does that of each but `rest.enabled`. A task is parked,
not run on a guess, where what it does or when it does it can't be read. The start is refused (exit status 78) where
the node could end up in the wrong place, that is where `general.data_dir` is bad or can't be known, and with
`--strict` for any finding. `dms config validate FILE` lists them all, each with its line and column.

While the node runs, whatever is bad is refused whole, and nothing changes: a set value, a batch, an edited file. A file
that is suddenly empty or gone is refused too, since it is in the middle of being written more often than it is meant.
"""


def default_file() -> str:
    """The documented `config.yaml`: loading it gives the defaults."""
    parts = [_FILE_HEAD]
    for name, kind in BUILT_IN.items():
        section = section_of_map(kind)
        keys = _example_lines(section) if section else _section_lines(kind)
        parts.append("\n".join([*_wrapped(_summary(section or kind), "# "), f"{name}:", *keys]).rstrip() + "\n")
    return "\n".join(parts)


def reference_page() -> str:
    """The page `docs/reference/configuration.md`."""
    parts = [_PAGE_HEAD]
    for name, kind in BUILT_IN.items():
        section = section_of_map(kind)
        prefix = f"{name}.NAME" if section else name
        entries = "".join(_entries(section or kind, prefix))
        parts.append(f"## {prefix}\n\n{_paragraph(_summary(section or kind))}{entries}")
    return "\n".join(parts).rstrip() + "\n"


def _summary(section: type[Section]) -> str:
    return " ".join((section.__doc__ or "").split())


def _section_lines(section: type[Section]) -> Iterator[str]:
    for key in keys_of(section).values():
        yield from _comment(key, "  # ")
        fixed = not callable(key.setting.default)
        yield f"  {key.name}: {_written(key)}" if fixed else f"  # {key.name}: {key.setting.example}"
        yield ""


def _example_lines(section: type[Section]) -> Iterator[str]:
    """An example of one of many by name with every key, all of it commented out."""
    yield "  # NAME:"
    for key in keys_of(section).values():
        yield from _comment(key, "  #   # ")
        if not is_section(key.type):
            yield f"  #   {key.name}: {key.setting.example}"
            continue
        yield f"  #   {key.name}:"
        for inner in keys_of(key.type).values():
            yield from _comment(inner, "  #     # ")
            yield f"  #     {inner.name}: {inner.setting.example}"


def _comment(key: Key, prefix: str) -> Iterator[str]:
    yield from _wrapped(key.setting.summary, prefix)
    yield from _wrapped(f"{_capital(expectation(key.type))}. {_default(key)}", prefix)


def _wrapped(text: str, first: str, rest: str | None = None) -> list[str]:
    from textwrap import wrap

    return wrap(text, 118, initial_indent=first, subsequent_indent=first if rest is None else rest)


def _paragraph(text: str) -> str:
    return "\n".join(_wrapped(text, "")) + "\n"


def _point(text: str) -> str:
    return "\n".join(_wrapped(text, "- ", "  ")) + "\n"


def _entries(section: type[Section], prefix: str) -> Iterator[str]:
    for key in keys_of(section).values():
        setting = key.setting
        yield f"\n### `{prefix}.{key.name}`\n\n{_paragraph(setting.summary)}"
        if is_section(key.type):
            yield from _entries(key.type, f"{prefix}.{key.name}")
            continue
        unit = f", in {setting.unit}" if setting.unit else ""
        yield "\n" + _point(f"Takes {expectation(key.type)}{unit}; for example `{setting.example}`.")
        yield _point(_default(key))
        yield _point(f"A change takes effect {_APPLIES[setting.applies]}; it needs the scope `{setting.scope}`.")
        if setting.closed is not UNSET:
            yield _point(f"Where it is bad, `{shown(plain(setting.closed))}` counts, never what a layer below says.")
        if setting.place:
            yield _point("It says where the node lives: a bad value refuses the start.")
        if setting.early:
            yield _point("It is read before any file, so only the environment and the command line can set it.")


def _default(key: Key) -> str:
    setting = key.setting
    if callable(setting.default):
        return f"Default: depends on the machine. {setting.why}"
    if setting.default is None:
        return setting.why or "Unset by default."
    return f"Default: {_written(key)}. {setting.why}"


def _written(key: Key) -> str:
    value: Any = plain(key.setting.default)
    return value if isinstance(value, str) and value and value.isalnum() else shown(value)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _write() -> None:
    package = Path(__file__).resolve().parents[1]
    (package / "config.yaml").write_text(default_file(), "utf-8")
    page = package.parents[1] / "docs" / "reference" / "configuration.md"
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(reference_page(), "utf-8")


if __name__ == "__main__":
    _write()
