"""Files of settings: where they are looked for, and what they say."""

import os
from collections.abc import Sequence
from pathlib import Path

from dms.config.document import Document
from dms.config.jsonc import place, read_json
from dms.config.yaml import read_yaml
from dms.errors import Malformed

SUFFIXES = (".yaml", ".yml", ".json", ".jsonc")
FILENAME = "dms_config"
DROP_IN_FOLDER = "conf.d"

_LARGEST = 16 * 1024 * 1024


def find_config(paths: Sequence[str | os.PathLike[str]], filename: str = FILENAME) -> Path | None:
    """The first file of that name in the folders, in their order; None where there is none. A name without a suffix
    is tried with .yaml, .yml, .json and .jsonc."""
    names = [filename] if Path(filename).suffix in SUFFIXES else [filename + suffix for suffix in SUFFIXES]
    for folder in paths:
        for name in names:
            if os.path.isfile(os.path.join(folder, name)):
                return Path(folder, name)
    return None


def drop_ins(main_file: Path) -> list[Path]:
    """The files of `conf.d` beside the main file, in the order in which a later one counts over an earlier: by name.
    Hidden ones, such as editors leave, are none."""
    folder = main_file.parent / DROP_IN_FOLDER
    try:
        found = [path for path in folder.iterdir() if path.suffix in SUFFIXES and not path.name.startswith(".")]
    except OSError:
        return []
    return sorted((path for path in found if path.is_file()), key=lambda path: path.name)


def read_bytes(path: Path) -> bytes:
    """A file's content. OSError where it can't be read, Malformed where it is too large for a configuration."""
    with open(path, "rb") as file:
        content = file.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise Malformed(f"larger than {_LARGEST // 1024 // 1024} MiB; that is no configuration")
    return content


def read_document(content: bytes, path: Path) -> Document:
    """The settings in a file's content: JSON with comments by its suffix, else YAML. Malformed with the place of what
    can't be read. A byte order mark and Windows line ends are fine."""
    text = _decoded(content)
    return read_json(text) if path.suffix in (".json", ".jsonc") else read_yaml(text)


def _decoded(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise Malformed("the file is UTF-16; save it as UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8-sig", "replace")
        message = f"the byte 0x{content[error.start]:02x} is not UTF-8; save the file as UTF-8"
        raise Malformed(message, *place(before, len(before))) from None
