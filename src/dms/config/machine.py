"""The facts about this machine that defaults depend on."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from dms.config.setting import Machine

_ZONES = "/zoneinfo/"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+)*").fullmatch


def this_machine(environ: Mapping[str, str]) -> Machine:
    """What the operating system says, now."""
    root = os.geteuid() == 0
    home = environ.get("HOME") or os.path.expanduser("~")
    data_dir = "/var/lib/dms" if root else os.path.join(home, ".dms")
    return Machine(_cores(), home, root, host_timezone(environ), data_dir)


def working_directory() -> str:
    """Where the process stands; the root where that folder is gone."""
    try:
        return os.getcwd()
    except OSError:
        return "/"


def host_timezone(environ: Mapping[str, str], root: Path = Path("/")) -> str:
    """The IANA name of the host's zone: what TZ says, else /etc/localtime, else /etc/timezone; empty where none
    tells."""
    for name in (environ.get("TZ", "").removeprefix(":"), _linked_zone(root), _written_zone(root)):
        name = name.rpartition(_ZONES)[2] if _ZONES in name else name
        if name and _NAME(name) and _exists(name):
            return name
    return ""


def _linked_zone(root: Path) -> str:
    try:
        return os.readlink(root / "etc/localtime")
    except OSError:
        return ""


def _written_zone(root: Path) -> str:
    try:
        return (root / "etc/timezone").read_text("ascii", "replace").strip()
    except OSError:
        return ""


def _exists(name: str) -> bool:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _cores() -> int:
    """Those that this process may use, where the system tells."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
