"""Which requests may come in, by the names and pages that they say."""

import re
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dms.config import load
from dms.config.schema import RestSection
from dms.http.guard import Headers, LiveGuard, guard_of


@pytest.fixture
def rest() -> Callable[..., RestSection]:
    defaults = load(environ={"HOME": "/nowhere"}).config.rest
    return lambda **given: msgspec.structs.replace(defaults, **given)


Rest = Callable[..., RestSection]


def headers(host: str | None = "localhost", *origins: str) -> Headers:
    first = [] if host is None else [(b"host", host.encode("latin-1"))]
    return [*first, (b"accept", b"*/*"), *((b"origin", origin.encode("latin-1")) for origin in origins)]


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:9999", "LOCALHOST:1", "localhost.", "127.0.0.1", "127.0.0.1:9999", "127.8.8.8", "[::1]",
     "[::1]:9999", "[0:0:0:0:0:0:0:1]", " localhost "],
)  # fmt: skip
def test_this_machine_may_be_called_by_each_of_its_own_names(rest: Rest, host: str) -> None:
    assert guard_of(rest())(headers(host)) is None


@pytest.mark.parametrize(
    ("host", "entry"),
    [
        ("evil.example", "evil.example"),
        ("Evil.Example.:9999", "evil.example:9999"),
        ("localhost.evil.example", "localhost.evil.example"),
        ("127.0.0.1.evil.example", "127.0.0.1.evil.example"),
        ("127.1", "127.1"),
        ("2130706433", "2130706433"),
        ("0x7f.1", "0x7f.1"),
        ("0.0.0.0", "0.0.0.0"),
        ("10.0.0.7", "10.0.0.7"),
        ("[::ffff:7f00:2]", "[::ffff:7f00:2]"),
        ("[fe80::1]", "[fe80::1]"),
    ],
)
def test_any_other_name_is_refused_with_the_entry_that_is_missing(rest: Rest, host: str, entry: str) -> None:
    """DNS rebinding (mgedmin/restview#51, quick-lint/quick-lint-js#951): a name that was made to mean this machine."""
    assert (
        f'the Host "{host}" is not a name of this node; if it is meant to be one, add "{entry}" to rest.allowed_hosts'
        == guard_of(rest())(headers(host))
    )


@pytest.mark.parametrize(
    "host", ["", "a b", "localhost:9999:1", "localhost/", "user@localhost", "[::1", "localhost,evil", "\xe4"]
)
def test_what_is_no_host_is_refused(rest: Rest, host: str) -> None:
    assert "is no host such as node.example" in str(guard_of(rest())(headers(host)))


def test_a_request_without_a_host_is_refused(rest: Rest) -> None:
    assert str(guard_of(rest())(headers(None))).startswith("the header Host must come once, and so is no host")


def test_two_hosts_are_refused_though_both_are_good(rest: Rest) -> None:
    twice = [*headers("localhost"), *headers("localhost")]
    assert str(guard_of(rest())(twice)).startswith("the header Host must come once")


def test_a_name_that_is_listed_is_the_nodes_at_any_port(rest: Rest) -> None:
    guard = guard_of(rest(allowed_hosts=["Node.Example."]))
    assert [None, None] == [guard(headers(host)) for host in ("node.example", "NODE.example:7")]
    assert "sub.node.example" in str(guard(headers("sub.node.example")))


def test_a_name_that_is_listed_with_a_port_is_the_nodes_at_that_port_only(rest: Rest) -> None:
    guard = guard_of(rest(allowed_hosts=["node.example:7"]))
    assert guard(headers("node.example:7")) is None
    assert guard(headers("node.example:8"))
    assert guard(headers("node.example"))


@pytest.mark.parametrize(
    ("addr", "host"),
    [("10.0.0.7", "10.0.0.7:9999"), ("fd00::7", "[fd00:0::7]:9999"), ("fe80::7%eth0", "[fe80::7]:9999")],
)
def test_the_address_it_listens_at_is_a_name_of_the_node(rest: Rest, addr: str, host: str) -> None:
    assert guard_of(rest(addr=addr))(headers(host)) is None


