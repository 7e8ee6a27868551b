"""The Python client of the command channel: `Client` blocks, `AsyncClient` awaits. `dms` itself stands on it.

>>> from dms.client import Client
>>> Client("/nowhere").call("rpc.ping")
Traceback (most recent call last):
dms.errors.NoNode: no node answers at /nowhere (there is no such folder); start one with: dms run --data-dir /nowhere
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dms.client.asynchronous import AsyncClient
    from dms.client.blocking import Client

__all__ = ["AsyncClient", "Client"]

_MODULES = {"AsyncClient": "dms.client.asynchronous", "Client": "dms.client.blocking"}


def __getattr__(name: str) -> Any:
    """Import what is asked for only then: whoever blocks needs no event loop."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_MODULES[name]), name)
