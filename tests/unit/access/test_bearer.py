import pytest

from dms.access.bearer import bearer_token, shows_token
from dms.errors import Unauthenticated


@pytest.mark.parametrize(
    ("given", "expected"), [([], None), (["Bearer abc"], "abc"), (["bearer abc"], "abc"), (["Bearer  abc "], "abc")]
)
def test_the_token_is_what_follows_the_scheme(given: list[str], expected: str | None) -> None:
    assert expected == bearer_token(given)


@pytest.mark.parametrize("given", [["abc"], ["Bearer"], ["Bearer "], ["Basic YTpi"], [""], ["Bearer a", "Bearer b"]])
def test_whatever_else_the_header_says_is_no_token_and_what_it_must_say_is_told(given: list[str]) -> None:
    with pytest.raises(Unauthenticated, match="Authorization: Bearer TOKEN"):
        bearer_token(given)


@pytest.mark.parametrize("query", ["token=abc", "a=1&access_token=abc", "TOKEN=", "token", "%74oken=abc"])
def test_a_token_in_a_query_is_seen_however_it_is_written(query: str) -> None:
    assert shows_token(query)


@pytest.mark.parametrize("query", ["", "wait=true", "reason=token", "tokens=3"])
def test_a_query_without_one_is_let_through(query: str) -> None:
    assert not shows_token(query)
