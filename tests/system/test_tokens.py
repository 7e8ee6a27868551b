"""Tokens on the real daemon: made at the first start, kept over restarts, in no log and no database."""

import json
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen


def test_the_first_start_makes_a_token_and_says_where_and_the_second_makes_none(nodes: Any) -> None:
    node = nodes.start()
    file = Path(node.ask("node.info")["data_dir"]) / "admin.token"
    assert 1 == sum(f"a first token, which may do everything, is in {file}" in line for line in node.lines)
    text = file.read_text()
    assert 0 == node.stop()
    again = nodes.start()
    assert ["admin"] == [token["name"] for token in again.ask("token.list")["tokens"]]
    assert (text, 0) == (file.read_text(), sum("a first token" in line for line in again.lines))
    assert 0 == again.stop()


def test_a_token_is_made_listed_and_revoked_by_hand(nodes: Any) -> None:
    node = nodes.start()
    made = json.loads(node.dms("token", "create", "--scope", "task:read", "--expires", "30d", "--json").stdout)
    assert {"id", "token", "scopes", "expires"} == made.keys()
    alone = node.dms("token", "create", "--name", "ana", "--scope", "task:read")
    assert (1, "Token ") == (len(alone.stdout.split()), alone.stderr[:6])
    assert made["id"] in node.dms("token", "list").stdout
    assert 0 == node.dms("token", "revoke", made["id"]).returncode
    assert made["id"] not in node.dms("token", "list").stdout
    missing = node.dms("token", "revoke", made["id"])
    assert (3, "dms token list shows all") == (missing.returncode, missing.stderr.strip()[-24:])
    wrong = node.dms("token", "create", "--scope", "task:raed")
    assert 2 == wrong.returncode
    assert "Did you mean task:read?" in wrong.stderr
    assert 0 == node.stop()


def test_a_secret_is_in_no_log_and_in_no_file_but_the_one_for_it(nodes: Any) -> None:
    nodes.configure(observability={"log_level": "debug"})
    node = nodes.start()
    folder = Path(node.ask("node.info")["data_dir"])
    made = node.ask("token.create", scopes=["task:read"])["token"]
    node.dms("token", "list")
    assert 0 == node.stop()
    first = (folder / "admin.token").read_text().strip()
    told = "\n".join(node.lines).encode() + b"".join(
        path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != "admin.token"
    )
    assert [False, False] == [text.split("_", 2)[2].encode() in told for text in (made, first)]


def test_a_stop_that_can_not_write_the_last_uses_is_a_good_one_all_the_same(nodes: Any) -> None:
    """On a full disk, or in a folder that has become read-only, the database stayed open and the stop had failed."""
    node = nodes.start()
    folder = Path(node.ask("node.info")["data_dir"])
    url = node.ask("node.info")["doors"][0]
    token = (folder / "admin.token").read_text().strip()
    asked = Request(f"{url}/api/v1/node", headers={"Authorization": f"Bearer {token}"})
    with urlopen(asked, timeout=5) as answer:
        assert 200 == answer.status
    (folder / "identity.json.partial").mkdir()
    (folder / "dms.sock").unlink()
    (folder / "dms.sock").mkdir()
    assert 0 == node.stop()
    assert any("when each token was used last is not kept" in line for line in node.lines)
