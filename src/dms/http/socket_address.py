"""The door's socket, bound by us: a server that binds by itself ends the process where it can't."""

import errno
import os
import socket

from dms.errors import AddressInUse, ConfigError

BACKLOG = 128
"""Connections that may wait to be accepted."""


def bind(address: str, port: int, beside: socket.socket | None = None) -> socket.socket:
    """A socket that is bound there and, but for one `beside` another socket of ours at the same port, listens.
    AddressInUse where somebody else listens; ConfigError where this machine or this user may not."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # by which asyncio knows to send at once
    except OSError as error:
        raise unbindable(error, address, port) from None
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)  # `::` is every network, as 0.0.0.0 is
        for each in (bound, beside):
            if beside is not None and each is not None:
                share(each, True)
        bound.bind((address, port))
        if beside is None:
            bound.listen(BACKLOG)
    except OSError as error:
        bound.close()
        raise unbindable(error, address, port) from None
    os.register_at_fork(after_in_child=bound.close)  # what a task forks may outlive the node
    return bound


def share(bound: socket.socket, shared: bool) -> None:
    """Whether another socket of this user that shares too may be bound at the same port."""
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, shared)


def unbindable(error: OSError, address: str, port: int) -> AddressInUse | ConfigError:
    """What it means that nobody can listen there, and what to do."""
    if error.errno == errno.EADDRINUSE:
        return AddressInUse(
            f"rest.port: {address} port {port} is taken, perhaps by another node; stop it, or give this one "
            "another port (0: any free one), or close its TCP door with rest.enabled: false"
        )
    hints = {
        errno.EADDRNOTAVAIL: "it is no address of this machine",
        errno.EACCES: "only root may listen at so low a port; take one from 1024 on",
        errno.EAFNOSUPPORT: "this machine does not speak that version of IP",
    }
    why = hints.get(error.errno or 0, error.strerror or str(error))
    return ConfigError(f"rest.addr: can't listen at {address} port {port}: {why}")
