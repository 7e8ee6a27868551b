from collections.abc import Callable

import pytest

from dms.config import LayerName, LayerValue, Loaded, explain, get
from dms.errors import NotFound

Load = Callable[..., Loaded]
KEY = "scheduler.history_max_count"
VARIABLE = "DMS_SCHEDULER__HISTORY_MAX_COUNT"


def test_every_layer_that_says_a_key_is_shown_the_highest_first(loaded: Load) -> None:
    result = loaded("scheduler:\n  history_max_count: 7", environ={VARIABLE: "8"})
    assert [
        LayerValue(LayerName.ENVIRONMENT, 8, VARIABLE, in_force=True),
        LayerValue(LayerName.FILE, 7, "dms.yaml:2:22", in_force=False),
        LayerValue(LayerName.DEFAULT, 1000, "default", in_force=False),
    ] == explain(result, KEY).layers


def test_a_section_of_which_a_layer_says_one_part_is_shown_with_the_place_of_that(loaded: Load) -> None:
    environ = {VARIABLE: "8", "DMS_GENERAL__DEBUG": "true", "DMS_GENERAL__HOST_CITY": "Oulu"}
    result = loaded(environ=environ)
    assert [VARIABLE, "environment"] == [explain(result, key).layers[0].place for key in ("scheduler", "general")]


def test_an_explanation_says_what_the_key_is_and_why_its_default(loaded: Load) -> None:
    explanation = explain(loaded(), KEY)
    assert (1000, "executions", "200", "live", "config:write") == (
        explanation.value,
        explanation.unit,
        explanation.example,
        explanation.applies,
        explanation.scope,
    )
    assert explanation.why.startswith("Weeks of a task")


def test_the_default_of_a_place_stays_what_it_is_where_another_one_is_said(loaded: Load) -> None:
    said, usual = explain(loaded(arguments=["general.data_dir=/srv/dms"]), "general.data_dir").layers
    assert ("/srv/dms", "default") == (said.value, usual.place)
    assert str(usual.value).endswith(("/var/lib/dms", "/.dms"))


def test_a_tasks_key_that_nobody_says_is_its_default(loaded: Load) -> None:
    explanation = explain(loaded("tasks: {a: {run: [x]}}"), "tasks.a.retry")
    assert [LayerValue(LayerName.DEFAULT, None, "default", in_force=True)] == explanation.layers


def test_a_section_can_be_explained_too(loaded: Load) -> None:
    layers = explain(loaded("tasks: {a: {run: [x]}}"), "tasks.a").layers
    assert [LayerValue(LayerName.FILE, {"run": ["x"]}, "dms.yaml:1:12", in_force=True)] == layers


def test_a_value_is_got_with_its_layer_and_place(loaded: Load) -> None:
    result = loaded("scheduler: {history_max_age: 30d}")
    assert {
        "key": "scheduler.history_max_age",
        "value": "30d",
        "origin": "main file",
        "place": "dms.yaml:1:30",
    } == get(result, "scheduler.history_max_age")


def test_a_section_is_got_with_the_layer_of_each_of_its_keys(loaded: Load) -> None:
    """spf13/viper#798: a child from the environment is seen through its parent"""
    got = get(loaded("general: {host_city: Oulu}", environ={"DMS_GENERAL__HOST_COUNTRY": "FI"}), "general")
    assert ("Oulu", "FI", "several") == (got["value"]["host_city"], got["value"]["host_country"], got["origin"])
    assert ("main file", "environment", "default") == tuple(
        got["origins"][key] for key in ("host_city", "host_country", "debug")
    )


def test_everything_is_told_where_no_key_is_named(loaded: Load) -> None:
    told = get(loaded("scheduler:\n  history_max_count: 7"), None)
    assert (None, 7, "several") == (told["key"], told["value"]["scheduler"]["history_max_count"], told["origin"])
    assert ("main file", "default") == (told["origins"][KEY], told["origins"]["shutdown.timeout"])


def test_a_section_of_one_layer_names_that_layer(loaded: Load) -> None:
    assert "default" == get(loaded(), "shutdown")["origin"]


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("scheduler.max_runing_tasks", "no key max_runing_tasks in scheduler. Did you mean max_running_tasks?"),
        ("schedular", "no key schedular. Did you mean scheduler?"),
        ("tasks.backup", "no key backup in tasks."),
        ("general.debug.deep", "no key deep in general.debug."),
        ("", r"no key \. There are: general, .*tasks\."),
        ("nope", r"no key nope\. There are: general, .*tasks\."),
    ],
)
def test_a_key_that_is_not_there_is_told_with_what_may_be_meant(loaded: Load, key: str, message: str) -> None:
    for ask in (get, explain):
        with pytest.raises(NotFound, match=f"{message.replace('?', '[?]')}$"):
            ask(loaded(), key)
