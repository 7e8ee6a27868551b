"""A file against the schema, seen through `load`."""

from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Any

import pytest
from msgspec import Meta

from dms.config import Loaded, Section, Setting

Load = Callable[..., Loaded]


def told(loaded: Loaded) -> list[str]:
    return [str(finding) for finding in loaded.findings]


def test_a_good_file_has_no_findings(loaded: Load) -> None:
    assert [] == told(loaded("general: {debug: true}\nscheduler:\n  max_running_tasks: 3\n"))


def test_a_bad_value_leaves_the_default_for_that_key_alone(loaded: Load) -> None:
    result = loaded('scheduler:\n  max_running_tasks: "3"\n  history_max_count: 7\n')
    assert (None, 7) == (
        result.merged.layers[1].values["scheduler"].get("max_running_tasks"),
        result.config.scheduler.history_max_count,
    )
    assert [
        'dms.yaml:2:22  scheduler.max_running_tasks: "3" is not a whole number from 1 to 10000; write it without quotes'
    ] == told(result)


def test_an_unknown_key_is_ignored_and_told_at_the_key_with_what_may_be_meant(loaded: Load) -> None:
    result = loaded("scheduler: {max_runing_tasks: 3}\n")
    assert ["dms.yaml:1:13  scheduler.max_runing_tasks: unknown key. Did you mean max_running_tasks?"] == told(result)


def test_a_key_written_with_a_dot_is_told_how_it_is_written_in_a_file(loaded: Load) -> None:
    """spf13/viper#324: a dot in a key of a file and the dot between keys were mistaken for each other."""
    message = "unknown key. A dot joins no keys in a file; write scheduler: {max_running_tasks: …}"
    assert [f"dms.yaml:1:1  scheduler.max_running_tasks: {message}"] == told(loaded("scheduler.max_running_tasks: 2\n"))


def test_an_unknown_section_is_told_too(loaded: Load) -> None:
    assert ["dms.yaml:1:1  Scheduler: unknown key. Did you mean scheduler?"] == told(loaded("Scheduler: {}\n"))


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("scheduler: 5", "dms.yaml:1:12  scheduler: 5 is not a map of settings"),
        ("scheduler: [a]", 'dms.yaml:1:12  scheduler: ["a"] is not a map of settings'),
        ("tasks: {a: 5}", "dms.yaml:1:12  tasks.a: 5 is not a map of settings"),
        ("tasks: {a: {retry: 5}}", "dms.yaml:1:20  tasks.a.retry: 5 is not a map of settings"),
        ("general: {debug: }", "dms.yaml:1:17  general.debug: null is not true or false"),
        (
            "scheduler: {timezone: Mars/X}",
            "dms.yaml:1:23  scheduler.timezone: 'Mars/X' is not a time zone; give an IANA name such as Europe/Helsinki",
        ),
        (
            "shutdown: {timeout: 0s}",
            "dms.yaml:1:21  shutdown.timeout: 0 is too short here; give a length of time such as 1s",
        ),
        ("general: {host_city: 5}", 'dms.yaml:1:22  general.host_city: 5 is not text; write it in quotes: "5"'),
        (
            "general: {user_dir: /x}",
            "dms.yaml:1:21  general.user_dir: is read before any file; "
            "set it in the environment or on the command line",
        ),
        (
            "general: {debug: true, debug: false}",
            "dms.yaml:1:24  general.debug: this key stands twice; the first of line 1 counts",
        ),
        ("general: {1: true}", "dms.yaml:1:11  general.1: the key 1 is not text; write it in quotes"),
    ],
)
def test_what_is_wrong_is_told_with_its_place_and_what_to_do(loaded: Load, text: str, finding: str) -> None:
    assert [finding] == told(loaded(text, arguments=["general.data_dir=/srv/dms"]))


@pytest.mark.parametrize("text", ["tasks:", "tasks: ~", "tasks: {}", "general:\nscheduler:\n"])
def test_a_section_that_says_nothing_is_fine(loaded: Load, text: str) -> None:
    assert [] == told(loaded(text))


def test_the_same_holds_for_json_with_comments(loaded: Load) -> None:
    result = loaded('{\n  // more\n  "scheduler": {"max_running_tasks": 0,},\n}', name="dms.jsonc")
    assert ["dms.jsonc:3:38  scheduler.max_running_tasks: 0 is not a whole number from 1 to 10000"] == told(result)


def test_times_of_day_in_a_text_key_stay_text(loaded: Load) -> None:
    """yaml/pyyaml#801"""
    assert "22:30" == loaded("general: {host_city: 22:30}").config.general.host_city


def test_a_key_that_may_be_unset_can_be_set_to_nothing(loaded: Load) -> None:
    result = loaded("tasks: {a: {run: [x], timeout: ~}}")
    assert ([], None) == (told(result), result.config.tasks["a"].timeout)


def test_what_a_task_leaves_out_takes_its_default(loaded: Load) -> None:
    task = loaded("tasks: {a: {run: [x], retry: {max_retries: 2}}}").config.tasks["a"]
    assert task.retry is not None
    assert (2, timedelta(seconds=10), "skip", True) == (
        task.retry.max_retries,
        task.retry.delay,
        task.overlap,
        task.enabled,
    )


class PumpSection(Section, frozen=True):
    """A plugin's section."""

    speed: Annotated[int, Meta(ge=0), Setting("Turns a second.", 3, "Quiet.", example="5")]


@pytest.mark.parametrize(("text", "speed"), [("pump: {speed: 5}", 5), ("pump: {speed: -1}", 3), ("", 3)])
def test_a_section_from_outside_is_read_like_the_built_in_ones(loaded: Load, text: str, speed: int) -> None:
    config: Any = loaded(text, sections={"pump": PumpSection}).config
    assert speed == config.pump.speed
