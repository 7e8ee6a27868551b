"""The section `shutdown`: how the node stops."""

from datetime import timedelta
from typing import Annotated

from dms.config.schema.checks import check_positive
from dms.config.setting import Applies, Section, Setting


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
