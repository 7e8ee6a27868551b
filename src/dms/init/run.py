"""`dms run`: from the command line's words to a node, and to its exit status."""

import asyncio
import os
import sys
from collections.abc import Sequence

from dms import __version__
from dms.access.identity import new_identity, read_identity, write_identity
from dms.adapters.folder import DataFolder
from dms.clock import SystemClock
from dms.command.logs import logs_topic
from dms.config import Loaded, load, refusal
from dms.declared_tasks import Declared, tasks_from
from dms.init.logger import configure_logger
from dms.init.shutdown import Shutdown
from dms.init.wiring import Node, shown
from dms.instant import SECOND, microseconds


def run_node(config_file: str | None, data_dir: str | None, settings: Sequence[str], strict: bool) -> int:
    """Run a node until it is told to stop; the exit status.

    ConfigError where the configuration can't be used (with `strict`: where anything of it is wrong), StoreError where
    the data folder or the database can't, FolderInUse where another node has the folder.
    """
    arguments = [*settings, *([] if data_dir is None else [f"general.data_dir={data_dir}"])]
    loaded = load(config_file, arguments=arguments, strict=strict, cached=True)
    declared = tasks_from(loaded)
    if strict and declared.findings:
        raise refusal(declared.findings)
    folder = DataFolder(loaded.config.general.data_dir)
    folder.prepare()
    name = _hold(folder)
    try:
        return asyncio.run(_serve(loaded, declared, folder, name))
    finally:
        folder.release()


def _hold(folder: DataFolder) -> str:
    """Take the folder for this node alone, and find or give the node its name."""
    known = read_identity(folder.path)
    identity = known or new_identity()
    folder.lock(identity.name)
    if known is None:
        write_identity(folder.path, identity)
    return identity.name


async def _serve(loaded: Loaded, declared: Declared, folder: DataFolder, name: str) -> int:
    config, clock = loaded.config, SystemClock()
    logs = logs_topic(clock.now().wall)
    level = "debug" if config.general.debug else config.observability.log_level
    configure_logger(level, sys.stderr, logs.publish, clock)
    node = Node(loaded, declared, folder, name, logs)
    shutdown = Shutdown(microseconds(config.shutdown.timeout) / SECOND, node.logger, node.scheduler.hurry)
    shutdown.listen()
    _greet(loaded, folder, name)
    await node.start()
    node.logger.debug("ready")
    await shutdown.requested()
    return await shutdown.run(node.stages())


def _greet(loaded: Loaded, folder: DataFolder, name: str) -> None:
    """On a terminal: what runs here, and the next step."""
    if not sys.stderr.isatty():
        return
    file = "none, all is by default" if loaded.file is None else str(loaded.file)
    command = os.environ.get("DMS_COMMAND")
    ask = f"{command} status" if command else f"dms status --data-dir {shown(folder.path)}"
    print(f"dms {__version__} · node {name} · data {shown(folder.path)} · config {file}", file=sys.stderr)
    print(f"Ask it from another terminal:  {ask}      Stop: Ctrl-C\n", file=sys.stderr)
