"""Where a node's Unix socket is: in its data folder or, where that path is too long for the system, in a run-time
folder of the user's own, with a pointer file in the data folder. The node places it; whoever asks finds it."""

import os
import stat
from contextlib import suppress
from pathlib import Path

from dms.errors import Refused

SOCKET = "dms.sock"
POINTER = "dms.sock.path"

LONGEST = 107
"""Bytes that the path of a Unix socket may have on Linux."""


def place_socket(data_dir: str | os.PathLike[str]) -> Path:
    """The path that a node is to bind; the run-time folder and the pointer file are made where they are needed.

    Refused where the run-time folder is somebody else's; OSError where a file can't be written.
    """
    folder = Path(os.path.abspath(data_dir))
    pointer, inside = folder / POINTER, folder / SOCKET
    if _fits(inside):
        pointer.unlink(missing_ok=True)
        return inside
    elsewhere = _runtime_path(folder)
    pointer.write_bytes(os.fsencode(elsewhere) + b"\n")
    return elsewhere


def remove_socket(data_dir: str | os.PathLike[str], path: Path) -> None:
    """Take the socket and its pointer away again; what can't be taken away now, the next start does away with."""
    for file in (path, Path(data_dir) / POINTER):
        with suppress(OSError):
            file.unlink(missing_ok=True)


def find_socket(data_dir: str | os.PathLike[str]) -> str:
    """The path at which a node of this data folder would answer; whether one does is for `connect` to tell."""
    folder = os.path.abspath(data_dir)
    try:
        with open(os.path.join(folder, POINTER), "rb") as pointer:
            return os.fsdecode(pointer.read().strip())
    except OSError:
        return os.path.join(folder, SOCKET)


def _fits(path: Path) -> bool:
    return len(os.fsencode(path)) <= LONGEST


def _runtime_path(folder: Path) -> Path:
    import hashlib  # 5 ms that only a long path costs

    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16] + ".sock"
    given = os.environ.get("XDG_RUNTIME_DIR", "")
    path = Path(given, "dms", name)
    if given.startswith("/") and os.path.isdir(given) and _fits(path):
        return _own_folder(path.parent) / name
    return _own_folder(Path(f"/tmp/dms-{os.geteuid()}")) / name


def _own_folder(folder: Path) -> Path:
    """The folder, ours alone. In /tmp anybody may have made it before us, as a link or open to all: then Refused."""
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise Refused(
            f"{folder} is not a folder of this user's alone, so no socket can be placed there; "
            f"remove it, set XDG_RUNTIME_DIR, or choose a data folder with a shorter path"
        )
    return folder
