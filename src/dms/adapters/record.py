"""Executions and tasks as they are kept: columns for what is asked for, one blob for the rest. Nothing a task gives
back can make the writing fail."""

from collections.abc import Callable
from typing import Any, cast

import msgspec
from msgspec.structs import astuple, replace

from dms.background_tasks.store import Pause, StoredTask, TaskState
from dms.background_tasks.tasks.task import Event, Execution, Status, Usage
from dms.errors import StoreBroken, StoreError

FORMAT = 1
"""The number that each execution's blob begins with, so that a later DMS can read what this one wrote."""

LIMIT = 64 * 1024
"""Bytes of an execution's results, and of its error, that are kept."""

Number = int
"""An execution's ID as one number that sorts like it: the number of the process start in the upper bits, the
counter in the lower 40."""

Row = tuple[Number, str, int, str, int, int | None, int | None, bytes]
"""What `COLUMNS` names."""

COLUMNS = "number, task, task_id, status, due, started, ended, detail"

_COUNTER_BITS = 40
_COUNTERS = 1 << _COUNTER_BITS
_HIGHEST = (1 << 63) - 1
_STATUS = {str(status): status for status in Status}
_DEEPEST = 50
_MOST_NODES = 10_000


class _Detail(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What no query asks for. Results and payload are packed by themselves: whatever is in them, the rest is read."""

    format: int
    run_id: str
    attempt: int
    cause: str
    failures: int
    retry_at: int | None
    error: str | None
    event: tuple[str, bytes, int] | None
    results: bytes | None
    trace_id: str | None = None
    occurrence: int | None = None
    wait: int | None = None
    usage: Usage | None = None
    gathered: tuple[int, bytes, int] | None = None
    """Of an event that stands for several: how many, and what came with the first, and when."""


def number_of(execution_id: str) -> Number:
    """The number of an ID; ValueError where it is not START-COUNTER in plain decimals."""
    start, _, counter = execution_id.partition("-")
    try:
        number = int(start) << _COUNTER_BITS | int(counter)
    except ValueError:
        number = -1
    if not 0 <= number <= _HIGHEST or id_of(number) != execution_id:
        raise ValueError(f"{execution_id[:100]!r} is not the ID of an execution, such as 12-345")
    return number


def id_of(number: Number) -> str:
    """The ID of a number."""
    return f"{number >> _COUNTER_BITS}-{number & _COUNTERS - 1}"


def row_of(execution: Execution) -> Row:
    """An execution as its row; ValueError or StoreError where its ID is none."""
    return (
        number_of(execution.id),
        execution.task,
        execution.task_id,
        execution.status.value,
        execution.due,
        execution.started,
        execution.ended,
        _encode(_detail_of(execution)),
    )


def execution_of(row: Row) -> Execution:
    """The execution that a row holds; StoreBroken where it can't be read."""
    number, task, task_id, status, due, started, ended, blob = row
    try:
        detail = _decode_detail(blob)
        if detail.format != FORMAT:
            raise StoreBroken(f"execution {id_of(number)} is kept in the unknown format {detail.format}")
        state = _STATUS[status]
    except (msgspec.DecodeError, KeyError, TypeError) as error:
        raise StoreBroken(f"execution {id_of(number)} can't be read: {error}") from None
    return Execution(
        id_of(number),
        detail.run_id,
        task,
        task_id,
        detail.attempt,
        state,
        due,
        started,
        ended,
        detail.error,
        detail.event and _unpack_event(*detail.event, detail.gathered),
        None if detail.results is None else unpack(detail.results),
        detail.cause,
        detail.retry_at,
        detail.failures,
        detail.trace_id,
        detail.occurrence,
        detail.wait,
        *(() if detail.usage is None else astuple(detail.usage)),
    )


def pack(value: object) -> bytes:
    """Any value as bytes. What has no plain form becomes its `repr`; what can't be written at all (text with lone
    surrogates, huge numbers, a list within itself) is written as near as can be."""
    try:
        return _encode(value)
    except Exception:  # noqa: BLE001 - a task's results may hold objects whose repr raises anything
        return _encode(_Plain().of(value))


def unpack(packed: bytes) -> Any:
    """The plain value of what was packed."""
    try:
        return _decode(packed)
    except (msgspec.DecodeError, RecursionError):
        return f"(a value of {len(packed)} bytes that can't be read back)"


def encode_definition(task: StoredTask) -> bytes:
    """A task's definition as bytes; StoreError where it holds more than plain values: a definition that comes back
    changed would be another task."""
    try:
        return _encode_plain(task.definition)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise StoreError(f"task {task.name}: its definition holds something that can't be kept: {error}") from None


def encode_state(state: TaskState) -> bytes:
    """A task's state as bytes."""
    skips = tuple(replace(skipped, why=_text(skipped.why)) for skipped in state.skips)
    pause = None if state.pause is None else _writable(state.pause)
    return _encode(state if pause is None and not skips else replace(state, pause=pause, skips=skips))


def decode_state(packed: bytes, what: str = "the state of a task") -> TaskState:
    """What `encode_state` wrote; StoreBroken where it can't be read."""
    return cast(TaskState, _read(_decode_state, packed, what))


def encode_pause(pause: Pause | None) -> bytes | None:
    """A pause as bytes, None as None."""
    return None if pause is None else _encode(_writable(pause))


def decode_pause(packed: bytes | None) -> Pause | None:
    """What `encode_pause` wrote; StoreBroken where it can't be read."""
    return None if packed is None else _read(_decode_pause, packed, "the pause of the scheduler")


def decode_task(row: tuple[int, str, bytes, bytes]) -> StoredTask:
    """A task from its id, name, definition and state; StoreBroken where it can't be read."""
    task_id, name, definition, state = row
    what = f"task {name}"
    return StoredTask(task_id, name, _read(_decode_definition, definition, what), decode_state(state, what))


def _read(decode: Callable[[bytes], Any], packed: bytes, what: str) -> Any:
    try:
        return decode(packed)
    except (msgspec.DecodeError, TypeError) as error:
        raise StoreBroken(f"{what} can't be read: {error}") from None


def _detail_of(execution: Execution) -> _Detail:
    event, results = execution.event, execution.results
    return _Detail(
        FORMAT,
        execution.run_id,
        execution.attempt,
        execution.cause,
        execution.failures,
        execution.retry_at,
        None if execution.error is None else _text(execution.error[:LIMIT]),
        None if event is None else (event.topic, pack(event.payload), event.at),
        None if results is None else _pack_results(results),
        execution.trace_id,
        execution.occurrence,
        execution.wait,
        execution.usage,
        None if event is None or event.first is None else (event.count, pack(event.first.payload), event.first.at),
    )


def _pack_results(results: object) -> bytes:
    packed = pack(results)
    if len(packed) <= LIMIT:
        return packed
    return _encode(f"(results of {len(packed)} bytes are not kept; the most is {LIMIT})")


def _writable(pause: Pause) -> Pause:
    return replace(pause, reason=_text(pause.reason))


def _unpack_event(topic: str, payload: bytes, at: int, gathered: tuple[int, bytes, int] | None) -> Event:
    if gathered is None:
        return Event(topic, unpack(payload), at)
    count, first, first_at = gathered
    return Event(topic, unpack(payload), at, count, Event(topic, unpack(first), first_at))


def _text(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


class _Plain:
    """Turns any value into one that can be written, however odd, deep or wide it is."""

    def __init__(self) -> None:
        self._left = _MOST_NODES

    def of(self, value: object, depth: int = 0) -> Any:
        self._left -= 1
        if depth > _DEEPEST or self._left < 0:
            return "…"
        if isinstance(value, dict):
            return {_plain_scalar(key): self.of(item, depth + 1) for key, item in self._within(value.items())}
        if isinstance(value, (list, tuple, set, frozenset)):
            return [self.of(item, depth + 1) for item in self._within(value)]
        return _plain_scalar(value)

    def _within(self, items: Any) -> list[Any]:
        return list(items)[: max(self._left, 0) + 1]


def _plain_scalar(value: object) -> Any:
    if value is None or type(value) in (bool, float, bytes):
        return value
    if type(value) is int and -(2**63) <= value < 2**64:
        return value
    return _text(value if type(value) is str else _repr(value))


def _repr(value: object) -> str:
    try:
        return repr(value)[:LIMIT]
    except Exception:  # noqa: BLE001 - a repr may raise anything
        return f"<{type(value).__qualname__}>"


_encode = msgspec.msgpack.Encoder(enc_hook=repr).encode
_encode_plain = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode
_decode_detail = msgspec.msgpack.Decoder(_Detail).decode
_decode_definition = msgspec.msgpack.Decoder(dict[str, Any]).decode
_decode_state = msgspec.msgpack.Decoder(TaskState).decode
_decode_pause = msgspec.msgpack.Decoder(Pause).decode
