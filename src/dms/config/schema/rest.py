"""The section `rest`: the TCP door."""

from pathlib import Path
from typing import Annotated

from msgspec import Meta

from dms.config.authority import check_address, check_hosts, check_origins
from dms.config.setting import Applies, Section, Setting


class RestSection(Section, frozen=True):
    """The TCP door: HTTP and WebSocket at one address."""

    enabled: Annotated[
        bool,
        Setting(
            "Whether there is a TCP door; the Unix socket is there in any case.",
            default=True,
            why="The address of this machine alone, and nobody comes in without a token.",
            example="false",
            applies=Applies.LIVE,
            scope="admin",
            closed=False,
        ),
    ]
    addr: Annotated[
        str,
        Setting(
            "The IP address that the door listens at. A wider one than the machine's own needs tls_certificate, or "
            "allow_plain.",
            default="127.0.0.1",
            why="Whom the node is open to is for you to say.",
            example="0.0.0.0",
            applies=Applies.LIVE,
            scope="admin",
            closed="127.0.0.1",
            check=check_address,
        ),
    ]
    port: Annotated[
        int,
        Meta(ge=0, le=65_535),
        Setting(
            "The port that the door listens at; 0: any free one, which dms status tells.",
            default=9999,
            why="The one that DMS has always had.",
            example="8443",
            applies=Applies.LIVE,
            scope="admin",
        ),
    ]
    allowed_hosts: Annotated[
        list[str],
        Setting(
            "The names, with or without a port, by which the node is addressed (the header Host), besides localhost, "
            "the loopback addresses and addr.",
            default=[],
            why="A page that got its own name to mean this machine (DNS rebinding) is refused, also at loopback.",
            example="[node7.example]",
            applies=Applies.LIVE,
            scope="admin",
            closed=[],
            check=check_hosts,
        ),
    ]
    allowed_origins: Annotated[
        list[str],
        Setting(
            "The web pages, as scheme://host:port, that may talk to the node from a browser (the header Origin), "
            "besides its own.",
            default=[],
            why="A page that somebody visits has no business here; programs other than browsers send no Origin.",
            example='["https://console.example"]',
            applies=Applies.LIVE,
            scope="admin",
            closed=[],
            check=check_origins,
        ),
    ]
    tls_certificate: Annotated[
        Path | None,
        Setting(
            "The certificate, with those that vouch for it, as a PEM file; none: without TLS. A renewed file is taken "
            "at once.",
            default=None,
            why="At loopback nothing leaves the machine, and a certificate is for you to get.",
            example="/etc/dms/node.crt",
            applies=Applies.LIVE,
            scope="admin",
            closed=None,
        ),
    ]
    tls_key: Annotated[
        Path | None,
        Setting(
            "The certificate's private key, a PEM file without a passphrase; none: it is in the certificate's file.",
            default=None,
            why="Many tools write one file for both, many write two.",
            example="/etc/dms/node.key",
            applies=Applies.LIVE,
            scope="admin",
            closed=None,
        ),
    ]
    allow_plain: Annotated[
        bool,
        Setting(
            "Listen wider than the machine itself without TLS. Tokens then go over the network in clear.",
            default=False,
            why="Only right where something else encrypts, such as a VPN, or a proxy in the same pod.",
            example="true",
            applies=Applies.LIVE,
            scope="admin",
            closed=False,
        ),
    ]
    max_connections: Annotated[
        int,
        Meta(ge=1, le=100_000),
        Setting(
            "How many connections may be open at once, WebSockets included.",
            default=256,
            why="More than a fleet of dashboards, and few enough for the files that a process may open.",
            unit="connections",
            example="32",
            applies=Applies.LIVE,
        ),
    ]
    max_rate: Annotated[
        int,
        Meta(ge=0, le=1_000_000),
        Setting(
            "How many requests a second one token may send on average, by REST and WebSocket together; 0: any number.",
            default=1_000,
            why="More than people and their dashboards need; a loop that ran wild is stopped.",
            unit="requests a second",
            example="50",
            applies=Applies.LIVE,
            scope="admin",
        ),
    ]
