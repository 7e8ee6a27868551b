"""What a value of the right type must also be; each check raises InvalidInput with what is wrong with it."""

from datetime import timedelta

from dms.errors import InvalidInput


def check_timezone(name: str) -> None:
    """InvalidInput unless it is the IANA name of a time zone."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidInput(f"{name!r} is not a time zone; give an IANA name such as Europe/Helsinki") from None


def check_positive(length: timedelta) -> None:
    """InvalidInput where a length of time is nothing."""
    if not length:
        raise InvalidInput("0 is too short here; give a length of time such as 1s")


def check_a_second(length: timedelta) -> None:
    """InvalidInput where a length of time is less than a second."""
    if length < timedelta(seconds=1):
        raise InvalidInput("less than a second is too short here; give a length of time such as 5s")


def check_endpoint(address: str) -> None:
    """InvalidInput unless it is the address of a collector, without anything secret in it."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(address)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good or not address.isascii() or not address.isprintable() or " " in address:
        raise InvalidInput(f"{address!r} is no collector's address; give one such as http://localhost:4318")
    if "@" in parts.netloc:
        raise InvalidInput("a password has no place here; give it as OTEL_EXPORTER_OTLP_HEADERS in the environment")
    if parts.query or parts.fragment:
        raise InvalidInput("what follows ? or # has no place here; /v1/logs and the like are added to it")


def check_flush_interval(length: timedelta) -> None:
    """InvalidInput where a collector would be asked all the time, or hardly ever."""
    if not timedelta(milliseconds=100) <= length <= timedelta(hours=1):
        raise InvalidInput("give a length of time from 100ms to 1h")
