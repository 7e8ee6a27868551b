"""The machine's clocks, and the zone that it stands in."""

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from dms.clock import SystemClock, boot_id, host_timezone, host_zone


def test_both_clocks_go_on() -> None:
    first, second = SystemClock().now(), SystemClock().now()
    assert first.boot <= second.boot
    assert first.wall > first.boot > 0


def test_a_boot_is_told_from_others_by_what_the_kernel_calls_it() -> None:
    assert Path("/proc/sys/kernel/random/boot_id").read_text() == f"{boot_id()}\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "etc").mkdir()
    return tmp_path


def test_tz_comes_first(root: Path) -> None:
    (root / "etc/timezone").write_text("Asia/Tokyo\n")
    assert "Europe/Paris" == host_timezone({"TZ": ":Europe/Paris"}, root)


def test_then_comes_what_localtime_links_to(root: Path) -> None:
    (root / "etc/localtime").symlink_to("../usr/share/zoneinfo/America/Argentina/Ushuaia")
    (root / "etc/timezone").write_text("Asia/Tokyo\n")
    assert "America/Argentina/Ushuaia" == host_timezone({}, root)


def test_then_comes_what_timezone_says(root: Path) -> None:
    (root / "etc/localtime").write_bytes(b"TZif")
    (root / "etc/timezone").write_text("Asia/Tokyo\n")
    assert "Asia/Tokyo" == host_timezone({}, root)


@pytest.mark.parametrize("name", ["", "EST5EDT4,M3.2.0", "Mars/Olympus", "../../etc/passwd", "/etc/localtime"])
def test_a_zone_without_a_known_name_is_not_told(root: Path, name: str) -> None:
    assert "" == host_timezone({"TZ": name}, root)


def test_the_host_s_zone_is_the_one_of_that_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    assert ZoneInfo("Asia/Kathmandu") == host_zone()
