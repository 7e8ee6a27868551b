"""Traces: what belongs together across threads, tasks and machines, by W3C's Trace Context.

There are traces whether anybody collects them or not: each line of the log that is written within one bears its ID.
"""

import random
import re
from contextvars import ContextVar

import msgspec

_VERSION_00 = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})").fullmatch
_LATER = re.compile(r"(?!00|ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?", re.DOTALL).fullmatch
_IDS = random.Random()  # its own: a task that seeds the module's would have all IDs come again
_SPAN_BITS = (1 << 64) - 1
_SAMPLED = 1


class Trace(msgspec.Struct, frozen=True, gc=False):
    """A span of a trace: something that takes time, and what it is part of. `parent_id` is 0 where it is the first;
    `sampled` is false where whoever began the trace does not want it recorded.

    The first span's ID is the lower half of its trace's, so that the trace's ID alone leads to it.
    """

    trace_id: int
    span_id: int
    parent_id: int = 0
    sampled: bool = True

    @property
    def id(self) -> str:
        """The trace's ID, as it is written: 32 hexadecimal digits."""
        return f"{self.trace_id:032x}"

    @property
    def traceparent(self) -> str:
        """How others are told of it: the header of W3C's Trace Context."""
        return f"00-{self.trace_id:032x}-{self.span_id:016x}-{self.sampled:02x}"


CURRENT: ContextVar[Trace | None] = ContextVar("dms_trace", default=None)
"""What is under way here: in this thread, in this task of an event loop."""


def begin(parent: Trace | None = None) -> Trace:
    """A new span: a part of its parent, or the first of a new trace."""
    if parent is None:
        trace_id = _IDS.getrandbits(128) | 1
        return Trace(trace_id, trace_id & _SPAN_BITS)
    return Trace(parent.trace_id, _IDS.getrandbits(64) | 1, parent.span_id, parent.sampled)


def first_span(trace_id: int) -> Trace:
    """The first span of a trace that DMS has begun."""
    return Trace(trace_id, trace_id & _SPAN_BITS)


def read_traceparent(text: object) -> Trace | None:
    """The span that a `traceparent` names; None where it is none, which by W3C is no fault to speak of.

    >>> read_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").id
    '0af7651916cd43dd8448eb211c80319c'
    >>> read_traceparent("rubbish") is None
    True
    """
    found = (_VERSION_00(text) or _LATER(text)) if isinstance(text, str) else None
    if found is None:
        return None
    trace, span, flags = found.groups()
    trace_id, span_id, sampled = int(trace, 16), int(span, 16), bool(int(flags, 16) & _SAMPLED)
    return Trace(trace_id, span_id, sampled=sampled) if trace_id and span_id else None
