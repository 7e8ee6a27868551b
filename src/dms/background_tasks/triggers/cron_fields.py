"""The text of a cron expression read into sets of allowed values, or refused with the place of the fault."""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from dms.errors import InvalidCron

NICKNAMES: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
REBOOT: Final = "@reboot"

MONTH_NAMES: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAY_NAMES: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


class CronFields(NamedTuple):
    """What an expression allows. A set of numbers is an int whose bit `n` stands for the number `n`."""

    seconds: int
    minutes: int
    hours: int
    days: int
    """Days of the month, 1 to 31."""
    months: int
    """1 to 12."""
    weekdays: int
    """0 (Sunday) to 6."""
    from_end: tuple[int, ...]
    """`L` and `L-3`: so many days before the last of the month."""
    nearest: tuple[int, ...]
    """`15W`: the weekday nearest to that day; 0 for `LW`."""
    nth: tuple[tuple[int, int], ...]
    """`5#2`: weekday and which one in the month; -1 for the last (`5L`)."""
    either: bool
    """Both day fields are restricted, so that a day need fit only one of them."""
    fixed: bool
    """Neither the minute nor the hour field starts with `*`: the line keeps to its times at daylight saving."""


class _Fault(Exception):
    """What is wrong with one part of a field, at which offset in the field."""

    def __init__(self, field: "_Field", part: str, at: int, problem: str) -> None:
        super().__init__(problem)
        self.field, self.part, self.at = field, part, at


class _Field(NamedTuple):
    name: str
    low: int
    high: int
    size: int
    names: dict[str, int]
    hints: dict[int, str]

    @property
    def top(self) -> int:
        """The value at which `*` and an open step end; a week's 7 is its 0 again."""
        return self.low + self.size - 1


def _field(name: str, low: int, high: int, size: int, names: tuple[str, ...] = (), **hints: str) -> _Field:
    numbers = {text: number for number, text in enumerate(names, start=low)}
    return _Field(name, low, high, size, numbers, {int(wrong[1:]): hint for wrong, hint in hints.items()})


_SECOND = _field("second", 0, 59, 60, _60="0, or 59 to end a range")
_MINUTE = _field("minute", 0, 59, 60, _60="0, or 59 to end a range")
_HOUR = _field("hour", 0, 23, 24, _24="0 (midnight), or 23 to end a range")
_DAY = _field("day of month", 1, 31, 31, _0="1, or L for the last day", _32="L for the last day")
_MONTH = _field("month", 1, 12, 12, MONTH_NAMES, _0="1 (January)", _13="1 (January)")
_WEEKDAY = _field("weekday", 0, 7, 7, WEEKDAY_NAMES, _8="1 (Monday)")
_FIELDS = (_SECOND, _MINUTE, _HOUR, _DAY, _MONTH, _WEEKDAY)

_LAYOUT = "minute, hour, day of month, month, weekday (with seconds, they come first)"
_FROM_END = re.compile(r"l(?:-(\d{1,2}))?")
_NEAREST = re.compile(r"(l|\d{1,2})w")
_NTH = re.compile(r"(\w+?)(?:#(\w*)|l)")


def read_fields(text: str) -> CronFields:
    """The fields of a five- or six-field expression or a nickname such as `@daily` (not `@reboot`).

    InvalidCron names the field, the offending part and its offset in `text`.
    """
    words = _split(text)
    implied = len(_FIELDS) - len(words)
    second, minute, hour, day, month, weekday = ["0"] * implied + words
    try:
        days, from_end, nearest = _read_days(day)
        weekdays, nth = _read_weekdays(weekday)
        return CronFields(
            seconds=_read_plain(_SECOND, second),
            minutes=_read_plain(_MINUTE, minute),
            hours=_read_plain(_HOUR, hour),
            days=days,
            months=_read_plain(_MONTH, month),
            weekdays=weekdays,
            from_end=from_end,
            nearest=nearest,
            nth=nth,
            either=day[0] not in "*?" and weekday[0] not in "*?",
            fixed=minute[0] != "*" and hour[0] != "*",
        )
    except _Fault as fault:
        raise _located(text, implied, fault) from None


