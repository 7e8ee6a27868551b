import os
import sys
from collections.abc import Callable
from importlib.metadata import distributions
from importlib.metadata import entry_points as installed
from pathlib import Path

import pytest

from dms.plugins.entry_point import EntryPoint, entry_points

Install = Callable[..., Path]
GROUPS = ("dms.tasks", "dms.operations")


def test_those_of_the_groups_are_found_and_no_others(install: Install) -> None:
    text = """
    [console_scripts]
    theirs = theirs:main

    [dms.tasks]
    # a comment
    one = theirs:tasks
    two=theirs.inner : make.tasks [extra]
    ; another

    [dms.taskson]
    no = theirs:no
    [dms.operations]
    three = theirs:operations
    """
    site = install("their_things", text)
    assert [
        EntryPoint("their-things", "dms.tasks", "one", "theirs:tasks"),
        EntryPoint("their-things", "dms.tasks", "two", "theirs.inner : make.tasks"),
        EntryPoint("their-things", "dms.operations", "three", "theirs:operations"),
    ] == entry_points(GROUPS, [str(site)])


def test_the_first_of_two_of_one_name_counts_as_it_does_for_an_import(install: Install, tmp_path: Path) -> None:
    site = install("theirs", "[dms.tasks]\nfirst = theirs:tasks\n")
    other = tmp_path / "other" / "Theirs-0.9.dist-info"
    other.mkdir(parents=True)
    (other / "entry_points.txt").write_text("[dms.tasks]\nsecond = theirs:tasks\n")
    assert ["first"] == [each.name for each in entry_points(GROUPS, [str(site), str(other.parent)])]


def test_nothing_of_the_working_directory_counts(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    site = install("theirs", "[dms.tasks]\nfirst = theirs:tasks\n")
    monkeypatch.chdir(site)
    assert [] == entry_points(GROUPS, ["", ".", str(site)])


def test_what_is_no_folder_or_holds_no_text_is_passed_over(install: Install, tmp_path: Path) -> None:
    site = install("theirs", "")
    (site / "theirs-1.0.dist-info" / "entry_points.txt").write_bytes(b"[dms.tasks]\n\xff\x00half\n=\n")
    (site / "bare-1.0.dist-info").mkdir()
    (site / "a_file-1.0.dist-info").write_text("")
    (tmp_path / "archive.zip").write_bytes(b"PK")
    paths = [str(site), str(tmp_path / "archive.zip"), str(tmp_path / "nowhere")]
    assert [EntryPoint("theirs", "dms.tasks", "", "")] == entry_points(GROUPS, paths)


def test_all_that_is_installed_here_is_found_as_the_standard_library_finds_it() -> None:
    """Every group of every distribution of this environment."""
    here = os.path.realpath(os.getcwd())
    path = [entry for entry in sys.path if entry and os.path.realpath(entry) != here]
    groups = {each.group for found in distributions(path=path) for each in found.entry_points}
    theirs = {
        (group, each.name, each.value.partition("[")[0].strip()) for group in groups for each in installed(group=group)
    }
    assert {"console_scripts"} <= groups
    assert theirs == {(each.group, each.name, each.reference) for each in entry_points(sorted(groups), path)}


def test_what_it_names_is_imported_and_an_object_within_it_is_found() -> None:
    assert os.path.join is EntryPoint("d", "g", "n", "os:path.join").load()
    assert os is EntryPoint("d", "g", "n", "os").load()
