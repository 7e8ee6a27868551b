import pytest

from dms.config.machine import this_machine


def test_a_user_keeps_data_at_home_and_root_where_services_do(monkeypatch: pytest.MonkeyPatch) -> None:
    folders = []
    for user in (1000, 0):
        monkeypatch.setattr("os.geteuid", lambda user=user: user)
        folders.append(this_machine({"HOME": "/home/ada"}).data_dir)
    assert ["/home/ada/.dms", "/var/lib/dms"] == folders
