"""Starting programs through the launcher, a small process of its own (see `launcher.py`)."""

import marshal
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from subprocess import DEVNULL, Popen, TimeoutExpired
from threading import Lock
from typing import Any

from dms.background_tasks.running import launcher
from dms.background_tasks.running.launcher import KILL, TERM

LAST_MOMENT = 1.0
"""Seconds that the launcher may take to end, which it does at once."""


class Launched:
    """A program that is being started, from afar. Any thread may send it a signal."""

    def __init__(self, own: socket.socket) -> None:
        self._socket = own

    def fileno(self) -> int:
        """Readable when there is something to `hear`."""
        return self._socket.fileno()

    def hear(self) -> tuple[Any, ...] | None:
        """What the launcher tells of it next (see `launcher.py`); None where it tells nothing any more."""
        try:
            told = self._socket.recv(1024)
        except OSError:
            return None
        return marshal.loads(told) if told else None

    def terminate(self) -> None:
        """Ask its whole group to end."""
        self._send(TERM)

    def kill(self) -> None:
        """End its whole group."""
        self._send(KILL)

    def _send(self, what: bytes) -> None:
        try:
            self._socket.send(what)
        except OSError:
            return  # it has ended

    def close(self) -> None:
        """Nobody wants to know any more: if it has not ended, it is killed with its whole group."""
        self._socket.close()


class Launcher:
    """The launcher's process, begun when it is first needed, and anew where it has ended. For any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._main: socket.socket | None = None
        self._process: Popen[bytes] | None = None

    def launch(
        self,
        argv: Sequence[str],
        cwd: str | None,
        env: Mapping[str, str],
        standard: tuple[int, int, int],
        limits: tuple[int | None, int | None] = (None, None),
    ) -> Launched:
        """Start a program with these descriptors as its standard input, output and error, and these `limits`: bytes of
        memory, and seconds of processor time. OSError where there is no
        process to be had; ValueError where it can't be given such an environment."""
        wanted = marshal.dumps((list(argv), cwd or os.getcwd(), _environment(env), limits))
        ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with its, open(os.memfd_create("dms-launch"), "w+b") as what:
            what.write(wanted)
            what.seek(0)
            try:
                self._send([what.fileno(), *standard, its.fileno()])
            except BaseException:
                ours.close()
                raise
        return Launched(ours)

    def close(self) -> None:
        """Let the process end, and with it whatever it has started that still runs."""
        with self._lock:
            self._end()

    def _send(self, descriptors: list[int]) -> None:
        with self._lock:
            if self._main is not None:
                try:
                    socket.send_fds(self._main, [b"."], descriptors)
                    return
                except (BrokenPipeError, ConnectionResetError):
                    self._end()
            socket.send_fds(self._begin(), [b"."], descriptors)

    def _begin(self) -> socket.socket:
        ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with its:
            command = [sys.executable, "-I", "-S", launcher.__file__]
            self._process = Popen(command, stdin=its.fileno(), stdout=DEVNULL, cwd="/", env={}, start_new_session=True)
        self._main = ours
        return ours

    def _end(self) -> None:
        if self._main is not None and self._process is not None:
            self._main.close()
            with suppress(TimeoutExpired):
                self._process.wait(LAST_MOMENT)
        self._main = self._process = None


def _environment(env: Mapping[str, str]) -> dict[bytes, bytes]:
    """As the system takes it. ValueError where that can't be."""
    for name in env:
        if not name or "=" in name:
            raise ValueError(f"illegal environment variable name {name!r}")
    return {os.fsencode(name): os.fsencode(value) for name, value in env.items()}
