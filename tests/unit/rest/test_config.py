from typing import Any

import pytest

from dms.errors import Conflict

CONFIG = "/api/v1/config"
SLOTS = "scheduler.max_running_tasks"
JSON = {"Content-Type": "application/json"}


async def value(ask: Any, key: str = SLOTS) -> Any:
    return (await ask("GET", f"{CONFIG}/{key}")).json()["value"]


async def test_the_whole_configuration_is_told_with_its_origins_and_its_revision(ask: Any) -> None:
    response = await ask("GET", CONFIG)
    told = response.json()
    assert (3, "main file") == (told["value"]["scheduler"]["max_running_tasks"], told["origins"][SLOTS])
    assert (1, '"1"') == (told["revision"], response.headers["ETag"])


@pytest.mark.parametrize("known", ['"1"', 'W/"1"', '"0", "1"', "*"])
async def test_one_who_has_this_revision_is_sent_nothing(known: str, ask: Any) -> None:
    response = await ask("GET", CONFIG, headers={"If-None-Match": known})
    assert (304, b"", '"1"') == (response.status_code, response.content, response.headers["ETag"])


@pytest.mark.parametrize("known", ['"0"', "1", '"11"', "rubbish"])
async def test_one_who_has_another_is_sent_it(known: str, ask: Any) -> None:
    assert 200 == (await ask("GET", CONFIG, headers={"If-None-Match": known})).status_code


async def test_a_key_and_a_section_are_told_with_their_place(ask: Any) -> None:
    key = (await ask("GET", f"{CONFIG}/{SLOTS}")).json()
    assert (3, "main file") == (key["value"], key["origin"])
    assert key["place"].endswith("dms_config.yaml:3:22")
    assert 3 == (await ask("GET", f"{CONFIG}/scheduler")).json()["value"]["max_running_tasks"]


async def test_a_key_is_explained_layer_by_layer(ask: Any) -> None:
    told = (await ask("GET", f"{CONFIG}/{SLOTS}/explain")).json()
    assert ["main file", "default"] == [layer["layer"] for layer in told["layers"]]


@pytest.mark.parametrize("path", ["scheduler.max_runing_tasks", "scheduler.max_runing_tasks/explain"])
async def test_a_key_that_there_is_not_is_404_and_the_nearest_is_named(path: str, ask: Any) -> None:
    response = await ask("GET", f"{CONFIG}/{path}")
    assert (404, True) == (response.status_code, "Did you mean max_running_tasks?" in response.json()["detail"])


async def test_several_keys_are_set_at_once_and_the_new_revision_is_told(ask: Any, node: Any) -> None:
    changes = {SLOTS: 2, "scheduler.history_max_count": 200}
    response = await ask("PATCH", CONFIG, json=changes, params={"reason": "quieter"})
    assert (200, '"2"', 2) == (response.status_code, response.headers["ETag"], response.json()["revision"])
    assert set(changes) == {each["key"] for each in response.json()["changes"]}
    newest = (await ask("GET", f"{CONFIG}/history?limit=1")).json()[0]
    assert ("quieter", "admin by rest") == (newest["reason"], newest["author"])


async def test_all_of_them_or_none(ask: Any) -> None:
    response = await ask("PATCH", CONFIG, json={SLOTS: 2, "scheduler.history_max_count": "many"})
    assert (422, ["scheduler.history_max_count"]) == (response.status_code, response.json()["fields"])
    assert 3 == await value(ask)


async def test_a_dry_run_tells_what_would_change_and_changes_nothing(ask: Any) -> None:
    response = await ask("PATCH", f"{CONFIG}?dry_run", json={SLOTS: 2})
    assert (True, [SLOTS], False) == (
        response.json()["dry_run"],
        [each["key"] for each in response.json()["changes"]],
        "ETag" in response.headers,
    )
    assert 3 == await value(ask)


async def test_a_volatile_value_says_so(ask: Any) -> None:
    await ask("PUT", f"{CONFIG}/{SLOTS}?volatile=true", json=2)
    told = (await ask("GET", f"{CONFIG}/{SLOTS}")).json()
    assert (2, "volatile override") == (told["value"], told["origin"])


async def test_a_change_that_builds_on_an_old_revision_is_412_and_changes_nothing(ask: Any) -> None:
    """coddingtonbear/obsidian-local-rest-api#286, HarperFast/harper#1435."""
    tag = (await ask("GET", CONFIG)).headers["ETag"]
    assert 200 == (await ask("PATCH", CONFIG, json={SLOTS: 2}, headers={"If-Match": tag})).status_code
    for method, path, body in (("PATCH", CONFIG, {SLOTS: 1}), ("PUT", f"{CONFIG}/{SLOTS}", 1)):
        stale = await ask(method, path, json=body, headers={"If-Match": tag})
        assert (412, "version_conflict", 2) == (stale.status_code, stale.json()["code"], stale.json()["revision"])
    assert 412 == (await ask("DELETE", f"{CONFIG}/{SLOTS}", headers={"If-Match": tag})).status_code
    assert 2 == await value(ask)


async def test_any_revision_will_do_where_it_says_so(ask: Any) -> None:
    response = await ask("PUT", f"{CONFIG}/{SLOTS}", json=2, headers={"If-Match": "*"})
    assert 200 == response.status_code


