"""Where the door is, as the configuration says it, and what speaks against that."""

from ipaddress import ip_address
from pathlib import Path

import msgspec

from dms.config.schema import RestSection
from dms.errors import ConfigError


class Listening(msgspec.Struct, frozen=True):
    """An IP address and a port to listen at; and where it is to be encrypted the certificate, and its key's file."""

    address: str
    port: int
    certificate: Path | None = None
    key: Path | None = None

    @property
    def place(self) -> tuple[str, int, bool]:
        """What another listener is needed for where it changes."""
        return self.address, self.port, self.certificate is not None

    def url(self, port: int) -> str:
        """The address as a client writes it."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{'http' if self.certificate is None else 'https'}://{host}:{port}"


def listening_of(rest: RestSection, certain: bool = True) -> Listening | None:
    """Where the door is to be; None where there is to be none. ConfigError where it would be open to others in clear;
    that is never allowed where it is not `certain` that no TLS is wanted."""
    if not rest.enabled:
        return None
    if rest.tls_key is not None and rest.tls_certificate is None:
        raise ConfigError("rest.tls_key: there is no rest.tls_certificate; set both, or neither")
    if rest.tls_certificate is None and not (rest.allow_plain and certain) and not ip_address(rest.addr).is_loopback:
        raise ConfigError(
            f"rest.addr: {rest.addr} is open to others, and without TLS they could read every token; set "
            "rest.tls_certificate, or rest.allow_plain: true where something else encrypts"
        )
    return Listening(rest.addr, rest.port, rest.tls_certificate, rest.tls_key)


def files_of(rest: RestSection) -> list[Path]:
    """What of the door is kept in files of their own, and so can change while the configuration does not."""
    return [file for file in (rest.tls_certificate, rest.tls_key) if file is not None]


def closed(rest: RestSection) -> Listening:
    """Where the door is at a start while the configuration can't be followed: open to this machine alone."""
    return Listening("127.0.0.1", rest.port)
