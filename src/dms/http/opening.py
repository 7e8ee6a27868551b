"""What a start makes of the configuration of the door: where it can't be followed, less and never more."""

import ssl
from collections.abc import Sequence
from typing import NamedTuple

from dms.config import ConfigFinding, Loaded
from dms.config.finding import key_path
from dms.errors import AddressInUse, ConfigError
from dms.http.listening import Listening, closed, listening_of
from dms.http.tls import tls_context

CLOSED = "rest_closed"
"""The code of the finding that the door is not where the configuration wants it."""


class Opening(NamedTuple):
    """Where the door opens at a start, what encrypts it there, and why that is not what the configuration wants."""

    listening: Listening | None
    tls: ssl.SSLContext | None
    findings: Sequence[ConfigFinding]


def opening_of(loaded: Loaded) -> Opening:
    """Where the door opens: to this machine alone where the configuration can't be followed."""
    try:
        listening = wanted(loaded)
        return Opening(listening, None if listening is None else tls_context(listening), ())
    except ConfigError as error:
        until = "Until it is mended the door is open to this machine alone"
        return Opening(closed(loaded.config.rest), None, [finding(loaded, error, until)])


def check_door(loaded: Loaded) -> list[ConfigFinding]:
    """What speaks against a configuration of the door, as far as it can be told without this machine."""
    try:
        wanted(loaded)
    except ConfigError as error:
        return [finding(loaded, error)]
    return []


def wanted(loaded: Loaded) -> Listening | None:
    """Where the configuration wants the door. ConfigError where it can't be wanted, also since somebody wanted TLS and
    said so badly."""
    tls_is_lost = any(each.path in (("rest", "tls_certificate"), ("rest", "tls_key")) for each in loaded.findings)
    return listening_of(loaded.config.rest, certain=not tls_is_lost)


def finding(loaded: Loaded, error: ConfigError | AddressInUse, and_so: str = "") -> ConfigFinding:
    """An error about a key of the door, as a finding with the key's place."""
    key, _, message = str(error).partition(": ")
    return loaded.finding(CLOSED, key_path(key), f"{message}. {and_so}" if and_so else message)
