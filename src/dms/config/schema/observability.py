"""The section `observability`: what the node says about itself."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from dms.config.schema.checks import check_endpoint, check_flush_interval
from dms.config.setting import Applies, Section, Setting


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
