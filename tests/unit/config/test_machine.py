from pathlib import Path

import pytest

from dms.config.machine import host_timezone, this_machine


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


def test_a_user_keeps_data_at_home_and_root_where_services_do(monkeypatch: pytest.MonkeyPatch) -> None:
    folders = []
    for user in (1000, 0):
        monkeypatch.setattr("os.geteuid", lambda user=user: user)
        folders.append(this_machine({"HOME": "/home/ada"}).data_dir)
    assert ["/home/ada/.dms", "/var/lib/dms"] == folders
