"""Hosts and origins, as the headers `Host` and `Origin` and the allowlists for them are written. Pure."""

import re
from typing import NamedTuple

from dms.errors import InvalidInput

DEFAULT_PORTS = {"http": 80, "https": 443}

_AUTHORITY = re.compile(r"(\[[0-9a-fA-F:.]+]|[A-Za-z0-9._-]+)(?::([0-9]{0,5}))?")
_ORIGIN = re.compile(r"([a-z][a-z0-9+.-]*)://([^/]+)", re.IGNORECASE)


class Authority(NamedTuple):
    """A host in small letters, without a last dot, an address of IP version 6 in brackets and its shortest form; and a
    port, where one is said."""

    host: str
    port: int | None


class WebOrigin(NamedTuple):
    """Where a page comes from: its scheme, and the host and port it was loaded from."""

    scheme: str
    host: str
    port: int | None


def read_authority(text: str) -> Authority:
    """Read `host` or `host:port`. InvalidInput where it is neither.

    >>> read_authority("Node.Example.:9999")
    Authority(host='node.example', port=9999)
    >>> read_authority("[0:0:0:0:0:0:0:1]")
    Authority(host='[::1]', port=None)
    """
    found = _AUTHORITY.fullmatch(text)
    host = "" if found is None else _plain_host(found[1])
    if found is None or not host:
        raise InvalidInput("is no host such as node.example, node.example:9999 or [fe80::1]")
    return Authority(host, int(found[2]) if found[2] else None)


def _plain_host(host: str) -> str:
    if not host.startswith("["):
        return host.lower().removesuffix(".")
    from ipaddress import IPv6Address  # 3 ms, and hardly anybody needs it

    try:
        return f"[{IPv6Address(host[1:-1]).compressed}]"
    except ValueError:
        return ""


def read_origin(text: str) -> WebOrigin:
    """Read `scheme://host` or `scheme://host:port`; the port that a scheme has anyway is filled in. InvalidInput where
    it is neither, `null` included.

    >>> read_origin("https://Console.Example")
    WebOrigin(scheme='https', host='console.example', port=443)
    """
    found = _ORIGIN.fullmatch(text)
    if found is None:
        raise InvalidInput("is no origin such as https://console.example")
    host, port = read_authority(found[2])
    scheme = found[1].lower()
    return WebOrigin(scheme, host, port or DEFAULT_PORTS.get(scheme))


def check_hosts(hosts: list[str]) -> None:
    """InvalidInput unless each is a host, with or without a port."""
    for host in hosts:
        try:
            read_authority(host)
        except InvalidInput as error:
            raise InvalidInput(f"{host!r} {error}; each stands for itself, and none for others") from None


def check_origins(origins: list[str]) -> None:
    """InvalidInput unless each is an origin."""
    for origin in origins:
        try:
            read_origin(origin)
        except InvalidInput as error:
            raise InvalidInput(f"{origin!r} {error}; each stands for itself, and none for others") from None


def check_address(address: str) -> None:
    """InvalidInput unless it is an IP address."""
    from ipaddress import ip_address

    try:
        ip_address(address)
    except ValueError:
        raise InvalidInput(
            f"{address!r} is not an IP address; 127.0.0.1 is this machine alone, 0.0.0.0 and :: are every network"
        ) from None
