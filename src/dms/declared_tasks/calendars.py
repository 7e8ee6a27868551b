"""The `calendars` section: from configuration to calendars.

One of which anything can't be read is no calendar at all: what names it would run at times that were meant to be left
out, so that it is parked instead.
"""

import msgspec

from dms.background_tasks.triggers.exclusion import Calendar, why_unknown
from dms.config import CalendarDeclaration, ConfigFinding, Loaded
from dms.errors import InvalidInput


class DeclaredCalendars(msgspec.Struct, frozen=True):
    """The calendars that are good, why others are not, and what is wrong beyond what the configuration's own check
    found."""

    good: dict[str, Calendar]
    bad: dict[str, str]
    findings: list[ConfigFinding]

    def why_not(self, name: str) -> str:
        """Why nothing can keep to a calendar; empty where it can."""
        if name in self.bad:
            return f"the calendar {name} can't be used: {self.bad[name]}"
        return "" if name in self.good else why_unknown(name, self.good)


def calendars_from(loaded: Loaded) -> DeclaredCalendars:
    """The calendars that a configuration declares."""
    declared = DeclaredCalendars({}, {}, [])
    for finding in loaded.findings:
        if finding.path[:1] == ("calendars",) and len(finding.path) > 1 and finding.code in ("bad_value", "bad_key"):
            declared.bad[str(finding.path[1])] = str(finding)
    for name, declaration in loaded.config.calendars.items():
        if name not in declared.bad:
            _make(name, declaration, loaded, declared)
    return declared


def _make(name: str, declaration: CalendarDeclaration, loaded: Loaded, declared: DeclaredCalendars) -> None:
    try:
        declared.good[name] = Calendar(
            dates=declaration.dates,
            weekdays=declaration.weekdays,
            windows=declaration.windows,
            timezone=declaration.timezone,
        )
    except InvalidInput as error:
        key, _, message = str(error).partition(": ")
        finding = loaded.finding("invalid_calendar", ("calendars", name, key), message)
        declared.findings.append(finding)
        declared.bad[name] = str(finding)