def is_reboot(text: str) -> bool:
    """Whether the text asks for one run each time the machine has started, instead of calendar times."""
    return text.strip().lower() == REBOOT


def word_offset(text: str, index: int) -> int:
    """Where the word of that index starts in `text`; 0 for a nickname, which has one word only."""
    starts = [word.start() for word in re.finditer(r"\S+", text)]
    return starts[index] if index < len(starts) else 0


def _split(text: str) -> list[str]:
    if not text.isascii():
        offset = next(index for index, character in enumerate(text) if not character.isascii())
        raise InvalidCron(f'"{text}": {text[offset]!r} at offset {offset} is no part of a cron expression', offset)
    lowered = text.lower()
    words = NICKNAMES.get(lowered.strip(), lowered).split()
    if not 5 <= len(words) <= 6 or words[0][0] == "@":
        raise _not_five(text, words)
    return words


def _not_five(text: str, words: list[str]) -> InvalidCron:
    if not words:
        return InvalidCron(f"the cron expression is empty; it needs five fields: {_LAYOUT}")
    offset = word_offset(text, 0)
    if words[0] == "@every":
        return InvalidCron(f'"{text}": @every is not cron; give the trigger an interval such as 5m instead', offset)
    if words[0][0] == "@" or "@" + words[0] in NICKNAMES or words[0] == "reboot":
        return _unknown_nickname(text, words[0], offset)
    count = f"{len(words)} field{'s' if len(words) > 1 else ''}"
    problem = f'"{text}" has {count}; five are needed: {_LAYOUT}'
    if len(words) < 5:
        return InvalidCron(problem, offset)
    offset = word_offset(text, 6)
    return InvalidCron(f'{problem}. "{words[6]}" at offset {offset} is too much: neither year nor command', offset)


def _unknown_nickname(text: str, word: str, offset: int) -> InvalidCron:
    if word in NICKNAMES or word == REBOOT:
        return InvalidCron(f'"{text}": {word} at offset {offset} stands alone, without further fields', offset)
    known = (*NICKNAMES, REBOOT)
    hint = _closest("@" + word.lstrip("@"), known) or f". Known are {', '.join(sorted(known))}"
    return InvalidCron(f'"{text}": unknown name "{word}" at offset {offset}{hint}', offset)


def _located(text: str, implied: int, fault: _Fault) -> InvalidCron:
    offset = word_offset(text, _FIELDS.index(fault.field) - implied) + fault.at
    part = text[offset : offset + len(fault.part)]
    return InvalidCron(f'"{text}": {fault.field.name} "{part}" at offset {offset} {fault}', offset)


def _parts(field: _Field, word: str) -> Iterator[tuple[int, str]]:
    at = 0
    for part in word.split(","):
        if not part:
            raise _Fault(field, "", at, "is empty; nothing stands beside the comma")
        yield at, part
        at += len(part) + 1


def _read_plain(field: _Field, word: str) -> int:
    mask = 0
    for at, part in _parts(field, word):
        mask |= _read_part(field, part, at)
    return mask


def _read_days(word: str) -> tuple[int, tuple[int, ...], tuple[int, ...]]:
    if "l" not in word and "w" not in word:
        return _read_plain(_DAY, "*" if word == "?" else word), (), ()
    mask = 0
    from_end: list[int] = []
    nearest: list[int] = []
    for at, part in _parts(_DAY, word):
        if found := _FROM_END.fullmatch(part):
            from_end.append(_days_from_end(part, int(found[1] or 0), at))
        elif found := _NEAREST.fullmatch(part):
            nearest.append(0 if found[1] == "l" else _number(_DAY, found[1], at))
        elif "l" in part or "w" in part:
            raise _Fault(_DAY, part, at, "can't be read; with L and W there are L, L-3, LW and 15W")
        else:
            mask |= _read_part(_DAY, part, at)
    return mask, tuple(from_end), tuple(nearest)


def _days_from_end(part: str, days: int, at: int) -> int:
    if days > 30:
        raise _Fault(_DAY, part, at, "is before every month's first day; at most L-30 is possible")
    return days


