"""The section `general`: where the node lives and what it is."""

from pathlib import Path
from typing import Annotated

from dms.config.setting import Applies, Section, Setting


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
