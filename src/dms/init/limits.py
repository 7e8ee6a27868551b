"""From the section `websocket` to the limits of one that is opened now."""

from dms.command.limits import Limits
from dms.config import Config
from dms.instant import SECOND, microseconds


def limits_of(config: Config) -> Limits:
    """What the configuration allows one peer; the rest is as it is everywhere."""
    it = config.websocket
    return Limits(
        message=it.max_message,
        in_flight=it.max_in_flight,
        subscriptions=it.max_subscriptions,
        sockets=it.max_sockets,
        send_buffer=it.send_buffer,
        ping=microseconds(it.ping_interval) / SECOND,
        hello_within=microseconds(it.hello_timeout) / SECOND,
    )
