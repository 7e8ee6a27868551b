"""Sizes: whole bytes, and how people write them."""

import re

from dms.errors import InvalidInput

_UNITS = {"": 1, "B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_READ = re.compile(r"\s*(\d{1,19}(?:\.\d{1,9})?)\s*([A-Za-z]*)\s*").fullmatch
_BY_NAME = {unit.lower(): size for unit, size in _UNITS.items()}
_LARGEST = 2**60


def parse_size(given: str | int, what: str = "size") -> int:
    """Bytes, from a number of them or text such as `"64MB"` or `"1.5GiB"`; at least one. InvalidInput names `what` was
    given wrongly.

    >>> parse_size("64MB"), parse_size("1.5 KiB"), parse_size(512)
    (64000000, 1536, 512)
    >>> parse_size("64 apples", "memory")
    Traceback (most recent call last):
    dms.errors.InvalidInput: memory: '64 apples' is not a size such as 500kB, 64MB or 2GiB
    """
    found = _READ(str(given)) if isinstance(given, (str, int)) and not isinstance(given, bool) else None
    unit = None if found is None else _BY_NAME.get(found[2].lower())
    size = 0 if found is None or unit is None else _bytes(found[1], unit)
    if not 1 <= size <= _LARGEST:
        raise InvalidInput(f"{what}: {given!r} is not a size such as 500kB, 64MB or 2GiB")
    return size


def _bytes(number: str, unit: int) -> int:
    return int(float(number) * unit) if "." in number else int(number) * unit


def size_text(size: int) -> str:
    """A size in the largest unit in which it is whole.

    >>> size_text(64_000_000), size_text(1536), size_text(2**31)
    ('64MB', '1536B', '2GiB')
    """
    for unit in ("GB", "GiB", "MB", "MiB", "kB", "KiB"):
        if size % _UNITS[unit] == 0:
            return f"{size // _UNITS[unit]}{unit}"
    return f"{size}B"
