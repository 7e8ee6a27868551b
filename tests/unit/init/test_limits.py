from dms.command.limits import Limits
from dms.config import load
from dms.init.limits import limits_of


def test_the_defaults_are_those_that_hold_where_nobody_says_otherwise() -> None:
    assert Limits() == limits_of(load(environ={}).config)


def test_every_key_of_the_section_is_a_limit() -> None:
    said = {
        "max_message": 2_000,
        "max_in_flight": 3,
        "max_subscriptions": 4,
        "max_sockets": 5,
        "send_buffer": 70_000,
        "ping_interval": "6s",
        "hello_timeout": "7s",
    }
    loaded = load(environ={}, arguments=[f"websocket.{key}={value}" for key, value in said.items()])
    assert [] == loaded.findings
    expected = Limits(
        message=2_000, in_flight=3, subscriptions=4, sockets=5, send_buffer=70_000, ping=6, hello_within=7
    )
    assert expected == limits_of(loaded.config)
