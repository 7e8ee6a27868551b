"""The process of one run: calls the function that it is told (see `process_executor.py`), and tells what comes of it.

It begins with little of the standard library and nothing of DMS, so that it is there soon; what it needs of DMS it
imports once it needs it.

Its standard input is a socket. By that it is told, in three frames, where to find modules, what to call, and what the
run knows; and tells, in a frame each, what the function tells by its run, and at last how it ended:

    ("log", LEVEL, EVENT, FIELDS)   ("progress", DONE, TOTAL, TEXT)   ("beat",)   ("save", PACKED)
    ("succeeded", PICKLED)   ("cancelled",)   ("failed", ERROR, KINDS, RETRY_AFTER, GIVES_UP)

What it saves is answered once it is on disk, by None, or by the kind and the message of an error.
"""

import marshal
import os
import pickle
import signal
import sys
from collections.abc import Callable
from functools import partial
from io import BytesIO
from threading import Lock, Timer, main_thread
from types import AsyncGeneratorType, CoroutineType, GeneratorType, ModuleType
from typing import Any

LENGTH = 8
"""Bytes of the length before each frame."""


def framed(frame: bytes) -> bytes:
    """A frame as it is sent."""
    return len(frame).to_bytes(LENGTH, "big") + frame


class Cancelled(SystemExit):
    """Raised in the function where it was told to end and can't, or does not, look at `run.cancelled`."""


class Channel:
    """The socket: taken away from the standard input, which is empty from then on, for the function and its own."""

    def __init__(self) -> None:
        self._descriptor = os.dup(0)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        self._lock, self._asking = Lock(), Lock()

    def read(self) -> bytes:
        """The next frame. EOFError where nobody wants anything any more."""
        return self._exactly(int.from_bytes(self._exactly(LENGTH), "big"))

    def _exactly(self, length: int) -> bytes:
        read = bytearray()
        while len(read) < length:
            more = os.read(self._descriptor, min(length - len(read), 1 << 20))
            if not more:
                raise EOFError
            read += more
        return bytes(read)

    def tell(self, *told: Any) -> None:
        """Send a frame of plain values, from any thread; nothing where nobody listens any more."""
        with self._lock:
            self._send(told)

    def ask(self, *asked: Any) -> Any:
        """Send a frame, and wait for the answer to it. EOFError where nobody listens any more."""
        with self._asking:
            self.tell(*asked)
            return marshal.loads(self.read())

    def _send(self, told: tuple[Any, ...]) -> None:
        left = memoryview(framed(marshal.dumps(told)))
        while left:
            try:
                left = left[os.write(self._descriptor, left) :]
            except OSError:
                return


class _Unpickler(pickle.Unpickler):
    def __init__(self, written: bytes, run: Any) -> None:
        super().__init__(BytesIO(written))
        self._run = run

    def persistent_load(self, mark: Any) -> Any:
        return self._run


