"""Which requests may come in at all: those that address the node by a name of its own, and that no foreign page made.

A browser sends `Host` and `Origin` as they are: a page whose name was made to mean this machine (DNS rebinding) shows
in the first, any other foreign page in the second. So both are checked, also at loopback.
"""

from collections.abc import Callable, Sequence
from ipaddress import ip_address

from dms.config.authority import DEFAULT_PORTS, Authority, read_authority, read_origin
from dms.config.leaf import shown
from dms.config.schema import RestSection
from dms.errors import InvalidInput

Headers = Sequence[tuple[bytes, bytes]]
"""A request's, as ASGI has them: names in lower case."""


class LiveGuard:
    """What is wrong with a request's headers, by the settings now."""

    def __init__(self, rest: RestSection) -> None:
        self.follow(rest)

    def follow(self, rest: RestSection) -> None:
        """From now on go by these settings."""
        self._objection = guard_of(rest)

    def __call__(self, headers: Headers) -> str | None:
        """What speaks against a request; None where nothing does."""
        return self._objection(headers)


def guard_of(rest: RestSection) -> Callable[[Headers], str | None]:
    """What is wrong with a request's headers, by these settings; the text says which entry is missing where. None where
    nothing is wrong."""
    hosts = {read_authority(host) for host in rest.allowed_hosts}
    hosts |= _own_address(rest.addr)
    origins = {read_origin(origin) for origin in rest.allowed_origins}

    def guard(headers: Headers) -> str | None:
        given = _only(headers, b"host")
        try:
            host = read_authority(given or "")
        except InvalidInput as error:
            return f"the header Host {_told(headers, b'host')} {error}"
        if not (_is_this_machine(host.host) or host in hosts or host._replace(port=None) in hosts):
            return (
                f"the Host {shown(given)} is not a name of this node; if it is meant to be one, "
                f"add {shown(_entry(host))} to rest.allowed_hosts"
            )
        return _objection_to_origin(headers, host)

    def _objection_to_origin(headers: Headers, host: Authority) -> str | None:
        if not any(name == b"origin" for name, _ in headers):
            return None
        given = _only(headers, b"origin")
        try:
            origin = read_origin(given or "")
        except InvalidInput as error:
            return f"the header Origin {_told(headers, b'origin')} {error}, and no other page may talk to this node"
        own = (host.host, host.port or DEFAULT_PORTS.get(origin.scheme))
        if origin in origins or (origin.scheme in DEFAULT_PORTS and own == (origin.host, origin.port)):
            return None
        return (
            f"pages of the Origin {shown(given)} may not talk to this node; if they are meant to, "
            f"add {shown(given)} to rest.allowed_origins"
        )

    return guard


def _own_address(addr: str) -> set[Authority]:
    """The address to listen at, as a Host says it; none where that is every address."""
    address = ip_address(addr.partition("%")[0])
    text = f"[{address}]" if address.version == 6 else str(address)
    return set() if address.is_unspecified else {read_authority(text)}


def _only(headers: Headers, wanted: bytes) -> str | None:
    """The one header of that name; None where there is none, or more than one."""
    found = [value for name, value in headers if name == wanted]
    return found[0].decode("latin-1").strip() if len(found) == 1 else None


def _told(headers: Headers, name: bytes) -> str:
    given = _only(headers, name)
    return "must come once, and so" if given is None else shown(given)


def _entry(host: Authority) -> str:
    return host.host if host.port is None else f"{host.host}:{host.port}"


def _is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
