"""An executor for each way of running (see `calling.py`)."""

from dms.background_tasks.running.executor import (
    CoroutineExecutor,
    Executor,
    LoopThreadExecutor,
    ProgramExecutor,
    ThreadExecutor,
)
from dms.background_tasks.running.launching import Launcher
from dms.background_tasks.running.process_executor import ProcessExecutor


def make_executors(own_coroutine_loop: bool) -> dict[str, Executor]:
    """Coroutines run in a loop of their own, or in the caller's; one launcher starts programs and processes."""
    threads, launcher = ThreadExecutor(), Launcher()
    return {
        "coroutine": LoopThreadExecutor() if own_coroutine_loop else CoroutineExecutor(),
        "thread": threads,
        "process": ProcessExecutor(threads, launcher),
        "program": ProgramExecutor(threads, launcher),
    }
