"""Keys that say who can reach the node: what is bad closes, and never lets a lower layer's wider value count."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dms.adapters.config_store import MemoryConfigStore
from dms.config import Loaded
from dms.config.live import LiveConfig
from dms.config.overrides import Override
from dms.config.reading import with_overrides
from dms.testing import FakeClock

Load = Callable[..., Loaded]

WIDE = (
    "rest: {enabled: true, addr: 0.0.0.0, port: 7, allow_plain: true, allowed_hosts: [a], "
    'allowed_origins: ["https://a"], tls_certificate: /a, tls_key: /b}\n'
)
CLOSED = {
    "enabled": False,
    "addr": "127.0.0.1",
    "allowed_hosts": [],
    "allowed_origins": [],
    "tls_certificate": None,
    "tls_key": None,
    "allow_plain": False,
}


def key(loaded: Loaded, name: str) -> Any:
    return getattr(loaded.config.rest, name)


@pytest.mark.parametrize("name", CLOSED)
def test_a_bad_value_closes_its_key_though_a_lower_layer_says_a_wider_one(loaded: Load, name: str) -> None:
    result = loaded(WIDE, environ={f"DMS_REST__{name.upper()}": '"{'})
    assert CLOSED[name] == key(result, name)
    assert [f"rest.{name}"] == [finding.key for finding in result.findings]


def test_each_other_key_of_the_section_stays_as_it_is(loaded: Load) -> None:
    result = loaded(WIDE, environ={"DMS_REST__ALLOW_PLAIN": "perhaps"})
    assert ("0.0.0.0", 7, ["a"], False) == tuple(
        key(result, name) for name in ("addr", "port", "allowed_hosts", "allow_plain")
    )


def test_a_good_value_of_a_higher_layer_counts_over_a_bad_one(loaded: Load) -> None:
    assert "10.0.0.7" == key(loaded("rest: {addr: 5}", environ={"DMS_REST__ADDR": "10.0.0.7"}), "addr")


def test_a_port_is_not_what_makes_it_wider(loaded: Load) -> None:
    assert 7 == key(loaded(WIDE, environ={"DMS_REST__PORT": "x"}), "port")


def test_of_a_key_that_stands_twice_neither_counts(loaded: Load) -> None:
    result = loaded("rest:\n  addr: 0.0.0.0\n  addr: 10.0.0.7\n")
    assert "127.0.0.1" == key(result, "addr")
    (finding,) = result.findings
    assert str(finding).endswith('Until it is mended rest.addr: "127.0.0.1" counts')


@pytest.mark.parametrize("text", ["rest: [5]", "rest: 5", "rest: {}\nrest: {addr: 10.0.0.7}", "rest: {"])
def test_where_the_whole_is_bad_all_closes_but_the_door_itself(loaded: Load, folder: Path, text: str) -> None:
    (folder / "conf.d").mkdir()
    (folder / "conf.d/10.yaml").write_text(text)
    result = loaded(WIDE, environ={"DMS_GENERAL__DATA_DIR": "/srv/dms"})
    assert {**CLOSED, "enabled": True} == {name: key(result, name) for name in CLOSED}


def test_a_drop_in_that_is_good_is_not_closed_by_what_lies_under_it(loaded: Load, folder: Path) -> None:
    (folder / "conf.d").mkdir()
    (folder / "conf.d/10.yaml").write_text("rest: {addr: 10.0.0.7}")
    assert "10.0.0.7" == key(loaded("rest: {", environ={"DMS_GENERAL__DATA_DIR": "/srv/dms"}), "addr")


def test_a_bad_override_closes_and_the_layer_below_counts_again_once_it_is_gone(loaded: Load) -> None:
    bad = Override(("rest", "addr"), "everywhere", 1, "ana", 0)
    closed = with_overrides(loaded(WIDE), [bad], ())
    assert "127.0.0.1" == key(closed, "addr")
    assert "0.0.0.0" == key(with_overrides(closed, (), ()), "addr")


async def test_while_the_node_runs_a_bad_value_is_refused_and_nothing_closes(loaded: Load) -> None:
    first = loaded(WIDE)

    async def read_anew() -> Loaded:
        return first

    live = LiveConfig(first, MemoryConfigStore(), FakeClock(), read_anew)
    live.start()
    with pytest.raises(ValueError, match=r"rest.addr: 'x' is not an IP address"):
        await live.set({"rest.addr": "x"}, author="ana")
    assert "0.0.0.0" == live.config.rest.addr