@pytest.mark.parametrize(("addr", "host"), [("0.0.0.0", "0.0.0.0:9999"), ("::", "[::]:9999")])
def test_every_address_is_no_name_of_anybody(rest: Rest, addr: str, host: str) -> None:
    assert "rest.allowed_hosts" in str(guard_of(rest(addr=addr))(headers(host)))


def test_a_long_host_is_told_in_short(rest: Rest) -> None:
    assert len(str(guard_of(rest())(headers("a" * 5000)))) < 300


def test_a_program_that_says_no_origin_may_come_in(rest: Rest) -> None:
    assert guard_of(rest())(headers("localhost")) is None


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("localhost:9999", "http://localhost:9999"),
        ("LOCALHOST:9999", "http://localhost:9999"),
        ("localhost:80", "http://localhost"),
        ("localhost", "https://localhost"),
        ("[::1]:9999", "http://[::1]:9999"),
    ],
)
def test_the_nodes_own_pages_may(rest: Rest, host: str, origin: str) -> None:
    assert guard_of(rest())(headers(host, origin)) is None


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "http://localhost:3000", "http://127.0.0.1:9999", "https://localhost.evil.example:9999",
     "app://localhost:9999"],
)  # fmt: skip
def test_pages_of_others_may_not_and_the_entry_that_is_missing_is_told(rest: Rest, origin: str) -> None:
    """kdlbs/kandev#1698, playframework/play-java-websocket-example#57."""
    assert (
        f'pages of the Origin "{origin}" may not talk to this node; if they are meant to, '
        f'add "{origin}" to rest.allowed_origins' == guard_of(rest())(headers("localhost:9999", origin))
    )


@pytest.mark.parametrize("origin", ["null", "", "localhost", "http://localhost:9999/", "http://a, http://b"])
def test_an_origin_that_names_no_page_is_refused(rest: Rest, origin: str) -> None:
    assert "is no " in str(guard_of(rest(allowed_origins=["http://a"]))(headers("localhost:9999", origin)))


def test_two_origins_are_refused_though_one_is_good(rest: Rest) -> None:
    guard = guard_of(rest(allowed_origins=["http://a"]))
    assert str(guard(headers("localhost", "http://a", "http://a"))).startswith("the header Origin must come once")


def test_a_page_that_is_listed_may_and_its_neighbours_may_not(rest: Rest) -> None:
    guard = guard_of(rest(allowed_origins=["https://Console.Example"]))
    assert guard(headers("localhost", "https://console.example")) is None
    assert guard(headers("localhost", "https://console.example:443")) is None
    assert guard(headers("localhost", "http://console.example"))
    assert guard(headers("localhost", "https://console.example:8443"))


def test_a_page_that_is_listed_still_needs_a_host_that_is(rest: Rest) -> None:
    guard = guard_of(rest(allowed_origins=["https://evil.example"]))
    assert "rest.allowed_hosts" in str(guard(headers("evil.example", "https://evil.example")))


def test_it_follows_the_settings(rest: Rest) -> None:
    guard = LiveGuard(rest())
    assert guard(headers("node.example"))
    guard.follow(rest(allowed_hosts=["node.example"]))
    assert guard(headers("node.example")) is None


PARTS = [
    b"localhost",
    b"127.0.0.1",
    b"::1",
    b"0",
    b"9",
    b".",
    b":",
    b"[",
    b"]",
    b"evil",
    b"@",
    b"/",
    b" ",
    b"http://",
    b"\xe4",
]
SAID = st.lists(st.sampled_from(PARTS), max_size=6).map(b"".join)


@given(host=SAID, origin=st.none() | SAID)
def test_whatever_is_said_is_judged_and_nothing_but_this_machine_comes_in(host: bytes, origin: bytes | None) -> None:
    guard = guard_of(load(environ={"HOME": "/nowhere"}).config.rest)
    told = [(b"host", host), *([] if origin is None else [(b"origin", origin)])]
    if guard(told) is None:
        assert re.fullmatch(rb"\s*(localhost\.?|127\.\d+\.\d+\.\d+|\[[0:]+1\])(:\d*)?\s*", host.lower())
