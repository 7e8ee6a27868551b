import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from dms.config import (
    Loaded,
    default_config,
    get_config,
    load,
    load_config,
    plain,
    search_paths,
    set_config,
    validate,
)
from dms.errors import ConfigError, InvalidInput

Load = Callable[..., Loaded]


def refusal_of(load: Callable[[], object]) -> str:
    with pytest.raises(ConfigError) as caught:
        load()
    return str(caught.value)


def told(loaded: Loaded) -> list[str]:
    return [str(finding) for finding in loaded.findings]


def test_without_a_file_the_defaults_are_in_force(loaded: Load, home: Path) -> None:
    result = loaded()
    assert (None, [], "Europe/Helsinki", timedelta(seconds=9), {}) == (
        result.file,
        result.findings,
        result.config.scheduler.timezone,
        result.config.shutdown.timeout,
        result.config.tasks,
    )


def test_a_host_that_does_not_tell_its_zone_gives_utc_and_a_finding(
    loaded: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dms.config.machine.host_timezone", lambda environ: "")
    result = loaded()
    assert "UTC" == result.config.scheduler.timezone
    assert [
        "default  scheduler.timezone: the host doesn't tell its time zone, so it is UTC; set scheduler.timezone"
    ] == told(result)


def test_the_command_line_beats_the_environment_beats_the_file_beats_the_default(loaded: Load) -> None:
    text = "scheduler: {max_running_tasks: 1, history_max_count: 1, history_max_age: 1d}"
    environ = {"DMS_SCHEDULER__MAX_RUNNING_TASKS": "2", "DMS_SCHEDULER__HISTORY_MAX_COUNT": "2"}
    scheduler = loaded(text, environ=environ, arguments=["scheduler.max_running_tasks=3"]).config.scheduler
    assert (3, 2, timedelta(days=1), timedelta(minutes=1)) == (
        scheduler.max_running_tasks,
        scheduler.history_max_count,
        scheduler.history_max_age,
        scheduler.aging_quantum,
    )


def test_a_bad_variable_leaves_the_file_in_force(loaded: Load) -> None:
    result = loaded("scheduler: {max_running_tasks: 3}", environ={"DMS_SCHEDULER__MAX_RUNNING_TASKS": "many"})
    assert 3 == result.config.scheduler.max_running_tasks
    assert [
        'DMS_SCHEDULER__MAX_RUNNING_TASKS  scheduler.max_running_tasks: "many" is not a whole number from 1 to 10000'
    ] == told(result)


def test_quotes_in_a_variable_set_the_empty_text(loaded: Load) -> None:
    result = loaded("general: {host_city: Oulu}", environ={"DMS_GENERAL__HOST_CITY": '""'})
    assert ("", []) == (result.config.general.host_city, result.findings)


def test_the_working_folder_follows_the_data_folder(loaded: Load) -> None:
    assert Path("/srv/dms/work") == loaded("general: {data_dir: /srv/dms}").config.general.work_dir


def test_a_relative_path_starts_where_it_is_said(loaded: Load, folder: Path) -> None:
    (folder / "deep").mkdir()
    text = "scheduler: {import_paths: [./tasks]}\ngeneral: {data_dir: data}"
    config = loaded(text, name="deep/dms.yaml", environ={"DMS_GENERAL__WORK_DIR": "work"}).config
    assert ([folder / "deep/tasks"], folder / "deep/data", folder / "work") == (
        config.scheduler.import_paths,
        config.general.data_dir,
        config.general.work_dir,
    )


def test_the_working_directory_then_the_users_folder_then_etc_is_searched(folder: Path, home: Path) -> None:
    assert [folder, home / ".dms", Path("/etc/dms")] == search_paths({"HOME": str(home)})


def test_the_environment_moves_the_users_folder(folder: Path, home: Path) -> None:
    (home / "mine").mkdir()
    (home / "mine" / "dms_config.yaml").write_text("general: {host_city: Oulu}")
    environ = {"HOME": str(home), "DMS_GENERAL__USER_DIR": "~/mine"}
    assert "Oulu" == load(environ=environ).config.general.host_city


def test_a_file_in_the_working_directory_comes_first(folder: Path, home: Path) -> None:
    (home / ".dms").mkdir()
    for place, city in ((folder, "here"), (home / ".dms", "home")):
        (place / "dms_config.yaml").write_text(f"general: {{host_city: {city}}}")
    assert "here" == load(environ={"HOME": str(home)}).config.general.host_city


@pytest.mark.skipif(os.geteuid() != 0, reason="only root reads what belongs to others")
def test_root_does_not_read_what_somebody_else_left_in_the_working_directory(folder: Path, home: Path) -> None:
    (home / ".dms").mkdir()
    (home / ".dms" / "dms_config.yaml").write_text("general: {host_city: home}")
    (folder / "dms_config.yaml").write_text("general: {host_city: theirs}")
    os.chown(folder / "dms_config.yaml", 12345, 12345)
    result = load(environ={"HOME": str(home), "TZ": "UTC"})
    assert ("home", ["untrusted_file"]) == (
        result.config.general.host_city,
        [finding.code for finding in result.findings],
    )


def test_a_file_that_is_named_and_not_there_is_refused(loaded: Load) -> None:
    assert "none.yaml: no such file; name one that exists" == refusal_of(lambda: load("none.yaml"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root reads what belongs to others")
def test_root_does_not_follow_a_link_that_somebody_else_left_in_the_working_directory(folder: Path, home: Path) -> None:
    (home / "own.yaml").write_text("general: {host_city: ours}")
    (folder / "dms_config.yaml").symlink_to(home / "own.yaml")
    os.lchown(folder / "dms_config.yaml", 12345, 12345)
    assert "" == load(environ={"HOME": str(home), "TZ": "UTC"}).config.general.host_city


def test_a_working_directory_that_is_gone_is_no_obstacle(loaded: Load, folder: Path) -> None:
    folder.rmdir()
    assert [] == loaded().findings


@pytest.mark.parametrize(
    "text",
    ["general: {data_dir: 5}", "general: 5", "general: {<<: {data_dir: /x}}", "general: {}\ngeneral: {data_dir: /x}"],
)
def test_a_bad_place_refuses_the_start_with_its_position(loaded: Load, text: str) -> None:
    assert "dms.yaml:" in refusal_of(lambda: loaded(text))


def test_a_bad_place_that_a_higher_layer_replaces_does_no_harm(loaded: Load) -> None:
    result = loaded("general: {data_dir: 5}", arguments=["general.data_dir=/srv/dms"])
    assert (Path("/srv/dms"), ["bad_value"]) == (
        result.config.general.data_dir,
        [finding.code for finding in result.findings],
    )


def test_a_broken_file_leaves_the_layers_below_in_force(loaded: Load) -> None:
    result = loaded("scheduler:\n  max_running_tasks: [3\n", environ={"DMS_GENERAL__DEBUG": "on"})
    assert (True, "dms.yaml:3:1") == (result.config.general.debug, str(result.findings[0].origin))
    assert "nothing of this file counts until it is mended" in result.findings[0].message


def test_a_broken_file_that_may_say_the_place_refuses_the_start(loaded: Load) -> None:
    message = refusal_of(lambda: loaded("general: {data_dir: /srv\n"))
    assert "It may say general.data_dir, so the node's place is unknown; mend it, or give --data-dir" in message


def test_a_broken_file_does_no_harm_where_the_place_is_known(loaded: Load) -> None:
    result = loaded("general: {data_dir: /srv\n", arguments=["general.data_dir=/srv/dms"])
    assert ["malformed"] == [finding.code for finding in result.findings]


def test_a_file_that_can_not_be_read_refuses_the_start(folder: Path) -> None:
    (folder / "dms.yaml").mkdir()
    assert "dms.yaml  can't be read: Is a directory. It may say general.data_dir" in refusal_of(
        lambda: load("dms.yaml")
    )


def test_a_folder_that_can_not_be_read_does_no_harm_where_the_place_is_known(folder: Path) -> None:
    (folder / "dms.yaml").mkdir()
    result = load("dms.yaml", environ={"DMS_GENERAL__DATA_DIR": "/srv", "TZ": "UTC"})
    assert ["unreadable"] == [finding.code for finding in result.findings]


def test_strict_refuses_any_finding_and_tells_them_all(loaded: Load) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded("general: {debug: 5, colour: red}", strict=True)
    assert (
        "dms.yaml:1:18  general.debug: 5 is not true or false",
        "dms.yaml:1:21  general.colour: unknown key.",
    ) == caught.value.findings


def test_strict_takes_a_good_file(loaded: Load) -> None:
    assert loaded("general: {debug: true}", strict=True).config.general.debug


def test_a_child_from_the_environment_shows_through_its_parent(loaded: Load) -> None:
    """spf13/viper#798"""
    text = "tasks: {web: {run: [curl], description: from file, priority: 7}}"
    result = loaded(text, environ={"DMS_TASKS__WEB__DESCRIPTION": "from environment"})
    whole = plain(result.config)["tasks"]["web"]
    assert ("from environment", 7) == (whole["description"], whole["priority"])


def test_get_config_gives_what_was_loaded_last(folder: Path) -> None:
    (folder / "dms.yaml").write_text("general: {host_city: Oulu}")
    loaded = load_config("dms.yaml")
    assert loaded is get_config()


def test_a_configuration_can_not_be_changed(loaded: Load) -> None:
    with pytest.raises(AttributeError):
        loaded().config.general.debug = True  # type: ignore[misc]


def test_the_defaults_are_those_of_the_schema_whatever_the_files_say(folder: Path) -> None:
    (folder / "dms_config.yaml").write_text("scheduler: {history_max_count: 7}")
    assert 1000 == default_config().scheduler.history_max_count


def test_validate_tells_what_is_wrong_in_the_order_of_the_file(folder: Path) -> None:
    (folder / "dms.yaml").write_text("general:\n  data_dir: 5\n  x: 1\nscheduler:\n  timezone: no\n")
    assert ["general.data_dir", "general.x", "scheduler.timezone"] == [finding.key for finding in validate("dms.yaml")]


def test_validate_shows_a_broken_file_instead_of_refusing_it(folder: Path) -> None:
    (folder / "dms.yaml").write_text("general: {data_dir: [\n")
    assert ["malformed"] == [finding.code for finding in validate("dms.yaml")]


def test_validate_asks_the_further_checks_too(folder: Path) -> None:
    (folder / "dms.yaml").write_text("general: {host_city: Atlantis}\n")
    found = validate(
        "dms.yaml", checks=[lambda loaded: [loaded.finding("sunk", ("general", "host_city"), "it has sunk", offset=2)]]
    )
    assert ["dms.yaml:1:24  general.host_city: it has sunk"] == [str(finding) for finding in found]


def test_validate_leaves_the_environment_aside(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DMS_GENERAL__DEBUG", "nonsense")
    (folder / "dms.yaml").touch()
    assert [] == validate("dms.yaml")


def test_a_finding_becomes_one_of_the_nodes_health(loaded: Load) -> None:
    health = loaded("general: {debug: 5}").findings[0].for_health()
    assert ("config_bad_value", "general.debug", "dms.yaml:1:18  general.debug: 5 is not true or false") == (
        health.code,
        health.subject,
        health.message,
    )


def test_a_file_beyond_any_configuration_is_not_read_whole(loaded: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dms.config.file._LARGEST", 10)
    assert "larger than" in refusal_of(lambda: loaded("general: {debug: true}"))


def test_a_second_start_with_the_same_file_needs_no_yaml_reader(folder: Path) -> None:
    (folder / "dms.yaml").write_text("scheduler:\n  max_running_tasks: 3\n  timezone: Mars\n")
    (folder / "data").mkdir()
    code = (
        "import sys, dms.config as c\n"
        "l = c.load('dms.yaml', arguments=['general.data_dir=data'], cached=True)\n"
        "print(l.config.scheduler.max_running_tasks, l.findings[0].origin, 'ruamel.yaml' in sys.modules)"
    )
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True) for _ in "ab"]
    assert ["3 dms.yaml:3:13 True\n", "3 dms.yaml:3:13 False\n"] == [run.stdout for run in runs]


def test_a_key_can_be_set_for_this_process_until_the_next_load(home: Path) -> None:
    load_config(environ={"HOME": str(home)})
    set_config("scheduler.max_running_tasks", 3)
    assert 3 == get_config().scheduler.max_running_tasks
    set_config("scheduler.history_max_age", timedelta(days=3))
    assert (3, timedelta(days=3)) == (
        get_config().scheduler.max_running_tasks,
        get_config().scheduler.history_max_age,
    )
    assert 3 != load_config(environ={"HOME": str(home)}).scheduler.max_running_tasks


def test_a_bad_value_that_is_set_changes_nothing_or_gives_the_default(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = load_config(environ={"HOME": str(home), "DMS_SCHEDULER__HISTORY_MAX_COUNT": "7"})
    with pytest.raises(InvalidInput, match="history_max_count"):
        set_config("scheduler.history_max_count", "many")
    assert before is get_config()
    set_config("scheduler.history_max_count", "many", on_error="default")
    assert (1000, 1) == (get_config().scheduler.history_max_count, len(caplog.records))
    with pytest.raises(InvalidInput, match="unknown key"):
        set_config("scheduler.no_such_key", 1, on_error="default")
