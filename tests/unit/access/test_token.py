import hashlib

import msgspec
import pytest

from dms.access.token import new_token, read_token


def test_a_token_is_known_by_its_text_and_kept_without_it() -> None:
    token, text = new_token("ana", ("task:read",), made_by="root by socket", now=5, lifetime=10)
    shown = read_token(text)
    assert shown is not None
    assert (token.id, True) == (shown.id, shown.is_of(token))
    assert ("ana", ("task:read",), 5, 15) == (token.name, token.scopes, token.created, token.expires)
    assert hashlib.sha256(shown.secret.encode()).hexdigest() == token.hash
    assert shown.secret not in repr(token)


def test_one_that_is_for_nobody_in_particular_goes_by_its_id() -> None:
    token, _ = new_token("", ("task:read",), made_by="root by socket", now=5)
    assert (token.id, None) == (token.name, token.expires)


def test_no_two_are_alike_and_a_secret_can_not_be_guessed() -> None:
    texts = {new_token("", (), made_by="x", now=0)[1] for _ in range(100)}
    assert (100, {43}) == (len(texts), {len(text.split("_", 2)[2]) for text in texts})


def test_one_secret_does_not_open_another_token() -> None:
    one, text = new_token("", (), made_by="x", now=0)
    other, _ = new_token("", (), made_by="x", now=0)
    shown = read_token(text)
    assert shown is not None
    assert (True, False) == (shown.is_of(one), shown.is_of(other))


def test_a_hash_that_somebody_has_spoilt_lets_nobody_in() -> None:
    token, text = new_token("", (), made_by="x", now=0)
    shown = read_token(text)
    assert shown is not None
    assert not shown.is_of(msgspec.structs.replace(token, hash="é" + token.hash))


@pytest.mark.parametrize(
    "text", ["", "dms", "dms_", "dms__", "dms_id_", "dms__secret", "xyz_id_secret", "dms_é_x", "dms_i_" + "x" * 300]
)
def test_what_can_be_no_token_is_none(text: str) -> None:
    assert read_token(text) is None
