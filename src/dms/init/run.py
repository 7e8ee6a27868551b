"""`dms run`: from the command line's words to a node, and to its exit status."""

import asyncio
import os
import sys
from collections.abc import Sequence
from typing import TextIO

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

_STANDARD_ERROR = 2


def run_node(config_file: str | None, data_dir: str | None, settings: Sequence[str], strict: bool) -> int:
    """Run a node until it is told to stop; the exit status.

    ConfigError where the configuration can't be used (with `strict`: where anything of it is wrong), StoreError where
    the data folder or the database can't, FolderInUse where another node has the folder.
    """
    stream = _log_stream()
    arguments = [*settings, *([] if data_dir is None else [f"general.data_dir={data_dir}"])]
    loaded = load(config_file, arguments=arguments, cached=True)
    declared = tasks_from(loaded)
    findings = [*loaded.findings, *declared.findings]
    if strict and findings:
        raise refusal(sorted(findings, key=lambda finding: (finding.origin.source, finding.origin.line)))
    folder = DataFolder(loaded.config.general.data_dir)
    folder.prepare()
    name = _hold(folder)
    try:
        return asyncio.run(_serve(loaded, declared, folder, name, stream))
    finally:
        folder.release()


def _hold(folder: DataFolder) -> str:
    """Take the folder for this node alone, and find or give the node its name."""
    known = read_identity(folder.path)
    identity = known or new_identity()
    folder.lock(identity.name)
    known = read_identity(folder.path)  # another node may have been quicker, and be gone again
    if known is None:
        write_identity(folder.path, identity)
    return (known or identity).name


def _log_stream() -> TextIO:
    """Standard error, or nowhere where that is closed. No file that is opened later may take its number: whatever a
    program writes there would land in that file."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= _STANDARD_ERROR:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    return sys.stderr or open(os.devnull, "w")


async def _serve(loaded: Loaded, declared: Declared, folder: DataFolder, name: str, stream: TextIO) -> int:
    config, clock = loaded.config, SystemClock()
    logs = logs_topic(clock.now().wall)
    level = "debug" if config.general.debug else config.observability.log_level
    configure_logger(level, stream, logs.publish, clock)
    node = Node(loaded, declared, folder, name, logs)
    timeout = microseconds(config.shutdown.timeout) / SECOND
    shutdown = Shutdown(timeout, node.logger, node.scheduler.hurry, node.running)
    shutdown.listen(stream.isatty())
    _greet(loaded, folder, name, stream)
    try:
        await node.start()
    except BaseException:
        await shutdown.run(node.stages())
        raise
    node.logger.debug("ready")
    await shutdown.requested()
    return await shutdown.run(node.stages())


def _greet(loaded: Loaded, folder: DataFolder, name: str, stream: TextIO) -> None:
    """On a terminal: what runs here, and the next step."""
    if not stream.isatty():
        return
    file = "none, all is by default" if loaded.file is None else str(loaded.file)
    command = os.environ.get("DMS_COMMAND")
    ask = f"{command} status" if command else f"dms status --data-dir {shown(folder.path)}"
    print(f"dms {__version__} · node {name} · data {shown(folder.path)} · config {file}", file=stream)
    print(f"Ask it from another terminal:  {ask}      Stop: Ctrl-C\n", file=stream)
