from pathlib import Path
from typing import Any

import msgspec
import pytest

from dms.config import load
from dms.errors import ConfigError
from dms.http.listening import Listening, closed, listening_of

DEFAULTS = load(environ={"HOME": "/nowhere"}).config.rest


def rest(**given: Any) -> Any:
    return msgspec.structs.replace(DEFAULTS, **given)


def test_by_default_it_listens_to_this_machine_alone_at_the_port_of_the_specification() -> None:
    assert Listening("127.0.0.1", 9999) == listening_of(DEFAULTS)


def test_a_door_that_is_not_enabled_is_nowhere() -> None:
    assert listening_of(rest(enabled=False, addr="0.0.0.0")) is None


@pytest.mark.parametrize("addr", ["0.0.0.0", "::", "10.0.0.7", "fe80::1"])
def test_wider_than_this_machine_needs_tls(addr: str) -> None:
    with pytest.raises(ConfigError, match=f"^rest.addr: {addr} is open to others, and without TLS"):
        listening_of(rest(addr=addr))
    assert listening_of(rest(addr=addr, tls_certificate=Path("/a")))


@pytest.mark.parametrize("addr", ["127.0.0.1", "127.9.9.9", "::1"])
def test_every_loopback_address_is_this_machine_alone(addr: str) -> None:
    assert Listening(addr, 9999) == listening_of(rest(addr=addr))


def test_who_says_so_outright_listens_wider_in_clear() -> None:
    assert Listening("0.0.0.0", 9999) == listening_of(rest(addr="0.0.0.0", allow_plain=True))


def test_but_not_where_tls_was_wanted_and_said_badly() -> None:
    with pytest.raises(ConfigError):
        listening_of(rest(addr="0.0.0.0", allow_plain=True), certain=False)


def test_a_key_without_its_certificate_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^rest.tls_key: there is no rest.tls_certificate"):
        listening_of(rest(tls_key=Path("/a")))


def test_closed_it_keeps_its_port_and_is_open_to_this_machine_alone() -> None:
    assert Listening("127.0.0.1", 7) == closed(rest(addr="0.0.0.0", port=7, tls_certificate=Path("/a")))


@pytest.mark.parametrize(
    ("listening", "url"),
    [
        (Listening("127.0.0.1", 0), "http://127.0.0.1:7"),
        (Listening("::1", 0), "http://[::1]:7"),
        (Listening("0.0.0.0", 0, Path("/a")), "https://0.0.0.0:7"),
    ],
)
def test_its_url_is_what_a_client_writes(listening: Listening, url: str) -> None:
    assert url == listening.url(7)
