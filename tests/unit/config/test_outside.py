import pytest

from dms.config.outside import arguments_layer, environment_layer
from dms.errors import ConfigError


def test_a_variable_is_named_by_section_and_key() -> None:
    layer, _ = environment_layer({"DMS_TASKS__BACKUP__RETRY__DELAY": "5s"}, "/")
    assert {"tasks": {"backup": {"retry": {"delay": "5s"}}}} == layer.values


@pytest.mark.parametrize("name", ["DMS_COMPLETE", "_DMS_COMPLETE", "HOME", "DMSX__Y", "dms_general__debug"])
def test_other_variables_are_left_alone(name: str) -> None:
    assert ({}, []) == (environment_layer({name: ""}, "/")[0].values, environment_layer({name: "x"}, "/")[1])


def test_each_value_comes_from_its_variable() -> None:
    layer, _ = environment_layer({"DMS_GENERAL__DEBUG": "1"}, "/")
    assert "DMS_GENERAL__DEBUG" == str(layer.origin(("general", "debug")))


def test_an_empty_variable_counts_as_unset_and_is_told() -> None:
    layer, findings = environment_layer({"DMS_GENERAL__HOST_CITY": ""}, "/")
    assert {} == layer.values
    assert [
        "DMS_GENERAL__HOST_CITY  general.host_city: the variable is empty, which counts as unset; "
        '"" in quotes sets the empty text'
    ] == [str(finding) for finding in findings]


def test_a_key_inside_a_section_that_is_given_whole_clashes() -> None:
    layer, findings = environment_layer({"DMS_TASKS__A": "{}", "DMS_TASKS__A__EVERY": "5m"}, "/")
    assert ({"tasks": {"a": "{}"}}, ["tasks.a.every"]) == (layer.values, [finding.key for finding in findings])


def test_the_last_of_equal_arguments_counts() -> None:
    layer, _ = arguments_layer(["general.debug=false", "general.debug=true"], "/")
    assert {"general": {"debug": "true"}} == layer.values


def test_only_the_first_equals_sign_divides() -> None:
    layer, _ = arguments_layer(["tasks.a.cron==x"], "/")
    assert {"tasks": {"a": {"cron": "=x"}}} == layer.values


@pytest.mark.parametrize(
    "argument", ["general.debug", "=true", "debug=true", "general.=1", ".debug=1", "", "general.\udcff=1"]
)
def test_an_argument_of_another_form_is_refused(argument: str) -> None:
    with pytest.raises(ConfigError, match=r"give it as section\.key=value"):
        arguments_layer([argument], "/")
