"""Gates: what a fire may wait for. The built-in ones look at the machine; a program or a package brings others."""

from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Protocol

from dms.background_tasks.tasks.task import Task
from dms.errors import InvalidTask, did_you_mean

_ROOT = Path("/")
_UP, _REJECT = 0x1, 0x200


class TellingGate(Protocol):
    """A gate that tells by itself. `connect` is called when a task begins to wait for it, `disconnect` when none waits
    any more; in between it calls `tell(is_open)`, from any thread, at once and whenever that changes."""

    def connect(self, tell: Callable[[bool], None]) -> None:
        """Somebody waits."""
        ...

    def disconnect(self, tell: Callable[[bool], None]) -> None:
        """Nobody waits any more."""
        ...


Gate = Callable[[], bool] | TellingGate
"""A function that says whether it is open, asked again and again while a task waits for it; or a `TellingGate`."""

BUILT_IN = ("clock_trusted", "mains_power", "network")
"""The gates that every scheduler has."""


def is_gate(value: object) -> bool:
    """Whether it can be asked, or tells by itself."""
    return callable(value) or all(callable(getattr(value, method, None)) for method in ("connect", "disconnect"))


def check_gates(task: Task, known: Collection[str]) -> None:
    """InvalidTask where a task waits for a gate that there is not."""
    for name in task.hold_until:
        if name not in known:
            near, there = did_you_mean(name, known), ", ".join(sorted(known))
            raise InvalidTask(f"hold_until: there is no gate {name}.{near} There are: {there}")


def is_network_up(root: Path = _ROOT) -> bool:
    """Whether a default route leads through an interface that is connected."""
    return any(_has_carrier(root, interface) for interface in _default_routes(root))


def _default_routes(root: Path) -> Iterator[str]:
    """The interfaces of default routes, as the kernel lists them in /proc/net/route and /proc/net/ipv6_route."""
    for words in _rows(root / "proc/net/route"):
        if len(words) > 7 and words[1] == words[7] == "00000000" and _leads_out(words[3]):
            yield words[0]
    for words in _rows(root / "proc/net/ipv6_route"):
        if len(words) > 9 and words[0] == "0" * 32 and words[1] == "00" and words[9] != "lo" and _leads_out(words[8]):
            yield words[9]


def _rows(file: Path) -> list[list[str]]:
    return [line.split() for line in _read(file).splitlines()]


def _leads_out(flags: str) -> bool:
    try:
        return bool(int(flags, 16) & _UP) and not int(flags, 16) & _REJECT
    except ValueError:
        return False


def _has_carrier(root: Path, interface: str) -> bool:
    """False only where the kernel says so: some kinds of interface have none to tell of."""
    return _read(root / "sys/class/net" / interface / "carrier") != "0"


def has_mains_power(root: Path = _ROOT) -> bool:
    """Whether a power supply other than a battery is on line; where the kernel knows of none, whether no battery is
    being emptied, as on a machine without batteries (the rule of systemd's `on_ac_power`)."""
    plugged: list[bool] = []
    draining = False
    for supply in _entries(root / "sys/class/power_supply"):
        if _read(supply / "scope") == "Device":
            continue  # of a mouse, or of a keyboard
        if _read(supply / "type") == "Battery":
            draining |= _read(supply / "status") == "Discharging"
        elif online := _read(supply / "online"):
            plugged.append(online != "0")
    return any(plugged) or not (plugged or draining)


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _read(file: Path) -> str:
    try:
        return file.read_text("ascii", "replace").strip()
    except OSError:
        return ""
