"""Limits: what each attempt of a task may use at most, and what is told of one that used more. Pure."""

from datetime import timedelta

import msgspec
from msgspec.structs import force_setattr

from dms.errors import InvalidInput, InvalidTask
from dms.instant import duration_text, microseconds, parse_duration
from dms.size import parse_size, size_text

LEAST_MEMORY = 1_000_000
"""Bytes below which nothing can even start."""

_LAUNCHER = 16_000_000
"""Bytes of peak memory that say nothing: it is never less than the launcher's."""

_SIGXCPU, _SIGKILL = 24, 9
_OF_A_SHELL = 128

_WORDS = (
    "memoryerror",
    "cannot allocate memory",
    "out of memory",
    "bad_alloc",
    "failed to allocate",
    "cannot map",
    "failed to map",
)
"""What programs say that get no more memory."""


class Limits(msgspec.Struct, frozen=True):
    """What an attempt may use at most: `memory` is what each of its processes may have reserved to write to, in bytes
    or as "64MB"; `cpu_time` the processor time of each of them, in whole seconds or as "30s"; `output` what it may
    print, in bytes or as "10MB". For programs and `executor="process"`; InvalidTask names the field that can't be.

    >>> Limits(memory="64MB", cpu_time="30s")
    Limits(memory=64000000, cpu_time=datetime.timedelta(seconds=30), output=None)
    """

    memory: int | str | None = None
    cpu_time: timedelta | str | float | None = None
    output: int | str | None = None

    def __post_init__(self) -> None:
        """Check and normalise each field."""
        for field in ("memory", "output"):
            given = getattr(self, field)
            if given is not None:
                force_setattr(self, field, _size(given, f"limits.{field}"))
        if self.bytes_of_memory is not None and self.bytes_of_memory < LEAST_MEMORY:
            raise InvalidTask(f"limits.memory: with less than {size_text(LEAST_MEMORY)} nothing can start")
        if self.cpu_time is not None:
            force_setattr(self, "cpu_time", _seconds(self.cpu_time))

    @property
    def bytes_of_memory(self) -> int | None:
        """The memory, in bytes."""
        return self.memory if isinstance(self.memory, int) else None

    @property
    def bytes_of_output(self) -> int | None:
        """The output, in bytes."""
        return self.output if isinstance(self.output, int) else None

    @property
    def seconds(self) -> int | None:
        """The processor time, in seconds."""
        return None if self.cpu_time is None else microseconds(self.cpu_time) // 1_000_000

    def check_process(self) -> None:
        """InvalidTask where there is a limit, for what has no process of its own to keep it."""
        for field, why in _WHY_NOT.items():
            if getattr(self, field) is not None:
                raise InvalidTask(f"limits.{field}: {why}; give the task executor: process")

    def met(self, status: int, cpu: int | None, memory: int | None, said: str) -> tuple[str, str] | None:
        """Which limit a process met that has failed, and that in words; None where it met none. `status` is its exit
        status, or less than 0 for a signal; `cpu` (microseconds) and `memory` (bytes) what it used, `said` its error or
        the end of its output."""
        if self.seconds is not None and self._used_up(status, cpu or 0):
            return "cpu_time", f"it used up its cpu_time of {duration_text(microseconds(self.cpu_time or 0))}"
        if self.bytes_of_memory is not None and self._short_of_memory(memory or 0, said.lower()):
            return "memory", f"it met its memory limit of {size_text(self.bytes_of_memory)}"
        return None

    def _used_up(self, status: int, cpu: int) -> bool:
        by_signal = status in (-_SIGXCPU, _OF_A_SHELL + _SIGXCPU)
        return by_signal or (status == -_SIGKILL and cpu >= (self.seconds or 0) * 1_000_000)

    def _short_of_memory(self, memory: int, said: str) -> bool:
        limit = self.bytes_of_memory or 0
        return any(words in said for words in _WORDS) or memory > max(limit * 9 // 10, _LAUNCHER)


NO_LIMITS = Limits()

_WHY_NOT = {
    "memory": "a thread or coroutine shares its memory with all others",
    "cpu_time": "no thread or coroutine can be ended by force, so its processor time is counted and not limited",
    "output": "what a thread or coroutine prints is its program's own output",
}


def _size(given: int | str, field: str) -> int:
    try:
        return parse_size(given, field)
    except InvalidInput as error:
        raise InvalidTask(str(error)) from None


def _seconds(given: timedelta | str | float) -> timedelta:
    length = parse_duration(given, "limits.cpu_time")
    if not length or length % timedelta(seconds=1):
        raise InvalidTask("limits.cpu_time: the system counts whole seconds, from 1s; give such a length of time")
    return length
