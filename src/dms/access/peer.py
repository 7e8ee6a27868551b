"""The process at the other end of a Unix socket, as the kernel vouches for it."""

import os
import pwd
import socket
import struct
from typing import NamedTuple

from dms.access.caller import ADMIN, Caller
from dms.errors import Refused

_CREDENTIALS = struct.Struct("3i")


class Peer(NamedTuple):
    """A process: its number, its user and its group."""

    pid: int
    uid: int
    gid: int


def peer_of(connected: socket.socket) -> Peer:
    """Who is at the other end. OSError where the system can't tell."""
    credentials = connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return Peer(*_CREDENTIALS.unpack(credentials))


def caller_by_socket(peer: Peer, own_uid: int) -> Caller:
    """The caller that a peer is: the node's own user and root may do everything, and Refused everybody else."""
    if peer.uid not in (0, own_uid):
        raise Refused(
            f"user {user_name(peer.uid)} may not command this node, which runs as {user_name(own_uid)}; "
            f"ask as {user_name(own_uid)} or as root"
        )
    return Caller(user_name(peer.uid), "socket", frozenset({ADMIN}))


def user_name(uid: int) -> str:
    """What a user is called, or the number where the system has no name for it."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def own_uid() -> int:
    """The user that this process acts as."""
    return os.geteuid()
