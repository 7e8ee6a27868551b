"""What a run saves of its work, so that the next attempt, or the next run, goes on from there. Pure.

It belongs to its run. A run that has saved nothing yet begins with what the last one left that did not succeed.
"""

from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from dms.errors import InvalidInput

MOST = 64 * 1024
"""Bytes of JSON that a run may save."""

SavedStates = Mapping[str, bytes]
"""By run, the latest last. Never changed, only replaced: the run's own thread may be reading."""


def pack(state: Any) -> bytes | None:
    """A state as it is kept; None for none. InvalidInput where it is not made of plain values, or too much."""
    if state is None:
        return None
    try:
        packed = _encode(state)
    except (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError) as error:
        raise InvalidInput(f"state: it can't be saved as JSON: {error}") from None
    if len(packed) > MOST:
        raise InvalidInput(f"state: it takes {len(packed)} bytes of JSON; the most is {MOST}. Save where to find it")
    return packed


def unpack(packed: bytes | None) -> Any:
    """What was packed, anew each time."""
    return None if packed is None else _decode(packed)


def with_state(states: SavedStates | None, run_id: str, packed: bytes | None) -> SavedStates | None:
    """The states with another one of this run, or with none of it; None where none is left."""
    others = {run: kept for run, kept in (states or {}).items() if run != run_id}
    if packed is not None:
        others[run_id] = packed
    return others or None


def taken_over(states: SavedStates, run_id: str, live: Collection[str]) -> SavedStates:
    """The states once a run begins: where it has none, what the latest run left that is over is its own; what others
    left before that goes."""
    left = [run for run in states if run not in live and run != run_id]
    if run_id in states or not left:
        return states
    return {run: packed for run, packed in states.items() if run not in left} | {run_id: states[left[-1]]}


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
