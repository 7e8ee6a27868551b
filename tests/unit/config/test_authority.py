import pytest

from dms.config.authority import check_address, check_hosts, check_origins, read_authority, read_origin
from dms.errors import InvalidInput


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("node.example", "node.example", None),
        ("NODE.Example", "node.example", None),
        ("node.example.", "node.example", None),
        ("node.example.:80", "node.example", 80),
        ("node.example:", "node.example", None),
        ("10.0.0.7:9999", "10.0.0.7", 9999),
        ("[::1]", "[::1]", None),
        ("[0:0::1]:9999", "[::1]", 9999),
        ("[FE80::A]", "[fe80::a]", None),
        ("_under.score", "_under.score", None),
    ],
)
def test_a_host_is_read_as_it_is_compared(text: str, host: str, port: int | None) -> None:
    assert (host, port) == read_authority(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        ":80",
        "a b",
        "a/b",
        "a@b",
        "a:b",
        "a:123456",
        "::1",
        "[::1",
        "[x]",
        "[::1]a",
        "[1.2.3.4]",
        "*",
        "ä.example",
    ],
)
def test_what_is_no_host_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"is no host such as node.example"):
        read_authority(text)


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("http://a", ("http", "a", 80)),
        ("HTTPS://A.Example", ("https", "a.example", 443)),
        ("https://a:8443", ("https", "a", 8443)),
        ("https://[::1]:1", ("https", "[::1]", 1)),
        ("app://b", ("app", "b", None)),
    ],
)
def test_an_origin_has_the_port_that_its_scheme_has_anyway(text: str, origin: tuple[str, str, int | None]) -> None:
    assert origin == read_origin(text)


@pytest.mark.parametrize(
    "text", ["null", "", "a.example", "https://", "https://a/", "https://a/b", "https://*", "file:///x"]
)
def test_what_is_no_origin_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        read_origin(text)


def test_a_list_of_hosts_names_the_one_that_is_none() -> None:
    check_hosts(["a", "b:1"])
    with pytest.raises(InvalidInput, match=r"'https://a' is no host such as .*; each stands for itself"):
        check_hosts(["a", "https://a"])


def test_a_list_of_origins_names_the_one_that_is_none() -> None:
    check_origins(["https://a"])
    with pytest.raises(InvalidInput, match=r"'a' is no origin such as https://console.example; each"):
        check_origins(["https://a", "a"])


@pytest.mark.parametrize("text", ["127.0.0.1", "0.0.0.0", "::", "::1", "10.9.8.7"])
def test_an_address_to_listen_at_is_an_ip_address(text: str) -> None:
    check_address(text)


@pytest.mark.parametrize("text", ["localhost", "*", "", "127.1", "[::1]", "127.0.0.1:80"])
def test_a_name_is_no_address_to_listen_at(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"is not an IP address; 127.0.0.1 is this machine alone"):
        check_address(text)
