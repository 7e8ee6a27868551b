"""The sections of the configuration that the node itself has; the `tasks` section is in `task_declaration`."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from dms.config.authority import check_address, check_hosts, check_origins
from dms.config.setting import Applies, Section, Setting
from dms.errors import InvalidInput


def check_timezone(name: str) -> None:
    """InvalidInput unless it is the IANA name of a time zone."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidInput(f"{name!r} is not a time zone; give an IANA name such as Europe/Helsinki") from None


def check_positive(length: timedelta) -> None:
    """InvalidInput where a length of time is nothing."""
    if not length:
        raise InvalidInput("0 is too short here; give a length of time such as 1s")


def check_a_second(length: timedelta) -> None:
    """InvalidInput where a length of time is less than a second."""
    if length < timedelta(seconds=1):
        raise InvalidInput("less than a second is too short here; give a length of time such as 5s")


def check_endpoint(address: str) -> None:
    """InvalidInput unless it is the address of a collector, without anything secret in it."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(address)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good or not address.isascii() or not address.isprintable() or " " in address:
        raise InvalidInput(f"{address!r} is no collector's address; give one such as http://localhost:4318")
    if "@" in parts.netloc:
        raise InvalidInput("a password has no place here; give it as OTEL_EXPORTER_OTLP_HEADERS in the environment")
    if parts.query or parts.fragment:
        raise InvalidInput("what follows ? or # has no place here; /v1/logs and the like are added to it")


def check_flush_interval(length: timedelta) -> None:
    """InvalidInput where a collector would be asked all the time, or hardly ever."""
    if not timedelta(milliseconds=100) <= length <= timedelta(hours=1):
        raise InvalidInput("give a length of time from 100ms to 1h")


class GeneralSection(Section, frozen=True):
    """Where the node lives and what it is."""

    data_dir: Annotated[
        Path,
        Setting(
            "The folder of the node's database and socket: what makes this node this node.",
            default=lambda machine: Path(machine.usual_data_dir),
            why="/var/lib/dms as root, else ~/.dms: where a service of the system, or of one user, keeps its data.",
            example="/srv/dms",
            place=True,
        ),
    ]
    user_dir: Annotated[
        Path,
        Setting(
            "The folder in which the configuration is looked for after the working directory.",
            default=lambda machine: Path(machine.home, ".dms"),
            why="A user's own configuration, beside the user's other settings.",
            example="~/.config/dms",
            place=True,
            early=True,
        ),
    ]
    work_dir: Annotated[
        Path,
        Setting(
            "The working folder of programs that tasks run.",
            default=lambda machine: Path(machine.data_dir, "work"),
            why="Inside the data folder, so that what a task drops lies neither in / nor where DMS was started.",
            example="/srv/work",
            applies=Applies.NEXT_RUN,
            scope="exec:run",
        ),
    ]
    debug: Annotated[
        bool,
        Setting(
            "Debug logging, whatever observability.log_level says.",
            default=False,
            why="It is loud; for looking into something.",
            example="true",
            applies=Applies.LIVE,
        ),
    ]
    host_country: Annotated[
        str,
        Setting(
            "The country the machine stands in: one of the node's facts.",
            default="",
            why="Only you know.",
            example="FI",
            applies=Applies.NEXT_RUN,
        ),
    ]
    host_city: Annotated[
        str,
        Setting(
            "The city the machine stands in: one of the node's facts.",
            default="",
            why="Only you know.",
            example="Oulu",
            applies=Applies.NEXT_RUN,
        ),
    ]
    host_continent: Annotated[
        str,
        Setting(
            "The continent the machine stands on: one of the node's facts.",
            default="",
            why="Only you know.",
            example="Europe",
            applies=Applies.NEXT_RUN,
        ),
    ]


class SchedulerSection(Section, frozen=True):
    """How tasks are run."""

    max_running_tasks: Annotated[
        int,
        Meta(ge=1, le=10_000),
        Setting(
            "How many tasks run at once; those that come due beyond it wait, none is lost.",
            default=lambda machine: max(4, 2 * machine.cores),
            why="Twice the cores, at least 4: most tasks wait for something.",
            unit="tasks",
            example="8",
            applies=Applies.LIVE,
        ),
    ]
    timezone: Annotated[
        str,
        Setting(
            "The time zone of every cron expression and moment that names none.",
            default=lambda machine: machine.timezone or "UTC",
            why="The host's own zone; UTC (and a finding) where the host doesn't tell.",
            example="Europe/Helsinki",
            check=check_timezone,
            applies=Applies.LIVE,
        ),
    ]
    aging_quantum: Annotated[
        timedelta,
        Setting(
            "How long a waiting task waits until its priority rises by one step.",
            default=timedelta(minutes=1),
            why="Urgent work goes first, and nothing starves.",
            example="30s",
            check=check_positive,
            applies=Applies.LIVE,
        ),
    ]
    import_paths: Annotated[
        list[Path],
        Setting(
            "Folders from which `call:` may load functions, besides the installed packages. What you name here may run "
            "as the node's user; only files are loaded that root or that user owns and nobody else can write.",
            default=[],
            why="Nothing is loaded from a folder that nobody named.",
            example="[./tasks]",
            scope="exec:run",
            applies=Applies.LIVE,
        ),
    ]
    history_max_count: Annotated[
        int,
        Meta(ge=1, le=1_000_000),
        Setting(
            "How many executions of each task are kept.",
            default=1000,
            why="Weeks of a task that runs every half hour, and less than a megabyte.",
            unit="executions",
            example="200",
            applies=Applies.LIVE,
        ),
    ]
    history_max_age: Annotated[
        timedelta,
        Setting(
            "How long an execution is kept.",
            default=timedelta(days=90),
            why="A season: long enough to compare, short enough for a small disk.",
            example="30d",
            check=check_positive,
            applies=Applies.LIVE,
        ),
    ]
    poll_interval: Annotated[
        timedelta,
        Setting(
            "How often a third party's trigger is asked whether it is ready, if it can't say when it will be.",
            default=timedelta(seconds=1),
            why="Soon enough for people, and a sleeping machine hardly notices.",
            example="5s",
            check=check_positive,
            applies=Applies.LIVE,
        ),
    ]


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


class WebSocketSection(Section, frozen=True):
    """What one WebSocket may ask for. A change counts for those that are opened from then on."""

    max_message: Annotated[
        int,
        Meta(ge=1_024, le=64 * 1024 * 1024),
        Setting(
            "How long a message to the node may be.",
            default=1024 * 1024,
            why="Far more than any command needs, and little enough for a small device.",
            unit="bytes",
            example="4194304",
            applies=Applies.LIVE,
        ),
    ]
    max_in_flight: Annotated[
        int,
        Meta(ge=1, le=10_000),
        Setting(
            "How many commands one socket may have under way.",
            default=64,
            why="More than any console asks at once; one socket alone can't fill the node.",
            unit="commands",
            example="256",
            applies=Applies.LIVE,
        ),
    ]
    max_subscriptions: Annotated[
        int,
        Meta(ge=0, le=1_000),
        Setting(
            "How many topics one socket may follow.",
            default=32,
            why="Every topic several times over.",
            unit="subscriptions",
            example="8",
            applies=Applies.LIVE,
        ),
    ]
    max_sockets: Annotated[
        int,
        Meta(ge=1, le=100_000),
        Setting(
            "How many sockets may be open by one token.",
            default=8,
            why="A console in a few windows; who needs more makes more tokens.",
            unit="sockets",
            example="64",
            applies=Applies.LIVE,
        ),
    ]
    send_buffer: Annotated[
        int,
        Meta(ge=64 * 1024, le=64 * 1024 * 1024),
        Setting(
            "How much may wait for one that reads slowly, before it is read from more slowly.",
            default=1024 * 1024,
            why="What a slow reader may cost in memory.",
            unit="bytes",
            example="262144",
            applies=Applies.LIVE,
        ),
    ]
    ping_interval: Annotated[
        timedelta,
        Setting(
            "After how long without a word the peer is asked whether it is still there.",
            default=timedelta(seconds=20),
            why="Shorter than the 30 s after which many proxies cut a silent connection.",
            example="1m",
            applies=Applies.LIVE,
            check=check_a_second,
        ),
    ]
    hello_timeout: Annotated[
        timedelta,
        Setting(
            "How long one that came without a token may take to show it.",
            default=timedelta(seconds=5),
            why="A network's worst, and no free place for strangers.",
            example="10s",
            applies=Applies.LIVE,
            check=check_a_second,
        ),
    ]


class ObservabilitySection(Section, frozen=True):
    """What the node says about itself."""

    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Setting(
            "The least level that is logged.",
            default="info",
            why="What happened, without how.",
            example="warning",
            applies=Applies.LIVE,
        ),
    ]
    log_file: Annotated[
        Path | None,
        Setting(
            "The file that the log is written to as well, a JSON object a line; none: only standard error.",
            default=None,
            why="A service manager or a container keeps standard error already.",
            example="/var/log/dms/dms.log",
            applies=Applies.LIVE,
            scope="admin",
        ),
    ]
    max_size: Annotated[
        int,
        Meta(ge=1, le=10_000),
        Setting(
            "How big the log's file becomes before another one is begun.",
            default=10,
            why="Days of an ordinary node, and small enough to send to somebody.",
            unit="MB",
            example="50",
            applies=Applies.LIVE,
        ),
    ]
    max_backups: Annotated[
        int,
        Meta(ge=0, le=100),
        Setting(
            "How many full files of the log are kept.",
            default=5,
            why="With the file in use at most 60 MB: little even on a small device.",
            unit="files",
            example="10",
            applies=Applies.LIVE,
        ),
    ]
    max_age: Annotated[
        int,
        Meta(ge=1, le=3_650),
        Setting(
            "How long a full file of the log is kept.",
            default=30,
            why="Long enough to look into what was told late.",
            unit="days",
            example="90",
            applies=Applies.LIVE,
        ),
    ]
    otlp_endpoint: Annotated[
        str | None,
        Setting(
            "The OpenTelemetry collector that gets log, traces and metrics, by OTLP over HTTP; none: nobody does.",
            default=None,
            why="Nothing leaves the machine unless you say where to.",
            example="http://localhost:4318",
            check=check_endpoint,
            applies=Applies.LIVE,
            scope="admin",
        ),
    ]
    flush_interval: Annotated[
        timedelta,
        Setting(
            "How often the collector gets what has come; sooner where that is much.",
            default=timedelta(seconds=10),
            why="Soon enough to look at, and a small device's radio may rest in between.",
            example="60s",
            check=check_flush_interval,
            applies=Applies.LIVE,
        ),
    ]


class ShutdownSection(Section, frozen=True):
    """How the node stops."""

    timeout: Annotated[
        timedelta,
        Setting(
            "How long a stop may take, from the signal to the end of the process.",
            default=timedelta(seconds=9),
            why="Docker kills after 10 seconds.",
            example="60s",
            applies=Applies.LIVE,
            check=check_positive,
        ),
    ]
