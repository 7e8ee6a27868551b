"""The times that a cron expression names, on a clock that is never put forward or back.

A local time is whole seconds since 1970-01-01 00:00 of that clock. A month's days and a day's minutes are bits of an
int: the next, the last and the number of them each take a few operations however many there are.
"""

from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

from dms.background_tasks.triggers.cron_fields import CronFields

DAY = 86_400

_EPOCH = date(1970, 1, 1).toordinal()
_LENGTHS = (0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_MONTHS = ("", "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
           "November", "December")  # fmt: skip
_FEBRUARY = 2
_SIX_WEEKS = sum(1 << 7 * week for week in range(6))
_HOUR_BITS = tuple((1 << hour, 1 << 60 * hour) for hour in range(24))
_SUNDAY, _SATURDAY = 0, 6


class _Month(NamedTuple):
    first: int
    """Its first day, in days since 1970."""
    end: int
    """The next month's first day."""
    days: int
    """The days that fit; bit 0 is the first of the month."""


class CronCalendar:
    """The local times that the fields name."""

    __slots__ = ("_fields", "_first_second", "_minutes", "_month", "_per_minute", "_special", "_weeks")

    def __init__(self, fields: CronFields) -> None:
        self._fields = fields
        self._minutes = fields.minutes * sum(minute for hour, minute in _HOUR_BITS if fields.hours & hour)
        self._first_second = _lowest(fields.seconds)
        self._per_minute = fields.seconds.bit_count()
        self._weeks = fields.weekdays * _SIX_WEEKS
        self._special = bool(fields.from_end or fields.nearest or fields.nth)
        self._month = _Month(0, 0, 0)  # the month asked for last; the next question is mostly about the same

    def first_from(self, local: int) -> int | None:
        """The first named time that is not before `local`; None up to the end of year 9999."""
        day, second = divmod(local, DAY)
        month = self._month_of(day)
        if month.days >> (day - month.first) & 1:
            time = self._time_from(second)
            if time >= 0:
                return day * DAY + time
        found = self._day_from(day + 1)
        return None if found is None else found * DAY + self._time_from(0)

    def last_until(self, local: int) -> int | None:
        """The last named time that is not after `local`; None back to year 1."""
        day, second = divmod(local, DAY)
        month = self._month_of(day)
        if month.days >> (day - month.first) & 1:
            time = self._time_until(second)
            if time >= 0:
                return day * DAY + time
        found = self._day_until(day - 1)
        return None if found is None else found * DAY + self._time_until(DAY - 1)

    def count(self, low: int, high: int) -> int:
        """How many named times lie in `[low, high)`."""
        if low >= high:
            return 0
        (first, start), (last, stop) = divmod(low, DAY), divmod(high, DAY)
        whole = self._count_days(first, last) * self._minutes.bit_count() * self._per_minute
        return whole - self._count_times(first, start) + self._count_times(last, stop)

    def why_never(self) -> str | None:
        """Why no day ever fits, or None where one does."""
        fields = self._fields
        if not self._special and (fields.either or _lowest(fields.days) <= 29):
            return None
        months = _members(fields.months)
        if any(self._ever_in(month) for month in months):
            return None
        return _impossible(fields, months)

    def _ever_in(self, month: int) -> bool:
        # Each length of a month meets each weekday as its first within 400 years.
        lengths = {_LENGTHS[month], _longest(month)}
        return any(self._fitting(length, weekday) for length in lengths for weekday in range(7))

    def _day_from(self, day: int) -> int | None:
        month = self._month_of(day)
        rest = month.days >> (day - month.first)
        if rest:
            return day + _lowest(rest)
        for year, number in self._months_after(month):
            later = self._make_month(year, number)
            if later.days:
                self._month = later
                return later.first + _lowest(later.days)
        return None

    def _day_until(self, day: int) -> int | None:
        month = self._month_of(day)
        rest = month.days & ((2 << (day - month.first)) - 1)
        if rest:
            return month.first + _highest(rest)
        for year, number in self._months_before(month):
            earlier = self._make_month(year, number)
            if earlier.days:
                self._month = earlier
                return earlier.first + _highest(earlier.days)
        return None

    def _months_after(self, month: _Month) -> Iterator[tuple[int, int]]:
        today = date.fromordinal(month.first + _EPOCH)
        months = _members(self._fields.months)
        yield from ((today.year, number) for number in months if number > today.month)
        for year in range(today.year + 1, 10_000):
            yield from ((year, number) for number in months)

    def _months_before(self, month: _Month) -> Iterator[tuple[int, int]]:
        today = date.fromordinal(month.first + _EPOCH)
        months = _members(self._fields.months)[::-1]
        yield from ((today.year, number) for number in months if number < today.month)
        for year in range(today.year - 1, 0, -1):
            yield from ((year, number) for number in months)

    def _month_of(self, day: int) -> _Month:
        month = self._month
        if month.first <= day < month.end:
            return month
        today = date.fromordinal(day + _EPOCH)
        self._month = month = self._make_month(today.year, today.month)
        return month

    def _make_month(self, year: int, number: int) -> _Month:
        first = date(year, number, 1).toordinal() - _EPOCH
        length = _LENGTHS[number] + (number == _FEBRUARY and _is_leap(year))
        days = self._fitting(length, (first + _EPOCH) % 7) if self._fields.months >> number & 1 else 0
        return _Month(first, first + length, days)

    def _fitting(self, length: int, weekday: int) -> int:
        """The days that fit in a month of that length whose first is that weekday (0 is Sunday)."""
        days, weekdays = self._fields.days >> 1, self._weeks >> weekday
        if self._special:
            days |= _special_days(self._fields, length, weekday)
            weekdays |= _nth_weekdays(self._fields.nth, length, weekday)
        fit = days | weekdays if self._fields.either else days & weekdays
        return fit & ((1 << length) - 1)

    def _time_from(self, second: int) -> int:
        """The first time of a day from `second` on; -1 where the day has none left."""
        minute, past = divmod(second, 60)
        rest = self._fields.seconds >> past
        if rest and self._minutes >> minute & 1:
            return second + _lowest(rest)
        later = self._minutes >> (minute + 1)
        return (minute + 1 + _lowest(later)) * 60 + self._first_second if later else -1

    def _time_until(self, second: int) -> int:
        """The last time of a day up to `second`; -1 where there is none."""
        minute, past = divmod(second, 60)
        rest = self._fields.seconds & ((2 << past) - 1)
        if rest and self._minutes >> minute & 1:
            return minute * 60 + _highest(rest)
        earlier = self._minutes & ((1 << minute) - 1)
        return _highest(earlier) * 60 + _highest(self._fields.seconds) if earlier else -1

    def _count_days(self, low: int, high: int) -> int:
        total = 0
        while low < high:
            month = self._month_of(low)
            stop = min(month.end, high)
            total += (month.days >> (low - month.first) & ((1 << (stop - low)) - 1)).bit_count()
            low = stop
        return total

    def _count_times(self, day: int, second: int) -> int:
        """How many named times the day has before `second`; 0 where the day doesn't fit."""
        month = self._month_of(day)
        if not month.days >> (day - month.first) & 1:
            return 0
        minute, past = divmod(second, 60)
        whole = (self._minutes & ((1 << minute) - 1)).bit_count() * self._per_minute
        if self._minutes >> minute & 1:
            whole += (self._fields.seconds & ((1 << past) - 1)).bit_count()
        return whole


def _special_days(fields: CronFields, length: int, weekday: int) -> int:
    mask = 0
    for days in fields.from_end:
        mask |= 1 << (length - 1 - days) if days < length else 0
    for day in fields.nearest:
        mask |= _nearest_weekday((day or length) - 1, length, weekday)
    return mask


def _nearest_weekday(day: int, length: int, weekday: int) -> int:
    """The bit of the working day nearest to `day` (0 is the first) in the same month; 0 without such a day."""
    if day >= length:
        return 0
    fallen = (weekday + day) % 7
    if fallen == _SATURDAY:
        day += -1 if day else 2
    elif fallen == _SUNDAY:
        day += 1 if day + 1 < length else -2
    return 1 << day


def _nth_weekdays(nth: tuple[tuple[int, int], ...], length: int, weekday: int) -> int:
    mask = 0
    for wanted, which in nth:
        first = (wanted - weekday) % 7
        day = first + 7 * (which - 1) if which > 0 else first + (length - 1 - first) // 7 * 7
        mask |= 1 << day
    return mask


def _impossible(fields: CronFields, months: tuple[int, ...]) -> str:
    names = [_MONTHS[month] for month in months]
    if fields.from_end or fields.nearest or not fields.days or _lowest(fields.days) <= _longest(months[0]):
        where = "any month" if len(names) == 12 else _listed(names, "or")
        return f"no day of {where} fits both day fields"
    days = [f"{day}{'st' if day == 31 else 'th'}" for day in _members(fields.days)]
    return f"{_listed(names, 'and')} {'has' if len(names) == 1 else 'have'} no {_listed(days, 'or')}"


def _listed(words: list[str], last: str) -> str:
    return f" {last} ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _longest(month: int) -> int:
    return _LENGTHS[month] + (month == _FEBRUARY)


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def _members(mask: int) -> tuple[int, ...]:
    return tuple(number for number in range(mask.bit_length()) if mask >> number & 1)


def _lowest(mask: int) -> int:
    return (mask & -mask).bit_length() - 1


def _highest(mask: int) -> int:
    return mask.bit_length() - 1
