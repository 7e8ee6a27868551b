"""The socket's file: bound so that only its owner can open it, and cleared away where nobody listens any more."""

import os
import socket
import stat
from pathlib import Path

from dms.errors import FolderInUse, StoreError

_ONLY_THE_OWNER = 0o177


def bind(path: Path) -> socket.socket:
    """A listening socket at this path, with mode 0600 from its first moment on.

    FolderInUse where somebody listens there already; StoreError where the path can't be bound.
    """
    clear(path)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(_ONLY_THE_OWNER)
    try:
        listening.bind(os.fspath(path))
        listening.listen(128)
    except OSError as error:
        listening.close()
        raise StoreError(f"{path}: the node's socket can't be made there: {error.strerror}") from error
    finally:
        os.umask(before)
    listening.setblocking(False)
    return listening


def clear(path: Path) -> None:
    """Remove a socket that a node left behind. FolderInUse where one listens; StoreError where it is no socket."""
    try:
        kind = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(kind):
        raise StoreError(f"{path} is in the way of the node's socket and is none; move it elsewhere")
    if _answers(path):
        raise FolderInUse(f"another node listens at {path}; stop it, or choose another data folder")
    path.unlink(missing_ok=True)


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.settimeout(1)
        try:
            asking.connect(os.fspath(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:
            return True
        return True
