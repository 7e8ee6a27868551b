"""Plain words as YAML 1.2's core schema reads them: https://yaml.org/spec/1.2.2/#103-core-schema."""

import re

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"true", "True", "TRUE"})
_FALSE = frozenset({"false", "False", "FALSE"})
_INTEGER = re.compile(r"[-+]?[0-9]+").fullmatch
_OCTAL = re.compile(r"0o[0-7]+").fullmatch
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+").fullmatch
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?").fullmatch
_NO_NUMBER = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)").fullmatch

_MOST_DIGITS = 100

Scalar = str | int | float | bool | None


def resolve_scalar(text: str) -> Scalar:
    """What a plain word means: null, a boolean, a number, or else text. `no`, `on`, `1_000`, `12:30` and dates are
    text. ValueError for infinity, not-a-number and numbers beyond any use.

    >>> [resolve_scalar(word) for word in ("no", "true", "010", "0x1F", "1_000", "2024-01-02", "1e3", "~")]
    ['no', True, 10, 31, '1_000', '2024-01-02', 1000.0, None]
    """
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if text[0] not in "+-.0123456789":
        return text
    return _number(text)


def _number(text: str) -> Scalar:
    if _NO_NUMBER(text) or (len(text) > _MOST_DIGITS and any(form(text) for form in (_FLOAT, _OCTAL, _HEXADECIMAL))):
        raise ValueError(f"{text[:20]} is not a number that can be used here")
    if _INTEGER(text):
        return int(text)
    if _OCTAL(text):
        return int(text[2:], 8)
    if _HEXADECIMAL(text):
        return int(text[2:], 16)
    if _FLOAT(text):
        return _finite(text)
    return text


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"{text[:20]} is too large a number")
    return number
