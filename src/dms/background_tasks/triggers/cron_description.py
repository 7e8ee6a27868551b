"""A cron expression in a few words, for the task list; what has no short name stays as it is written."""

import re

from dms.background_tasks.triggers.cron_fields import MONTH_NAMES, NICKNAMES, REBOOT, WEEKDAY_NAMES

_NUMBER = re.compile(r"\d+")
_WEEKDAYS = re.compile(r"(\w{1,3})(?:-(\w{1,3}))?")
_MOST_TIMES = 3


def describe(text: str, place: str = "") -> str:
    """The usual shapes as people say them, else the text itself; `place` names the zone where times of day are told.

    >>> describe("0 3 * * *", "Helsinki")
    '03:00 daily, Helsinki'
    >>> describe("*/15 * * * *")
    'every 15 minutes'
    >>> describe("0 8,18 * * mon-fri")
    '08:00 and 18:00 Mon-Fri'
    >>> describe("0 8 1-7 * fri")
    '0 8 1-7 * fri'
    """
    lowered = text.strip().lower()
    if lowered == REBOOT:
        return "at boot"
    words = NICKNAMES.get(lowered, lowered).split()
    if len(words) != 5:
        return text
    minute, hour, *days = words
    if hour == "*":
        return (days == ["*"] * 3 and _within_hours(minute)) or text
    times, when = _times(minute, hour), _days(*days)
    return f"{times} {when}{place and ', ' + place}" if times and when else text


def _within_hours(minute: str) -> str:
    if minute in ("*", "*/1"):
        return "every minute"
    if _NUMBER.fullmatch(minute):
        return f"hourly at :{int(minute):02}" if int(minute) else "hourly"
    step = minute.removeprefix("*/")
    if step.isdigit() and step != minute and 60 % int(step) == 0:
        return f"every {int(step)} minutes" if int(step) < 60 else "hourly"
    return ""


def _times(minute: str, hour: str) -> str:
    hours = hour.split(",")
    if not _NUMBER.fullmatch(minute) or len(hours) > _MOST_TIMES or not all(map(_NUMBER.fullmatch, hours)):
        return ""
    *some, last = (f"{number:02}:{int(minute):02}" for number in sorted(set(map(int, hours))))
    return f"{', '.join(some)} and {last}" if some else last


def _days(day: str, month: str, weekday: str) -> str:
    if (day, month) in (("*", "*"), ("?", "*")):
        return "daily" if weekday in ("*", "?") else _weekdays(weekday)
    if weekday not in ("*", "?"):
        return ""
    return f"on {_day(day)}" if month == "*" and _day(day) else _date(day, month)


def _weekdays(weekday: str) -> str:
    found = _WEEKDAYS.fullmatch(weekday)
    names = [_weekday(name) for name in found.groups() if name] if found else [""]
    return "-".join(names) if all(names) else ""


def _weekday(name: str) -> str:
    known = WEEKDAY_NAMES[int(name) % 7] if name.isdigit() else name
    return known.capitalize() if known in WEEKDAY_NAMES else ""


def _day(day: str) -> str:
    if day == "l":
        return "the last day of the month"
    return f"the {_ordinal(int(day))}" if _NUMBER.fullmatch(day) else ""


def _date(day: str, month: str) -> str:
    if not _NUMBER.fullmatch(day):
        return ""
    name = MONTH_NAMES[int(month) - 1] if _NUMBER.fullmatch(month) else month
    return f"on {int(day)} {name.capitalize()}" if name in MONTH_NAMES else ""


def _ordinal(number: int) -> str:
    ending = "th" if 10 < number < 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