def _read_weekdays(word: str) -> tuple[int, tuple[tuple[int, int], ...]]:
    if "l" not in word and "#" not in word:
        return _read_plain(_WEEKDAY, "*" if word == "?" else word), ()
    mask = 0
    nth: list[tuple[int, int]] = []
    for at, part in _parts(_WEEKDAY, word):
        if part == "l":
            raise _Fault(_WEEKDAY, part, at, "is unclear; the month's last Friday is 5L, every Saturday is 6")
        if found := _NTH.fullmatch(part):
            nth.append((_number(_WEEKDAY, found[1], at) % 7, _which(part, found[2], at)))
        elif "l" in part or "#" in part:
            raise _Fault(
                _WEEKDAY, part, at, "can't be read; with L and # there are 5L (the last Friday) and 5#2 (the second)"
            )
        else:
            mask |= _read_part(_WEEKDAY, part, at)
    return mask, tuple(nth)


def _which(part: str, number: str | None, at: int) -> int:
    if number is None:
        return -1
    if number not in ("1", "2", "3", "4", "5"):
        raise _Fault(_WEEKDAY, part, at, "needs a number from 1 to 5 after #; the last one is 5L")
    return int(number)


def _read_part(field: _Field, part: str, at: int) -> int:
    if part == "*":
        return (2 << field.top) - (1 << field.low)
    span, slash, step = part.partition("/")
    if span == "*":
        first, last = field.low, field.top
    else:
        start, dash, stop = span.partition("-")
        first = _number(field, start, at)
        last = _number(field, stop, at + len(start) + 1) if dash else field.top if slash else first
    return _bits(field, first, last, _step(field, step, at + len(span) + 1) if slash else 1)


def _bits(field: _Field, first: int, last: int, step: int) -> int:
    """The numbers from `first` to `last`, over the field's end where `last` is smaller."""
    if last < first:
        last += field.size
    mask = (2 << last) - (1 << first) if step == 1 else sum(1 << value for value in range(first, last + 1, step))
    return (mask | mask >> field.size) & ((2 << field.top) - (1 << field.low))


def _step(field: _Field, text: str, at: int) -> int:
    if not text.isdigit() or text.strip("0") == "":
        raise _Fault(field, text, at, "is not a step; after / stands a whole number from 1")
    if len(text) > 4 or int(text) > field.size:
        problem = f"is a step beyond the field, which has {field.size} values; a longer rhythm needs an interval"
        raise _Fault(field, text, at, problem)
    return int(text)


def _number(field: _Field, text: str, at: int) -> int:
    if not text.isdigit():
        if text in field.names:
            return field.names[text]
        raise _Fault(field, text, at, _not_a_number(field, text))
    value = int(text[-4:]) if len(text.lstrip("0")) <= 4 else 9999
    if field.low <= value <= field.high:
        return value
    raise _Fault(field, text, at, _out_of_range(field, value))


def _out_of_range(field: _Field, value: int) -> str:
    hint = f". Did you mean {field.hints[value]}?" if value in field.hints else ""
    if field is _WEEKDAY and value > 1969:
        hint = "; a year field is not supported, give the trigger an end"
    return f"is not from {field.low} to {field.high}{hint}"


def _not_a_number(field: _Field, text: str) -> str:
    allowed = f"{field.low} to {field.high}"
    if field.names:
        names = tuple(field.names)
        allowed += f" or {names[0]} to {names[-1]}"
    if not text:
        return f"is empty; a value belongs there, {allowed}"
    if text[0] == "*" and text[1:].isdigit():
        return f"is not {allowed}. Did you mean */{text[1:]}?"
    if text == "h":
        return "is Jenkins' way to spread load; here the trigger's jitter does that"
    if text == "?":
        return "is for a whole day field; write * here"
    return f"is not {allowed}{_closest(text, tuple(field.names))}"


def _closest(text: str, known: tuple[str, ...]) -> str:
    if text[:3] in known:
        return f". Did you mean {text[:3]}?"
    import difflib  # here: only a mistake pays for its import

    close = difflib.get_close_matches(text if text[0] == "@" else text[:3], known, 1, 0.5)
    return f". Did you mean {close[0]}?" if close else ""
