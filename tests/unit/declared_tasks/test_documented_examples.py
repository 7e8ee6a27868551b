"""Every configuration that the pages and the examples show is a good one. Files of other programs are marked `yml`."""

import re
from pathlib import Path

import pytest

from dms.config import validate
from dms.declared_tasks import check_tasks

ROOT = Path(__file__).resolve().parents[3]
FENCE = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def shown() -> list[object]:
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")]
    fences = [(page, number, text) for page in pages for number, text in enumerate(FENCE.findall(page.read_text()))]
    return [pytest.param(text, id=f"{page.relative_to(ROOT)}:{number}") for page, number, text in fences]


@pytest.mark.parametrize("text", shown())
def test_a_configuration_on_a_page_is_good(text: str, tmp_path: Path) -> None:
    (tmp_path / "dms_config.yaml").write_text(text)
    assert [] == [str(finding) for finding in validate(tmp_path / "dms_config.yaml", checks=[check_tasks])]


@pytest.mark.parametrize("file", sorted(ROOT.glob("examples/**/dms_config.*")), ids=lambda file: file.parent.name)
def test_a_configuration_among_the_examples_is_good(file: Path) -> None:
    assert [] == [str(finding) for finding in validate(file, checks=[check_tasks])]
