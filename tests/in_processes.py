"""Functions that tests run in processes of their own: another process finds them by their names here."""

import asyncio
import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from dms import GiveUp, RetryLater, Run


class Refused(ConnectionError):
    """An error of the functions' own."""


class Unreadable:
    """Can be pickled, and not be read again."""

    def __reduce__(self) -> Any:
        return (int, ("no number",))


def add(first: int, second: int = 0) -> int:
    return first + second


def where_it_runs() -> tuple[int, int]:
    return os.getpid(), os.getppid()


async def wait_and_add(first: int, second: int) -> int:
    await asyncio.sleep(0)
    return first + second


def tell(run: Run, level: str) -> dict[str, Any]:
    run.log.warning("half", level=level, odd={1})
    run.progress(1, 2, "half")
    print("printed")
    print("wrong", file=sys.stderr)
    return {"id": run.id, "attempt": run.attempt, "task": run.task, "event": run.event, "config": run.config}


def refuse() -> None:
    raise Refused("the door is shut")


def come_later() -> None:
    raise RetryLater("5m", "busy")


def give_up() -> None:
    raise GiveUp("no such printer")


def leave(status: int) -> None:
    print("leaving", file=sys.stderr, flush=True)
    os._exit(status)


def exit_by_itself() -> None:
    sys.exit("enough")


def crash() -> None:
    ctypes.string_at(0)


def give_back(what: str) -> Any:
    return {"lambda": lambda: None, "unreadable": Unreadable(), "large": "x" * 5_000_000}[what]


def yields() -> Any:
    yield 1


def length(data: bytes) -> int:
    return len(data)


def until_cancelled(run: Run, sign: str) -> str:
    Path(sign).touch()
    while not run.cancelled:
        time.sleep(0.01)
    return "tidied up"


def sleep_with_nobody_to_ask(sign: str) -> None:
    try:
        Path(sign).touch()
        while True:
            signal.pause()
    finally:
        Path(sign).unlink()


def ignores_its_run(run: Run, sign: str) -> None:
    sleep_with_nobody_to_ask(sign)


async def wait_for_ever(sign: str) -> None:
    try:
        os.close(os.open(sign, os.O_CREAT))
        await asyncio.Event().wait()
    finally:
        os.unlink(sign)


def stubborn(sign: str) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
    Path(sign).with_suffix(".new").write_text(f"{os.getpid()} {child.pid}")
    Path(sign).with_suffix(".new").rename(sign)
    while True:
        signal.pause()


def use_memory(megabytes: int) -> int:
    return len(bytearray(megabytes * 1_000_000))


def spin(seconds: float) -> None:
    while time.process_time() < seconds:
        pass


def beat(run: Run, times: int) -> None:
    for _ in range(times):
        run.heartbeat()
        time.sleep(0.01)


def open_descriptors() -> list[str]:
    return sorted(os.listdir("/proc/self/fd"))


def count_up(run: Run, breaks_at: int) -> list[Any]:
    found = run.state
    for done in range((found or 0) + 1, 5):
        run.save(done)
        if done == breaks_at and found is None:
            raise RuntimeError("broken")
    return [found, run.state]


async def save_too_much(run: Run) -> None:
    await run.save({"done": 1})
    await run.save("x" * 100_000)


def until_there(path: str) -> None:
    while not Path(path).exists():
        time.sleep(0.01)


def print_for_ever() -> None:
    while True:
        print("more and more")


async def hold_the_loop(sign: str) -> None:
    sleep_with_nobody_to_ask(sign)


def hold_memory(run: Run) -> None:
    """Take what there is, so that no thread can begin."""
    held = []
    while True:
        try:
            held.append(bytearray(500_000))
        except MemoryError:
            signal.pause()
