"""From a data folder to a connected socket, or to an error that says what to do."""

import os
import shlex
import socket

from dms.access.peer import peer_of
from dms.access.socket_place import LONGEST, find_socket
from dms.errors import NoNode, Refused

_CONNECT_SECONDS = 5.0


def connect(data_dir: str | os.PathLike[str]) -> socket.socket:
    """A socket that is connected to the node of this data folder, without a timeout.

    NoNode where none answers; Refused where the node is somebody else's.
    """
    folder = os.fspath(data_dir)
    connecting = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connecting.settimeout(_CONNECT_SECONDS)
        _connect(connecting, find_socket(folder))
        _check_owner(connecting, folder)
        connecting.settimeout(None)
    except (OSError, Refused) as error:
        connecting.close()
        raise _told(error, folder) from None
    return connecting


def _connect(connecting: socket.socket, path: str) -> None:
    """A node that was given a short relative path may lie at a long absolute one: go by its folder then."""
    if len(os.fsencode(path)) <= LONGEST:
        connecting.connect(path)
        return
    folder = os.open(os.path.dirname(path), os.O_PATH | os.O_DIRECTORY)
    try:
        connecting.connect(f"/proc/self/fd/{folder}/{os.path.basename(path)}")
    finally:
        os.close(folder)


def _check_owner(connected: socket.socket, folder: str) -> None:
    """Who listens must be us, root, or the owner of the data folder: in a shared folder anybody can make a socket."""
    uid = peer_of(connected).uid
    if uid not in (0, os.geteuid(), os.stat(folder).st_uid):
        raise Refused(
            f"what listens for {folder} belongs to user {uid} and not to the folder's owner; it is not trusted"
        )


def _told(error: OSError | Refused, folder: str) -> Exception:
    match error:
        case PermissionError():
            return Refused(f"the node at {folder} is another user's; ask as that user or as root")
        case TimeoutError() | BlockingIOError():
            return NoNode(f"the node at {folder} does not answer; it hangs or is overloaded")
        case OSError():
            why = "" if os.path.isdir(folder) else " (there is no such folder)"
            return NoNode(f"no node answers at {folder}{why}; start one with: {_starting(folder)}")
    return error


def _starting(folder: str) -> str:
    """What starts a node there: a script that asks for us names its own companion, and the folder that both take."""
    command = os.environ.get("DMS_RUN_COMMAND")
    if command and folder == os.environ.get("DMS_GENERAL__DATA_DIR"):
        return command
    return f"{command or 'dms run'} --data-dir {shlex.quote(folder)}"
