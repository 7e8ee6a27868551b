"""The real daemon for these tests: `dms run` in a process of its own, with a data folder and a configuration of its
own. Nothing here sleeps: what is waited for is waited for at the process, its log or its socket."""

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import SystemRandom
from threading import Condition, Thread
from time import monotonic
from typing import Any

import pytest

from dms.client import Client
from dms.errors import NoNode

DMS = Path(sys.executable).with_name("dms")
PATIENCE = 20.0
"""Seconds after which whatever was waited for has failed."""

FUNCTIONS = '''
"""What the tests' tasks call. Each leaves its traces in files of the working folder."""

import os, signal, sys, threading, time


def note(run, word):
    """Add a line to the journal: task, execution, attempt and a word. A line is whole or not there."""
    line = f"{run.task} {run.id} {run.attempt} {word}\\n"
    journal = os.open(os.environ["JOURNAL"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(journal, line.encode())
        os.fsync(journal)
    finally:
        os.close(journal)
    run.log.info(word)


def work(run, seconds=0.0, failures=0):
    """Take so long, fail so many attempts, then succeed."""
    note(run, "start")
    time.sleep(seconds)
    if run.attempt <= failures:
        raise RuntimeError(f"attempt {run.attempt} was meant to fail")
    note(run, "end")
    return run.attempt


async def work_together(run, seconds=0.0):
    import asyncio
    note(run, "start")
    await asyncio.sleep(seconds)
    note(run, "end")


def obey(run):
    """Run until told to end."""
    note(run, "start")
    while not run.cancelled:
        time.sleep(0.01)
    note(run, "told")
    raise InterruptedError("told to end")


def ignore(run):
    """Run on whatever anybody says."""
    note(run, "start")
    while True:
        time.sleep(1)


def collect(run, stop_after=0):
    """Save what was collected so far: up to 4 numbers, and only so many, then wait for ever."""
    found = run.state or []
    note(run, f"found-{len(found)}")
    while len(found) < 4:
        found.append(len(found))
        run.save(found)
        note(run, f"saved-{len(found)}")
        if len(found) == stop_after:
            ignore(run)
    return found


def stay(run):
    """Say in which process, and stay."""
    note(run, f"process-{os.getpid()}")
    ignore(run)


def leave_a_daemon():
    """Start what makes a session of its own, and outlives the node."""
    import subprocess
    nothing = subprocess.DEVNULL
    return subprocess.Popen(["sleep", "60"], stdin=nothing, stdout=nothing, stderr=nothing, start_new_session=True).pid


def leave_a_thread(run):
    """Start a thread that holds the interpreter at its end."""
    threading.Thread(target=ignore, args=(run,), name="theirs", daemon=False).start()


def leave_a_process(run):
    """Fork, as multiprocessing does; the child stays when the node is gone."""
    child = os.fork()
    if not child:
        time.sleep(60)
        os._exit(0)
    return child


async def hog(run):
    """Hold the loop of the coroutines."""
    note(run, "start")
    time.sleep(60)


def broken():
    raise ConnectionError("connect to 127.0.0.1:8080 refused")


def payload(run):
    return run.event.payload if run.event else None


def talk(run):
    """Log whatever a logger should bear."""
    class Odd:
        def __str__(self):
            raise ValueError("no text")

    loop = []
    loop.append(loop)
    run.log.info("line one\\nline two\\x1b[2J\\x9b\\u2028", task="another", execution="9-9", level="error", at="never")
    run.log.warning("odd", odd=Odd(), huge=2**80, nan=float("nan"), loop=loop, data=b"\\xff", lone="\\udcff")
    run.log.error("last", exc_info=True, stack_info=True, self="y", method_name="z", logger="w")
    run.log.debug("only when debugging")


def chatter(run):
    """Log far more than a pipe holds."""
    for number in range(3000):
        run.log.info(f"{number} {'x' * 100}", number=number)


def print_something():
    print("printed", end="")
    print(" in pieces", flush=True)


def talk_by_the_standard_library():
    import logging, warnings
    logging.getLogger("theirs").warning("a warning of %s", "theirs\\nwith a second line")
    logging.getLogger("theirs").info("too quiet to be told")
    logging.getLogger("theirs").warning("%d cannot be told", "this")
    warnings.warn("a warning of the language", stacklevel=1)
    threading.Thread(target=broken).start()
    logging.getLogger("theirs").error("after it all")
'''


