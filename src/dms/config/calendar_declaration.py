"""The `calendars` section: times that tasks leave out, by name. `dms.declared_tasks` makes calendars of it."""

from typing import Annotated

from dms.config.schema.checks import check_timezone
from dms.config.setting import Applies, Section, Setting


class CalendarDeclaration(Section, frozen=True):
    """Times that the tasks which name it in their `exclude` leave out: whatever falls on one of its dates or weekdays,
    or into one of its windows."""

    dates: Annotated[
        list[str],
        Setting(
            "Days: 2026-12-24, 12-24 (each year), 2026-12-24/2027-01-06 (both included).",
            [],
            "No day.",
            example="[12-25, 2026-12-31/2027-01-06]",
            applies=Applies.LIVE,
        ),
    ]
    weekdays: Annotated[
        list[str],
        Setting(
            "Weekdays: mon, tue, wed, thu, fri, sat, sun.",
            [],
            "No weekday.",
            example="[sat, sun]",
            applies=Applies.LIVE,
        ),
    ]
    windows: Annotated[
        list[str],
        Setting(
            "Windows of the day, from the first time to before the second, over midnight where that is earlier.",
            [],
            "No time of the day.",
            example='["22:00-06:00"]',
            applies=Applies.LIVE,
        ),
    ]
    timezone: Annotated[
        str | None,
        Setting(
            "On whose clock its days and times are read.",
            why="Unset: scheduler.timezone.",
            example="Europe/Helsinki",
            applies=Applies.LIVE,
            check=check_timezone,
        ),
    ]
