"""The section `scheduler`: how tasks are run and remembered."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from dms.config.schema.checks import check_positive, check_timezone
from dms.config.setting import Applies, Section, Setting


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
    trust_clock: Annotated[
        Literal["when_synchronized", "always"],
        Setting(
            "When the wall clock is taken to be right: once a time service has set it (systemd's, chrony, ntpd), or "
            "always, for a machine that has a good clock and no such service.",
            default="when_synchronized",
            why="A device without a clock of its own wakes in 1970, and deletes nothing for its age until it knows "
            "better.",
            example="always",
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
    history_max_size: Annotated[
        int,
        Meta(ge=1, le=1_000_000),
        Setting(
            "How much the executions of all tasks may take together in the database; beyond it the oldest go, but for "
            "the last of each task.",
            default=200,
            why="A million short ones: little even on a small device's card.",
            unit="MB",
            example="1000",
            applies=Applies.LIVE,
        ),
    ]
    log_max_run: Annotated[
        int,
        Meta(ge=0, le=1_000_000),
        Setting(
            "How much is kept of what one attempt of a run logs and prints: its first half and its latest lines; "
            "0 keeps nothing.",
            default=1000,
            why="Ten thousand lines, and the end of those that write without end.",
            unit="kB",
            example="200",
            applies=Applies.LIVE,
        ),
    ]
    log_max_task: Annotated[
        int,
        Meta(ge=1, le=1_000_000),
        Setting(
            "How much of that is kept of one task; beyond it the oldest go, whatever the history keeps.",
            default=10,
            why="No single task takes the place of all others.",
            unit="MB",
            example="100",
            applies=Applies.LIVE,
        ),
    ]
    log_max_all: Annotated[
        int,
        Meta(ge=1, le=1_000_000),
        Setting(
            "How much of that is kept of all tasks together.",
            default=200,
            why="Little even on a small device's card.",
            unit="MB",
            example="2000",
            applies=Applies.LIVE,
        ),
    ]
    catch_up_spread: Annotated[
        timedelta,
        Setting(
            "Over how long after a start of the node the runs are spread that make up for what was missed before it; "
            "each task has its own share, by its name and the node's. 0s makes up for all at once.",
            default=timedelta(minutes=1),
            why="A fleet that gets its power back does not ask its servers in the same second.",
            example="10m",
        ),
    ]
    quarantine_after: Annotated[
        int,
        Meta(ge=0, le=1_000),
        Setting(
            "In how many crashes in a row a task may be running, within an hour of its start and without a success in "
            "between, before it is held back until somebody resumes or runs it; 0 never holds it back.",
            default=3,
            why="A task that takes the node down with it must not do so for ever; a power cut or two is no proof.",
            unit="crashes",
            example="5",
            applies=Applies.RESTART,
        ),
    ]
    record_size: Annotated[
        int,
        Meta(ge=0, le=1_000_000),
        Setting(
            "How much is recorded, from each start on, of what the scheduler is told and decides, so that an incident "
            "can be replayed (`dms task replay`); 0 records nothing.",
            default=0,
            why="It is for those who look for a fault; 64 MB are more than a hundred thousand runs.",
            unit="MB",
            example="64",
            applies=Applies.RESTART,
        ),
    ]
    poll_interval: Annotated[
        timedelta,
        Setting(
            "How often a third party's trigger is asked whether it is ready, if it can't say when it will be; and how "
            "often a gate that a task waits for.",
            default=timedelta(seconds=1),
            why="Soon enough for people, and a sleeping machine hardly notices.",
            example="5s",
            check=check_positive,
            applies=Applies.LIVE,
        ),
    ]
