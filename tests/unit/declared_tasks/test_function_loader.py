import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dms.declared_tasks import FunctionLoader, Unloadable

Write = Callable[..., Path]


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """What a test imported is forgotten."""
    modules, path = set(sys.modules), [*sys.path]
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        del sys.modules[name]


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    """A folder of modules that only its owner can write."""
    folder = tmp_path / "tasks"
    folder.mkdir(mode=0o755)
    return folder


@pytest.fixture
def write(tasks: Path) -> Write:
    def module(name: str, code: str = "def go(): return 42\n", mode: int = 0o644) -> Path:
        file = tasks / name
        file.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        file.write_text(code)
        file.chmod(mode)
        return file

    return module


def load(reference: str, *folders: Path, patience: float = 10.0) -> object:
    return FunctionLoader(folders, patience).load({reference})[reference]


def reason(reference: str, *folders: Path, patience: float = 10.0) -> str:
    loaded = load(reference, *folders, patience=patience)
    assert isinstance(loaded, Unloadable)
    return loaded.reason


def test_a_function_of_an_installed_package_is_found() -> None:
    assert shutil.disk_usage is load("shutil:disk_usage")


def test_a_method_and_a_built_in_function_are_found() -> None:
    assert [Path.cwd, sys.getrefcount] == [load("pathlib:Path.cwd"), load("sys:getrefcount")]


def test_a_function_of_a_named_folder_is_found(write: Write, tasks: Path) -> None:
    write("heating_a.py")
    loaded = load("heating_a:go", tasks)
    assert callable(loaded)
    assert 42 == loaded()


def test_a_module_in_a_package_is_found_and_the_package_knows_it(write: Write, tasks: Path) -> None:
    write("house_b/__init__.py", "PLACE = 'hall'")
    write("house_b/heating.py", "from house_b import PLACE\ndef go(): return PLACE\n")
    loaded = load("house_b.heating:go", tasks)
    assert callable(loaded)
    assert ("hall", True) == (loaded(), hasattr(sys.modules["house_b"], "heating"))


def test_a_module_finds_its_neighbours(write: Write, tasks: Path) -> None:
    write("neighbour_c.py", "VALUE = 7")
    write("heating_c.py", "import neighbour_c\ndef go(): return neighbour_c.VALUE\n")
    loaded = load("heating_c:go", tasks)
    assert callable(loaded)
    assert 7 == loaded()


def test_nothing_is_loaded_from_the_working_directory(
    write: Write, tasks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("heating_d.py")
    monkeypatch.chdir(tasks)
    monkeypatch.syspath_prepend(str(tasks))
    monkeypatch.syspath_prepend("")
    expected = "nor in a folder of scheduler.import_paths (none yet: name the one that it lies in)"
    assert f"there is no module heating_d in the installed packages, {expected}" == reason("heating_d:go")


def test_a_file_that_others_can_write_is_refused(write: Write, tasks: Path) -> None:
    file = write("heating_e.py", mode=0o646)
    assert f"{file} can be written by others; take that away: chmod go-w {file}" == reason("heating_e:go", tasks)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another group")
def test_a_file_that_a_group_of_others_can_write_is_refused(write: Write, tasks: Path) -> None:
    file = write("heating_e.py", mode=0o664)
    os.chown(file, 0, 12345)
    assert f"{file} can be written by others; take that away: chmod go-w {file}" == reason("heating_e:go", tasks)


@pytest.mark.skipif(os.geteuid() != 0, reason="which groups there are is certain of root only")
def test_a_file_that_its_owners_own_group_can_write_is_loaded(write: Write, tasks: Path) -> None:
    write("heating_e.py", mode=0o664)
    assert callable(load("heating_e:go", tasks))


def test_a_folder_that_others_can_write_is_refused(write: Write, tasks: Path) -> None:
    write("heating_f.py")
    tasks.chmod(0o777)
    assert f"{tasks} can be written by others" in reason("heating_f:go", tasks)


def test_a_package_that_others_can_write_is_refused_before_it_runs(write: Write, tasks: Path) -> None:
    write("house_g/__init__.py", "raise RuntimeError('it ran')", mode=0o666)
    write("house_g/heating.py")
    assert "can be written by others" in reason("house_g.heating:go", tasks)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_refused(write: Write, tasks: Path) -> None:
    file = write("heating_h.py")
    os.chown(file, 12345, 12345)
    assert f"{file} belongs to user 12345; it must be root's or the node's own user's" == reason("heating_h:go", tasks)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("def went(): pass", "heating_i has no function go"),
        ("go = 5", "heating_i:go is a int, not a function"),
        ("1 / 0", "heating_i:go raised ZeroDivisionError while loading: division by zero"),
        ("def go(:", "heating_i:go raised SyntaxError while loading: invalid syntax"),
        ("import sys; sys.exit(3)", "heating_i:go raised SystemExit while loading: 3"),
    ],
)
def test_what_can_not_be_loaded_says_why(write: Write, tasks: Path, code: str, expected: str) -> None:
    write("heating_i.py", code)
    assert reason("heating_i:go", tasks).startswith(expected)


def test_a_module_that_failed_is_tried_again_once_it_is_mended(write: Write, tasks: Path) -> None:
    write("heating_j.py", "1 / 0")
    assert isinstance(load("heating_j:go", tasks), Unloadable)
    write("heating_j.py", "def go():\n    return 'mended, and of another length'\n")
    assert callable(load("heating_j:go", tasks))


def test_a_module_of_the_same_name_from_elsewhere_is_not_mistaken_for_it(write: Write, tasks: Path) -> None:
    write("shutil.py")
    assert "another module shutil is loaded already" in reason("shutil:go", tasks)


def test_an_import_that_hangs_is_given_up(write: Write, tasks: Path) -> None:
    write("heating_k.py", "import threading\nthreading.Event().wait(30)\n")
    assert "it was not loaded within 0.1 s" in reason("heating_k:go", tasks, patience=0.1)


def test_one_that_fails_does_not_keep_the_others(write: Write, tasks: Path) -> None:
    write("heating_l.py", "1 / 0")
    loaded = FunctionLoader([tasks]).load(["heating_l:go", "shutil:disk_usage"])
    assert [False, True] == [callable(function) for function in loaded.values()]
