"""What is documented is what the schema says."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import dms.config
from dms.config import Loaded, Section, plain
from dms.config.config import BUILT_IN
from dms.config.leaf import read_value
from dms.config.reference import default_file, reference_page
from dms.config.setting import Key, Machine, is_section, keys_of, section_of_map
from dms.config.yaml import read_yaml

Load = Callable[..., Loaded]
PACKAGE = Path(dms.config.__file__).parents[1]
MACHINE = Machine(cores=2, home="/root", root=True, timezone="UTC", data_dir="/var/lib/dms")


def keys(section: type[Section], prefix: str) -> Iterator[tuple[str, Key]]:
    for key in keys_of(section).values():
        yield f"{prefix}.{key.name}", key
        if is_section(key.type):
            yield from keys(key.type, f"{prefix}.{key.name}")


EVERY_KEY = [
    pytest.param(key, id=name)
    for section, kind in BUILT_IN.items()
    for name, key in keys(section_of_map(kind) or kind, section)
]


def test_the_reference_page_is_up_to_date() -> None:
    page = PACKAGE.parents[1] / "docs" / "reference" / "configuration.md"
    assert reference_page() == page.read_text(), "run: python -m dms.config.reference"


def test_the_documented_default_file_is_up_to_date() -> None:
    assert default_file() == (PACKAGE / "config.yaml").read_text(), "run: python -m dms.config.reference"


def test_loading_the_documented_default_file_gives_the_defaults(loaded: Load) -> None:
    result = loaded(default_file())
    assert ([], plain(loaded().config)) == (result.findings, plain(result.config))


@pytest.mark.parametrize("key", EVERY_KEY)
def test_a_key_has_a_summary_a_reason_and_an_example_that_it_takes(key: Key) -> None:
    setting = key.setting
    assert setting.summary.endswith(".")
    if is_section(key.type):
        return
    example: Any = read_yaml(f"example: {setting.example}").values["example"]
    read = read_value(example, key.type, "/", MACHINE)
    if setting.check is not None:
        setting.check(read)
    assert read is not None


@pytest.mark.parametrize("key", EVERY_KEY)
def test_a_default_is_what_the_type_takes(key: Key) -> None:
    default = plain(key.setting.default_on(MACHINE))
    assert key.optional if default is None else default == plain(read_value(default, key.type, "/", MACHINE))
