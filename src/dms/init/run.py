"""`dms run`: from the command line's words to a node, and to its exit status."""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TextIO

from dms import __version__
from dms.access.identity import Identity, new_identity, read_identity, write_identity
from dms.access.tokens import Tokens
from dms.adapters.config_store import SqliteConfigStore
from dms.adapters.folder import DataFolder
from dms.adapters.sqlite import SqliteStore
from dms.background_tasks.running.loop_thread import in_thread
from dms.clock import SystemClock
from dms.command.logs import logs_topic
from dms.config import ConfigFinding, Loaded, load, refusal
from dms.config.live import LiveConfig
from dms.declared_tasks import tasks_from
from dms.http.opening import opening_of
from dms.init.flood import FloodGuard
from dms.init.live_log import level_of
from dms.init.logger import configure_logger
from dms.init.printed import printed_to_runs
from dms.init.service_manager import ServiceManager
from dms.init.shutdown import CLEAN, Outside, Shutdown
from dms.init.wiring import Foundation, Node
from dms.instant import SECOND, microseconds
from dms.plugins.entry_point import GROUPS, entry_points, gate_names

_STANDARD_ERROR = 2


def run_node(config_file: str | None, data_dir: str | None, settings: Sequence[str], strict: bool) -> int:
    """Run a node until it is told to stop; the exit status.

    ConfigError where the configuration can't be used (with `strict`: where anything of it is wrong), StoreError where
    the data folder or the database can't, FolderInUse where another node has the folder.
    """
    stream, manager = _log_stream(), ServiceManager(os.environ)
    _end_on_a_signal(manager)
    arguments = [*settings, *([] if data_dir is None else [f"general.data_dir={data_dir}"])]
    read = partial(load, config_file, arguments=arguments, cached=True)
    loaded = read()
    offered = entry_points(GROUPS, sys.path)
    build = partial(tasks_from, gates=gate_names(offered))
    if strict:
        _refuse([*loaded.findings, *build(loaded).findings, *opening_of(loaded).findings])
    folder = DataFolder(loaded.config.general.data_dir)
    folder.prepare()
    identity = _hold(folder)
    tokens = Tokens(folder.path, identity, SystemClock())
    store = SqliteStore(folder.database)
    try:
        live = LiveConfig(loaded, SqliteConfigStore(store, store.open()), SystemClock(), lambda: in_thread(read))
        live.start()
        declared = build(live.loaded)
        if strict:
            _refuse([*live.loaded.findings, *declared.findings, *opening_of(live.loaded).findings])
        on = Foundation(live, declared, build, offered, store, folder, identity.name, tokens, identity.id)
        return asyncio.run(_serve(on, stream, manager))
    finally:
        store.close()
        folder.release()


def _end_on_a_signal(manager: ServiceManager) -> None:
    """Until there is a node to stop, a signal ends the process: nothing has begun that a kill would harm. Left to the
    system it would do nothing in the first process of a container."""

    def end(number: int, frame: FrameType | None) -> None:
        manager.stopping(0, "stopping before the start")
        raise SystemExit(CLEAN)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)


def _refuse(findings: Sequence[ConfigFinding]) -> None:
    if findings:
        raise refusal(sorted(findings, key=lambda finding: (finding.origin.source, finding.origin.line)))


def _hold(folder: DataFolder) -> Identity:
    """Take the folder for this node alone, and find out who the node is, or make it one."""
    known = read_identity(folder.path)
    identity = known or new_identity()
    folder.lock(identity.name)
    known = read_identity(folder.path)  # another node may have been quicker, and be gone again
    if known is None:
        write_identity(folder.path, identity)
    return known or identity


def _log_stream() -> TextIO:
    """Standard error, or nowhere where that is closed. No file that is opened later may take its number: whatever a
    program writes there would land in that file."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= _STANDARD_ERROR:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    return sys.stderr or open(os.devnull, "w")


async def _serve(on: Foundation, stream: TextIO, manager: ServiceManager) -> int:
    config, clock = on.live.config, SystemClock()
    logs = logs_topic(clock.now().wall)
    log = configure_logger(level_of(config), stream, logs.publish, clock, flood=FloodGuard())
    try:
        with printed_to_runs():
            return await _run(Node(on, logs, log), on, stream, manager)
    finally:
        log.close()


async def _run(node: Node, on: Foundation, stream: TextIO, manager: ServiceManager) -> int:
    outside = Outside(
        timeout=lambda: microseconds(on.live.config.shutdown.timeout) / SECOND,
        hurry=node.scheduler.hurry,
        running=node.scheduler.running,
        tell=manager.stopping,
    )
    shutdown = Shutdown(node.logger, outside)
    shutdown.listen(stream.isatty(), partial(_reload, node, manager))
    manager.starting()
    _greet(on.live.loaded, on.folder, on.name, stream)
    try:
        await node.start()
    except BaseException:
        await shutdown.run(node.stages())
        raise
    node.logger.debug("ready")
    manager.ready()
    manager.feed_while(node.scheduler.wake)
    await shutdown.requested()
    return await shutdown.run(node.stages())


def _reload(node: Node, manager: ServiceManager) -> None:
    manager.reloading()
    node.reload(then=manager.ready)


def _greet(loaded: Loaded, folder: DataFolder, name: str, stream: TextIO) -> None:
    """On a terminal: what runs here, and the next step."""
    if not stream.isatty():
        return
    file = "none, all is by default" if loaded.file is None else str(loaded.file)
    command = os.environ.get("DMS_COMMAND")
    finds_it = command and os.path.abspath(os.environ.get("DMS_GENERAL__DATA_DIR", "")) == str(folder.path)
    ask = f"{command or 'dms'} status{'' if finds_it else f' --data-dir {_shown(folder.path)}'}"
    print(f"dms {__version__} · node {name} · data {_shown(folder.path)} · config {file}", file=stream)
    print(f"Ask it from another terminal:  {ask}      Stop: Ctrl-C\n", file=stream)


def _shown(path: Path) -> str:
    """A path as people write it from here."""
    here = Path.cwd()
    return f"./{path.relative_to(here)}" if path.is_relative_to(here) and path != here else str(path)