class Node:
    """A `dms run` with this data folder and these words; `words` may name the configuration. Its log is read, unless
    `stderr` is another place for it; `shell` is a script that starts it as "$@". Its TCP door is at any free port where
    nothing else is said; a variable of `environment` that is None is not set."""

    def __init__(
        self,
        data_dir: Path,
        *words: str,
        stderr: int = subprocess.PIPE,
        shell: str = 'exec "$@"',
        **environment: str | None,
    ) -> None:
        self.data_dir = data_dir
        self.command = [str(DMS)]
        given = {name: value for name, value in os.environ.items() if not name.startswith("DMS_")}
        self.environment = {**given, "DMS_GENERAL__DATA_DIR": str(data_dir), "HOME": str(data_dir.parent)}
        own = {"JOURNAL": str(data_dir.parent / "journal"), "DMS_REST__PORT": "0", **environment}
        self.environment |= {name: value for name, value in own.items() if value is not None}
        self.lines: list[str] = []
        self._news = Condition()
        self._read_all = False
        self.process = subprocess.Popen(
            ["sh", "-c", shell, "sh", DMS, "run", *words],
            cwd=data_dir.parent,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            text=True,
        )
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self.process.stderr or ():
            with self._news:
                self.lines.append(line.rstrip("\n"))
                self._news.notify_all()
        with self._news:
            self._read_all = True
            self._news.notify_all()

    # ── waiting ──

    def answers(self) -> "Node":
        """Wait until the node takes work; gives the node."""
        deadline = monotonic() + PATIENCE
        while monotonic() < deadline and not self.ends(within=0.01):
            try:
                if self.ask("node.status")["state"] != "not_ready":
                    return self
            except NoNode:
                pass
        raise AssertionError(f"no answer; status {self.process.poll()}, log:\n" + "\n".join(self.lines))

    def ends(self, within: float = 2.0) -> bool:
        """Whether the process ends by itself within so many seconds."""
        if self.process.poll() is not None:
            return True
        with open_pidfd(self.process.pid) as process:
            return bool(select.select([process], [], [], within)[0])

    def wait_for(self, holds: Callable[[dict[str, Any]], bool], times: int = 1) -> dict[str, Any]:
        """Wait for so many lines of the log that hold; gives the last of them."""
        with self._news:
            enough = self._news.wait_for(lambda: self._read_all or len(self._found(holds)) >= times, PATIENCE)
            found = self._found(holds)
        assert enough, "it did not come; log:\n" + "\n".join(self.lines)
        assert len(found) >= times, "the log ended without it:\n" + "\n".join(self.lines)
        return found[times - 1]

    def tells(self, holds: Callable[[dict[str, Any]], bool], within: float) -> bool:
        """Whether its log has such a line, or gets one within so many seconds."""
        with self._news:
            return self._news.wait_for(lambda: bool(self._found(holds)), within)

    def _found(self, holds: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
        return [line for line in self.log if holds(line)]

    def wait_for_end_of(self, task: str, status: str = "success", times: int = 1) -> dict[str, Any]:
        """Wait until the log tells that a run of a task has ended so, so many times."""
        return self.wait_for(lambda line: (line.get("task"), line.get("status")) == (task, status), times)

    # ── asking ──

    @property
    def log(self) -> list[dict[str, Any]]:
        """Its log so far; each line must be a JSON object."""
        return [json.loads(line) for line in tuple(self.lines)]

    @property
    def journal(self) -> list[list[str]]:
        """What its tasks have noted: task, execution, attempt, word."""
        path = Path(self.environment["JOURNAL"])
        return [line.split() for line in path.read_text().splitlines()] if path.exists() else []

    def ask(self, method: str, **params: Any) -> Any:
        """The result of a method, over a connection of its own."""
        with Client(self.data_dir) as client:
            return client.call(method, params, timeout=PATIENCE)

    def run(self, task: str, **more: Any) -> Any:
        """Run a task to its end; its last execution."""
        return self.ask("task.run", name=task, wait=True, **more)

    def history(self, task: str) -> list[dict[str, Any]]:
        """A task's executions, newest first."""
        return list(self.ask("task.history", name=task, limit=1000))

    def dms(self, *words: str, **more: Any) -> subprocess.CompletedProcess[str]:
        """Another `dms` from a second terminal."""
        return subprocess.run(
            [DMS, *words],
            cwd=self.data_dir.parent,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            **more,
        )

    def asked_for(self, task: str) -> "subprocess.Popen[str]":
        """A `dms task run --wait --json` of a task, under way."""
        words = [DMS, "task", "run", task, "--wait", "--json"]
        return subprocess.Popen(words, env=self.environment, stdout=subprocess.PIPE, text=True)

    @contextmanager
    def waiting_for(self, task: str) -> "Iterator[subprocess.Popen[str]]":
        """A `dms task run --wait --json` of a task, begun: the task has noted its start."""
        with self.asked_for(task) as caller:
            self.wait_for(lambda line: (line.get("task"), line["event"]) == (task, "start"))
            yield caller

    # ── ending ──

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.end()

    def stop(self) -> int:
        """End it as an operator does; its exit status."""
        self.signal(signal.SIGTERM)
        return self.end()

    def end(self) -> int:
        """Wait for its end, and for the last of its log; its exit status."""
        status = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        if self.process.stderr is not None:
            self.process.stderr.close()
        return status


class open_pidfd:  # noqa: N801 - used as a function is
    """A descriptor that can be read once the process has ended."""

    def __init__(self, pid: int) -> None:
        self._descriptor = os.pidfd_open(pid)

    def __enter__(self) -> int:
        return self._descriptor

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)