class Conduct:
    """One call, from its beginning to its end. TERM asks it to end: a function that has its run sees `run.cancelled`, a
    coroutine is cancelled, and either gets `patience` seconds; then, and any other at once, it is interrupted by an
    exception."""

    def __init__(self, channel: Channel, run: Any, patience: float) -> None:
        self._channel, self._run, self._patience = channel, run, patience
        self._told = False
        self._cancel: Callable[[], Any] | None = None

    def call(self, written: bytes, coroutine: bool) -> tuple[Any, ...]:
        """Call it, and what is to be told of its end."""
        try:
            signal.signal(signal.SIGTERM, self._end)
            function, args, kwargs = _Unpickler(written, self._run).load()
            results = self._await(function, args, kwargs) if coroutine else function(*args, **kwargs)
            return self._gave(results)
        except Cancelled:
            return ("cancelled",)
        except BaseException as error:  # noqa: BLE001 - whatever a task raises, SystemExit too, is its own failure
            return ("cancelled",) if self._told and _is_cancellation(error) else _failure(error)
        finally:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def _end(self, number: int, frame: Any) -> None:
        if self._told or not (self._run or self._cancel):
            raise Cancelled(128 + number)
        self._told = True
        if self._run is not None:
            self._run.cancel()
        if self._cancel is not None:
            self._cancel()
        main = main_thread().ident or 0
        again = Timer(self._patience, signal.pthread_kill, (main, signal.SIGTERM))
        again.daemon = True
        try:
            again.start()
        except RuntimeError:  # no memory for a thread: nobody could interrupt it later
            raise Cancelled(128 + number) from None

    def _await(self, function: Any, args: Any, kwargs: Any) -> Any:
        import asyncio

        async def steps() -> Any:
            task = asyncio.current_task()
            assert task is not None
            self._cancel = partial(asyncio.get_running_loop().call_soon_threadsafe, task.cancel)
            return await function(*args, **kwargs)

        return asyncio.run(steps())

    def _gave(self, results: Any) -> tuple[Any, ...]:
        if isinstance(results, CoroutineType):
            results.close()
            return _failed("it gave back a coroutine, which nobody awaits; give the task the coroutine function itself")
        if isinstance(results, (GeneratorType, AsyncGeneratorType)):
            return _failed("it holds a yield, so that calling it ran none of it; give the task a function without")
        try:
            return ("succeeded", pickle.dumps(results, pickle.HIGHEST_PROTOCOL))
        except Exception as error:  # noqa: BLE001 - somebody's object may raise anything
            return _failed(f"what it gave back can't be pickled: {type(error).__name__}: {error}")


def _failed(error: str) -> tuple[Any, ...]:
    return ("failed", error, (), None, False)


def _is_cancellation(error: BaseException) -> bool:
    asyncio: Any = sys.modules.get("asyncio")
    return asyncio is not None and isinstance(error, asyncio.CancelledError)


def _failure(error: BaseException) -> tuple[Any, ...]:
    """An error as it is told; its traceback is printed, and kept with the rest of the output."""
    from dms.background_tasks.running.executor import failure_of

    failed = failure_of(error)
    if failed.retry_after is None and not failed.gives_up:
        import traceback

        own = error.__traceback__
        while own is not None and own.tb_frame.f_code.co_filename == __file__:
            own = own.tb_next
        traceback.print_exception(error.with_traceback(own))
    return ("failed", failed.error, failed.kinds, failed.retry_after, failed.gives_up)


def find_modules(path: list[str], root: tuple[str, str] | None, main: tuple[str | None, str | None]) -> None:
    """Let modules be found as they were by whoever wants the call: the function's own first of all."""
    sys.path[:] = path
    if root is not None:
        from importlib.machinery import PathFinder

        top, folder = root
        spec = PathFinder.find_spec(top)
        places = [] if spec is None else [*(spec.submodule_search_locations or ()), spec.origin or ""]
        if not places or os.path.dirname(os.path.abspath(places[0])) != folder:
            sys.path.insert(0, folder)
    name, file = main
    if name is not None or file is not None:
        _load_main(name, file)


def _load_main(name: str | None, file: str | None) -> None:
    """Load the program's main module, under a name by which it does not begin to work."""
    import runpy

    module = ModuleType("__dms_main__")
    as_name = module.__name__
    module.__dict__.update(
        runpy.run_path(file or "", run_name=as_name)
        if name is None
        else runpy.run_module(name, run_name=as_name, alter_sys=True)
    )
    sys.modules["__main__"] = sys.modules[as_name] = module


def _run(channel: Channel, known: bytes) -> Any:
    from dms.background_tasks.running.child_run import child_run

    return child_run(channel, known)


def main() -> None:
    """Be told, call, tell."""
    channel = Channel()
    path, argv, root, main_module, patience, coroutine = marshal.loads(channel.read())
    call, known = channel.read(), channel.read()
    sys.argv = argv
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]
    try:
        find_modules(path, root, main_module)
        run = _run(channel, known) if known else None
    except BaseException as error:  # noqa: BLE001 - somebody's module may raise anything
        channel.tell(*_failure(error))
        return
    channel.tell(*Conduct(channel, run, patience).call(call, coroutine))


if __name__ == "__main__":
    main()
