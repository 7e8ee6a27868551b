"""The run as a function sees it in a process of its own: what it tells goes through the process's channel."""

import pickle
from collections.abc import Awaitable, Generator, Mapping
from types import SimpleNamespace
from typing import Any

from dms import errors
from dms.background_tasks.running.process_child import Channel
from dms.background_tasks.running.run import Run, Sinks


def child_run(channel: Channel, known: bytes) -> Run:
    """The run of which a process has been told."""
    attempt, config = pickle.loads(known)
    return Run(attempt, config, _Told(channel, attempt).sinks())


class _Told:
    """What a run tells, sent as frames (see `process_child.py`)."""

    def __init__(self, channel: Channel, attempt: Any) -> None:
        self._channel, self._attempt = channel, attempt

    def sinks(self) -> Sinks:
        """Where what the run tells goes to."""
        return Sinks(self._log, self._progress, self._heartbeat, save=self._save)

    def _log(self, run: Run, level: str, event: str, fields: Mapping[str, Any]) -> None:
        self._channel.tell("log", level, str(event), _plain(dict(fields)))

    def _progress(self, run: Run) -> None:
        if (progress := run.take_progress()) is not None:
            self._channel.tell("progress", *_plain(progress))

    def _heartbeat(self, run: Run) -> None:
        run.take_heartbeat()
        self._channel.tell("beat")

    def _save(self, run: Run, packed: bytes | None) -> Awaitable[None]:
        """It is on disk when this returns, for a coroutine too: nobody else has this process's loop."""
        refused = self._channel.ask("save", packed)
        if refused is not None:
            kind, message = refused
            raise getattr(errors, kind)(message)
        self._attempt.entry = SimpleNamespace(saved={run.run_id: packed})
        return _Saved()


class _Saved:
    def __await__(self) -> Generator[Any, None, None]:
        return
        yield


def _plain(value: Any) -> Any:
    """A value as it can be told; what can't be is told by its `repr`."""
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if value is None or type(value) in (str, bool, int, float):
        return value
    return repr(value)
