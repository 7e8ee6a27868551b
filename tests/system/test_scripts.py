"""The commands of the README on machines that lack something, and what they hand to `dms`."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ("bash", "cat", "dirname", "env", "flock", "grep", "mktemp", "rm", "sha256sum", "tail")
NO_INDEX = {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_NO_CACHE_DIR": "1"}


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A clone's scripts, and a `bin` with the few tools that they may count on; no Python yet."""
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    for file in ("pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / file, tmp_path)
    (tmp_path / "bin").mkdir()
    for tool in TOOLS:
        (tmp_path / "bin" / tool).symlink_to(str(shutil.which(tool)))
    return tmp_path


def program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/usr/bin/env bash\n{text}\n")
    path.chmod(0o755)


def run(machine: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    given = {"PATH": str(machine / "bin"), "HOME": str(machine), **environment}
    return subprocess.run(command, cwd=machine, env=given, capture_output=True, text=True, timeout=120)


def test_without_python_they_say_which_one_to_install(machine: Path) -> None:
    ended = run(machine, "scripts/dms", "status")
    assert (1, "") == (ended.returncode, ended.stdout)
    assert ended.stderr.startswith("No Python 3.11 or later was found.\nInstall one")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_in_a_clone_of_somebody_else_they_touch_nothing_and_say_what_to_do(machine: Path) -> None:
    (machine / "bin" / "python3").symlink_to(sys.executable)
    (machine / ".venv").mkdir(mode=0o500)
    ended = run(machine, "scripts/dms", "status")
    assert (1, "") == (ended.returncode, ended.stdout)
    assert ended.stderr.startswith(f"{machine}/.venv can't be written by this user: clone into a folder of your own")


def test_a_python_without_its_venv_part_is_said_with_the_package_to_install(machine: Path) -> None:
    without_venv = 'if [[ $1 == -m ]]; then echo "ensurepip is not available"; exit 1; fi'
    program(machine / "bin" / "python3", f'{without_venv}\nexec {sys.executable} "$@"')
    ended = run(machine, "scripts/dms", "status")
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert 1 == ended.returncode
    assert f"(apt install python{version}-venv)" in ended.stderr
    assert not (machine / ".venv").exists()


def test_without_a_network_they_say_that_the_packages_could_not_be_fetched(machine: Path) -> None:
    program(machine / "bin" / "python3", f'exec {sys.executable} "$@"')
    ended = run(machine, "scripts/dms", "status", **NO_INDEX)
    assert 1 == ended.returncode
    assert "Setting up (once): Python 3." in ended.stderr
    assert "The packages could not be fetched. Is there a network?" in ended.stderr


@pytest.fixture
def ready(machine: Path) -> Path:
    """The same, with an environment that is there already and a `dms` that only tells how it was called."""
    (machine / "scripts" / "environment").write_text("root=$PWD venv=$PWD/.venv\nensure_environment() { :; }\n")
    program(machine / ".venv/bin/dms", 'echo "$DMS_GENERAL__DATA_DIR $*"')
    return machine


def test_run_starts_the_quickstart_with_its_data_in_this_folder(ready: Path) -> None:
    ended = run(ready, "scripts/run", "--strict")
    assert "./.dms run --config examples/quickstart/dms_config.yaml --strict\n" == ended.stdout


@pytest.mark.parametrize("given", [["--config", "mine.yaml"], ["--config=mine.yaml"]])
def test_run_with_a_configuration_of_ones_own_leaves_the_quickstart_out(ready: Path, given: list[str]) -> None:
    assert f"./.dms run {' '.join(given)}\n" == run(ready, "scripts/run", *given).stdout


def test_a_data_folder_in_the_environment_is_kept(ready: Path) -> None:
    assert "/srv/dms task list\n" == run(ready, "scripts/dms", "task", "list", DMS_GENERAL__DATA_DIR="/srv/dms").stdout


@pytest.mark.parametrize("script", ["scripts/run", "scripts/dms"])
def test_what_asks_a_node_and_what_starts_one_is_named_as_it_is_called_here(ready: Path, script: str) -> None:
    program(ready / ".venv/bin/dms", 'echo "$DMS_COMMAND ${DMS_RUN_COMMAND-scripts/run}"')
    assert "scripts/dms scripts/run\n" == run(ready, script).stdout