class Nodes:
    """Starts nodes in one folder, and ends those that a test leaves."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data_dir = folder / "data"
        self.file = folder / "mine.yaml"
        self._started: list[Node] = []
        (folder / "functions.py").write_text(FUNCTIONS)

    def configure(self, text: str = "", **sections: Any) -> Path:
        """Write the configuration: a YAML text, or sections. Gives the file."""
        if not text:
            usual = {"import_paths": ["."], "catch_up_spread": "0s"}
            sections["scheduler"] = {**usual, **sections.get("scheduler", {})}
            text = json.dumps(sections, indent=1)
        self.file.write_text(text)
        return self.file

    def begin(self, *words: str, **more: Any) -> Node:
        """Start a node with the configuration written last, if any, and do not wait for it."""
        given = ["--config", str(self.file)] if self.file.exists() else []
        node = Node(self.data_dir, *given, *words, **more)
        self._started.append(node)
        return node

    def start(self, *words: str, **more: Any) -> Node:
        """Start a node, and wait until it answers."""
        return self.begin(*words, **more).answers()

    @property
    def last(self) -> Node:
        """The node that was started last."""
        return self._started[-1]

    def end(self) -> None:
        """Kill whatever still runs."""
        for node in self._started:
            node.process.kill()
            node.end()


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[Nodes]:
    made = Nodes(tmp_path)
    yield made
    made.end()


@pytest.fixture(scope="module")
def shared_nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    """The same for all tests of a module, for those that leave a node as they found it."""
    made = Nodes(tmp_path_factory.mktemp("shared"))
    yield made
    made.end()


@pytest.fixture
def nodes_in() -> Iterator[Callable[[Path], Nodes]]:
    """Makes nodes in another folder."""
    made: list[Nodes] = []

    def make(folder: Path) -> Nodes:
        made.append(Nodes(folder))
        return made[-1]

    yield make
    for nodes in made:
        nodes.end()


@pytest.fixture
def seed(nightly: bool) -> int:
    """What decides all that a test leaves to chance: the same each time, another one each night, or that of SEED."""
    given = os.environ.get("SEED")
    return int(given) if given else SystemRandom().randrange(1_000_000) if nightly else 3
