"""What a process of its own is told to call: a function and its arguments as bytes, and what it needs to find them."""

import pickle
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

from dms.background_tasks.running.run import Run
from dms.background_tasks.tasks.task import Task
from dms.errors import InvalidTask

_RUN = "run"
_MAIN = b"__main__"


class _Pickler(pickle.Pickler):
    """Writes a run as what it is: the process has its own."""

    def persistent_id(self, each: object) -> str | None:
        return _RUN if isinstance(each, Run) else None


def packed(*values: Any) -> bytes:
    """Values as bytes, a run among them as a mark. Raises whatever the pickling of somebody's object does."""
    written = BytesIO()
    _Pickler(written, pickle.HIGHEST_PROTOCOL).dump(values)
    return written.getvalue()


def check_callable_in_process(task: Task, target: Any) -> None:
    """InvalidTask where another process can't be told the function or its arguments."""
    try:
        call = packed(target)
    except Exception as error:  # noqa: BLE001 - pickling somebody's object may raise anything
        raise InvalidTask(
            f"executor: a process can't be told {_name_of(target)} ({_words(error)}); give one that a module has "
            "by its name"
        ) from None
    if _MAIN in call and main_of(call) == (None, None):
        raise InvalidTask(f"executor: a process can't load {_name_of(target)}, for this program has no file")
    try:
        packed(task.args, dict(task.kwargs))
    except Exception as error:  # noqa: BLE001 - pickling somebody's object may raise anything
        raise InvalidTask(f"args: they can't be pickled, as a process of its own needs: {_words(error)}") from None


def main_of(call: bytes) -> tuple[str | None, str | None]:
    """Where the process finds the program's main module, where the call refers to it: a module's name, or a file."""
    if _MAIN not in call:
        return None, None
    main = sys.modules["__main__"]
    spec, path = getattr(main, "__spec__", None), getattr(main, "__file__", None)
    if spec is not None:
        return spec.name, None
    return None, None if path is None else str(Path(path).absolute())


def root_of(target: Any) -> tuple[str, str] | None:
    """The top package or module of a function, and the folder in which it lies; None where it lies in none."""
    name = getattr(target, "__module__", None) or ""
    file = getattr(sys.modules.get(name), "__file__", None)
    if not file or name == "__main__":
        return None
    top, *rest = name.split(".")
    path = Path(file).absolute()
    is_package = path.name.startswith("__init__.")
    return top, str(path.parents[len(rest) + is_package])


def _name_of(target: Any) -> str:
    return getattr(target, "__qualname__", None) or repr(target)


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
