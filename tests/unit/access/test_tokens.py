import secrets
from collections.abc import Callable
from pathlib import Path

import pytest

from dms.access.caller import ADMIN
from dms.access.identity import Identity, new_identity, read_identity
from dms.access.tokens import Tokens
from dms.errors import NotFound, StoreError, Unauthenticated
from dms.testing import FakeClock

DAY = "1d"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def tokens(tmp_path: Path, clock: FakeClock) -> Tokens:
    return Tokens(tmp_path, new_identity(), clock)


def after_a_restart(folder: Path, clock: FakeClock) -> Tokens:
    identity = read_identity(folder)
    assert identity is not None
    return Tokens(folder, identity, clock)


def test_a_token_tells_who_asks_and_what_they_may(tokens: Tokens) -> None:
    made, text = tokens.create("ana", ["task:read"], "root by socket", None)
    caller = tokens.authenticate(text)
    assert ("ana", frozenset({"task:read"}), made.id, None) == (
        caller.name,
        caller.scopes,
        caller.token_id,
        caller.expires,
    )


def test_it_does_so_after_a_restart(tokens: Tokens, tmp_path: Path, clock: FakeClock) -> None:
    made, text = tokens.create("ana", ["task:read"], "root by socket", None)
    assert made.id == after_a_restart(tmp_path, clock).authenticate(text).token_id


@pytest.mark.parametrize("change", [lambda text: text[:-1], lambda text: text + "x", str.upper, lambda _: "x"])
def test_a_text_that_is_not_quite_a_token_is_nobody(change: Callable[[str], str], tokens: Tokens) -> None:
    _, text = tokens.create("ana", ["task:read"], "root by socket", None)
    with pytest.raises(Unauthenticated, match="not known here: it is mistyped, or was revoked"):
        tokens.authenticate(change(text))


def test_an_expired_one_is_nobody_from_that_moment_on(tokens: Tokens, clock: FakeClock) -> None:
    made, text = tokens.create("ana", ["task:read"], "root by socket", 1_000_000)
    clock.advance("999ms")
    assert made.expires == tokens.authenticate(text).expires
    clock.advance("1ms")
    with pytest.raises(Unauthenticated, match=f"the token {made.id} has expired"):
        tokens.authenticate(text)


def test_a_revoked_one_is_nobody_now_and_after_a_restart(tokens: Tokens, tmp_path: Path, clock: FakeClock) -> None:
    made, text = tokens.create("ana", ["task:read"], "root by socket", None)
    other, kept = tokens.create("bob", ["task:read"], "root by socket", None)
    tokens.revoke(made.id)
    for life in (tokens, after_a_restart(tmp_path, clock)):
        with pytest.raises(Unauthenticated):
            life.authenticate(text)
        assert other.id == life.authenticate(kept).token_id


def test_what_is_not_there_can_not_be_revoked(tokens: Tokens) -> None:
    with pytest.raises(NotFound, match="there is no token 00000000; dms token list shows all"):
        tokens.revoke("00000000")


def test_a_new_node_makes_one_that_may_do_everything_in_a_file_for_its_user_alone(
    tokens: Tokens, tmp_path: Path
) -> None:
    file = tokens.begin()
    assert file is not None
    assert (tmp_path / "admin.token", 0o600) == (file, file.stat().st_mode & 0o777)
    assert frozenset({ADMIN}) == tokens.authenticate(file.read_text().strip()).scopes


def test_it_makes_that_one_once_and_not_again_when_all_are_revoked(
    tokens: Tokens, tmp_path: Path, clock: FakeClock
) -> None:
    tokens.begin()
    (first,) = tokens.list()
    tokens.revoke(first.id)
    again = after_a_restart(tmp_path, clock)
    assert (None, []) == (again.begin(), again.list())


def test_a_crash_between_the_file_and_the_identity_is_made_good_at_the_next_start(
    tokens: Tokens, tmp_path: Path, clock: FakeClock
) -> None:
    (tmp_path / "admin.token").write_text("dms_dead_beef\n")
    file = tokens.begin()
    assert file is not None
    tokens.authenticate(file.read_text().strip())


def test_an_identity_from_before_there_were_tokens_gets_its_first_one(tmp_path: Path, clock: FakeClock) -> None:
    (tmp_path / "identity.json").write_text('{"id": "0", "name": "quiet-heron"}')
    tokens = after_a_restart(tmp_path, clock)
    assert tokens.begin() is not None
    assert "quiet-heron" == (read_identity(tmp_path) or Identity("", "")).name


def test_where_the_disk_refuses_nothing_has_changed(tokens: Tokens, tmp_path: Path) -> None:
    made, text = tokens.create("ana", ["task:read"], "root by socket", None)
    (tmp_path / "identity.json").unlink()
    (tmp_path / "identity.json" / "in the way").mkdir(parents=True)
    with pytest.raises(StoreError, match="can't be written"):
        tokens.revoke(made.id)
    with pytest.raises(StoreError, match="can't be written"):
        tokens.create("bob", ["task:read"], "root by socket", None)
    assert (made.id, 1) == (tokens.authenticate(text).token_id, len(tokens.list()))


def test_no_secret_is_in_the_file(tokens: Tokens, tmp_path: Path) -> None:
    _, text = tokens.create("ana", ["task:read"], "root by socket", None)
    assert text.split("_", 2)[2] not in (tmp_path / "identity.json").read_text()


def test_when_one_was_used_last_is_kept_at_the_end(tokens: Tokens, tmp_path: Path, clock: FakeClock) -> None:
    _, text = tokens.create("ana", ["task:read"], "root by socket", None)
    assert [None] == [token.last_used for token in tokens.list()]
    clock.advance(DAY)
    tokens.authenticate(text)
    tokens.close()
    assert [clock.now().wall] == [token.last_used for token in after_a_restart(tmp_path, clock).list()]


def test_nothing_is_written_at_the_end_where_none_was_used(tokens: Tokens, tmp_path: Path) -> None:
    tokens.create("ana", ["task:read"], "root by socket", None)
    (tmp_path / "identity.json").unlink()
    tokens.close()
    assert not (tmp_path / "identity.json").exists()


def test_an_id_that_comes_twice_takes_no_ones_place(tokens: Tokens, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = iter(["5f0c1a2b", "5f0c1a2b", "7d1e9c04"])
    monkeypatch.setattr(secrets, "token_hex", lambda size: next(ids))
    texts = [tokens.create(name, ["task:read"], "root by socket", None)[1] for name in ("ana", "bea")]
    assert ["ana", "bea"] == [tokens.authenticate(text).name for text in texts]
