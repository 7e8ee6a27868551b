"""With which code a socket is closed, and why: those of RFC 6455, and ours from 4400 on."""

from enum import IntEnum

from dms.errors import DmsError, Overloaded, Refused

_LONGEST_REASON = 123
"""Bytes that a close frame has room for."""


class CloseCode(IntEnum):
    """Ours are HTTP's status of that meaning and 4000, where there is one."""

    SHUTDOWN = 1001
    BINARY = 1003
    NOT_UTF8 = 1007
    UNAUTHENTICATED = 4401
    FORBIDDEN = 4403
    SILENT = 4408
    FLOOD = 4429
    SLOW_READER = 4430


def close_code(error: DmsError) -> CloseCode:
    """With which code one is turned away who could not be let in."""
    if isinstance(error, Refused):
        return CloseCode.FORBIDDEN
    return CloseCode.FLOOD if isinstance(error, Overloaded) else CloseCode.UNAUTHENTICATED


def close_reason(text: str) -> str:
    """As much of a reason as a close frame has room for.

    >>> close_reason("é" * 100) == "é" * 61
    True
    """
    return text.encode(errors="replace")[:_LONGEST_REASON].decode(errors="ignore")
