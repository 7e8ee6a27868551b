"""The built-in gates look at the machine; here one that is made of files."""

from pathlib import Path

import pytest

from dms.background_tasks.tasks.gate import check_gates, has_mains_power, is_network_up
from dms.background_tasks.tasks.task import Task
from dms.errors import InvalidTask

HEADER = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
LAN = "eth0\t0001A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n"
DEFAULT = "eth0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n"
HALF = "tun0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000080\t0\t0\t0\n"
DOWN = "eth0\t00000000\t0101A8C0\t0002\t0\t0\t100\t00000000\t0\t0\t0\n"
ZEROS = "0" * 32
DEFAULT6 = f"{ZEROS} 00 {ZEROS} 00 fe800000000000000000000000000001 00000400 00000001 00000000 00000003     eth0\n"
REJECT6 = f"{ZEROS} 00 {ZEROS} 00 {ZEROS} ffffffff 00000001 00000000 00200200       lo\n"


def machine(root: Path, **files: str) -> Path:
    """Files below a root, their paths with two underscores for each slash."""
    for name, text in files.items():
        file = root / name.replace("__", "/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


@pytest.mark.parametrize(
    ("routes", "routes6", "carrier", "expected"),
    [
        (HEADER + LAN + DEFAULT, REJECT6, "1\n", True),
        (HEADER + LAN + DEFAULT, REJECT6, "0\n", False),
        (HEADER + LAN, REJECT6, "1\n", False),
        (HEADER + HALF, REJECT6, "1\n", False),
        (HEADER + DOWN, REJECT6, "1\n", False),
        (HEADER + LAN, DEFAULT6, "1\n", True),
        (HEADER + LAN, DEFAULT6, "0\n", False),
        ("", "", "1\n", False),
        ("rubbish\n" + "x\t00000000\t0\tzz\t0\t0\t0\t00000000\n", "", "1\n", False),
    ],
)
def test_the_network_is_there_where_a_default_route_leads_through_an_interface_with_a_carrier(
    tmp_path: Path, routes: str, routes6: str, carrier: str, expected: bool
) -> None:
    files = {"proc__net__route": routes, "proc__net__ipv6_route": routes6, "sys__class__net__eth0__carrier": carrier}
    assert expected is is_network_up(machine(tmp_path, **files))


def test_an_interface_that_tells_of_no_carrier_has_one(tmp_path: Path) -> None:
    assert is_network_up(machine(tmp_path, proc__net__route=HEADER + DEFAULT))


def test_where_the_kernel_tells_nothing_there_is_no_network_and_mains_power(tmp_path: Path) -> None:
    assert (False, True) == (is_network_up(tmp_path), has_mains_power(tmp_path))


@pytest.mark.parametrize(
    ("supplies", "expected"),
    [
        ({"AC": {"type": "Mains", "online": "1"}, "BAT0": {"type": "Battery", "status": "Charging"}}, True),
        ({"AC": {"type": "Mains", "online": "0"}, "BAT0": {"type": "Battery", "status": "Discharging"}}, False),
        ({"AC": {"type": "Mains", "online": "0"}, "usbc": {"type": "USB", "online": "1"}}, True),
        ({"AC": {"type": "Mains", "online": "0"}, "BAT0": {"type": "Battery", "status": "Full"}}, False),
        ({"BAT0": {"type": "Battery", "status": "Discharging"}}, False),
        ({"BAT0": {"type": "Battery", "status": "Full"}}, True),
        ({"hidpp": {"type": "Battery", "scope": "Device", "status": "Discharging"}}, True),
        ({"odd": {}}, True),
    ],
)
def test_mains_power_is_there_unless_only_a_battery_is(
    tmp_path: Path, supplies: dict[str, dict[str, str]], expected: bool
) -> None:
    for name, files in supplies.items():
        (tmp_path / "sys/class/power_supply" / name).mkdir(parents=True)
        for file, text in files.items():
            (tmp_path / "sys/class/power_supply" / name / file).write_text(f"{text}\n")
    assert expected is has_mains_power(tmp_path)


def test_the_machine_that_runs_this_can_be_asked() -> None:
    assert {type(is_network_up()), type(has_mains_power())} == {bool}


def test_a_gate_that_there_is_not_is_refused_with_those_that_there_are() -> None:
    known = ("clock_trusted", "network")
    check_gates(Task("a", print, hold_until=["network", "clock_trusted"]), known)
    says = r"^hold_until: there is no gate netwrk\. Did you mean network\? There are: clock_trusted, network$"
    with pytest.raises(InvalidTask, match=says):
        check_gates(Task("a", print, hold_until=["network", "netwrk"]), known)