@pytest.mark.parametrize("tag", ["1", 'W/"1"', '"1", "2"', '"one"', "", '"1', f'"{"9" * 30}"', '"²"'])
async def test_what_is_no_revision_is_refused_and_not_passed_over(tag: str, ask: Any) -> None:
    response = await ask("PUT", f"{CONFIG}/{SLOTS}", json=2, headers={"If-Match": tag.encode()})
    assert (422, 3) == (response.status_code, await value(ask))
    assert "If-Match" in response.json()["detail"]


@pytest.mark.parametrize(
    ("method", "path", "header"),
    [
        ("POST", f"{CONFIG}/rollback", "If-Match"),
        ("POST", "/api/v1/tasks/answer/run", "If-Match"),
        ("PUT", f"{CONFIG}/{SLOTS}", "If-None-Match"),
        ("DELETE", f"{CONFIG}/{SLOTS}", "If-Unmodified-Since"),
    ],
)
async def test_nor_is_a_condition_passed_over_where_nobody_looks_at_it(
    method: str, path: str, header: str, ask: Any, node: Any
) -> None:
    """HarperFast/harper#1435."""
    response = await ask(method, path, headers={header: "*"})
    assert (422, [], True) == (response.status_code, node.asked, header in response.json()["detail"])


async def test_a_dry_run_that_is_misspelt_is_no_change(ask: Any) -> None:
    """clerk/cli#200."""
    response = await ask("PUT", f"{CONFIG}/{SLOTS}?dryrun=true", json=2)
    assert (422, True, 3) == (response.status_code, "dry_run" in response.json()["detail"], await value(ask))


async def test_putting_and_deleting_twice_is_as_once(ask: Any) -> None:
    revisions = [(await ask("PUT", f"{CONFIG}/{SLOTS}", json=2)).json()["revision"] for _ in range(2)]
    assert ([2, 2], 2) == (revisions, await value(ask))
    for _ in range(2):
        assert 200 == (await ask("DELETE", f"{CONFIG}/{SLOTS}")).status_code
        assert 3 == await value(ask)


@pytest.mark.parametrize(("method", "path"), [("PUT", f"{CONFIG}/observability.log_file"), ("PATCH", CONFIG)])
async def test_a_change_without_a_body_is_none(method: str, path: str, ask: Any, node: Any) -> None:
    response = await ask(method, path)
    assert (422, "there is no body; send a JSON value", []) == (
        response.status_code,
        response.json()["detail"],
        node.asked,
    )


async def test_null_is_a_value(ask: Any) -> None:
    response = await ask("PUT", f"{CONFIG}/observability.log_file", content=b"null", headers=JSON)
    assert (200, None) == (response.status_code, await value(ask, "observability.log_file"))


@pytest.mark.parametrize("body", [b"null", b'"many"', b"[]", b"0"])
async def test_a_value_that_can_t_be_is_422_and_names_its_key(body: bytes, ask: Any) -> None:
    response = await ask("PUT", f"{CONFIG}/{SLOTS}", content=body, headers=JSON)
    assert (422, [SLOTS], 3) == (response.status_code, response.json()["fields"], await value(ask))


async def test_an_earlier_revision_comes_back(ask: Any) -> None:
    await ask("PUT", f"{CONFIG}/{SLOTS}", json=2)
    await ask("PUT", f"{CONFIG}/{SLOTS}", json=1)
    response = await ask("POST", f"{CONFIG}/rollback", json={"revision": 2})
    assert (200, '"4"', 2) == (response.status_code, response.headers["ETag"], await value(ask))
    assert 404 == (await ask("POST", f"{CONFIG}/rollback", json={"revision": 99})).status_code


async def test_defaults_are_restored_and_files_read_anew(ask: Any) -> None:
    restored = await ask("POST", f"{CONFIG}/restore-defaults", json={"keys": [SLOTS]})
    key = await ask("GET", f"{CONFIG}/{SLOTS}")
    reloaded = await ask("POST", f"{CONFIG}/reload")
    assert ("persistent override", []) == (key.json()["origin"], reloaded.json()["changes"])
    assert ['"2"'] * 3 == [each.headers["ETag"] for each in (restored, key, reloaded)]


async def test_the_past_comes_page_by_page_and_what_differs(ask: Any) -> None:
    for slots in (1, 2):
        await ask("PUT", f"{CONFIG}/{SLOTS}", json=slots)
    page = await ask("GET", f"{CONFIG}/history?limit=2")
    assert ([3, 2], "?limit=2&before=2") == ([each["revision"] for each in page.json()], page.links["next"]["url"])
    whole = await ask("GET", f"{CONFIG}/history")
    assert ([3, 2, 1], False) == ([each["revision"] for each in whole.json()], "Link" in whole.headers)
    differs = await ask("GET", f"{CONFIG}/diff?from=1&to=2")
    assert [{"key": SLOTS, "before": 3, "after": 1}] == differs.json()


async def test_no_door_leads_round_the_scope_of_a_key(ask: Any, node: Any) -> None:
    _, token = node.tokens.create("ana", ["config:write"], "test", None)
    response = await ask("PUT", f"{CONFIG}/tasks.x", json={"run": ["true"]}, token=token)
    assert (403, True) == (response.status_code, "exec:run" in response.json()["detail"])


async def test_a_veto_is_told_and_nothing_has_changed(ask: Any, node: Any) -> None:
    class Veto:
        name = "veto"

        async def prepare(self, change: Any) -> None:
            raise Conflict("the port is taken")

        async def abandon(self, change: Any) -> None:
            pass

    node.live.subscribe(Veto())
    response = await ask("PUT", f"{CONFIG}/{SLOTS}", json=2)
    assert (409, "the port is taken", 3) == (response.status_code, response.json()["detail"], await value(ask))
