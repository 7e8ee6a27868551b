"""The section `websocket`: what one WebSocket may ask for."""

from datetime import timedelta
from typing import Annotated

from msgspec import Meta

from dms.config.schema.checks import check_a_second
from dms.config.setting import Applies, Section, Setting


class WebSocketSection(Section, frozen=True):
    """What one WebSocket may ask for. A change counts for those that are opened from then on."""

    max_message: Annotated[
        int,
        Meta(ge=1_024, le=64 * 1024 * 1024),
        Setting(
            "How long a message to the node may be.",
            default=1024 * 1024,
            why="Far more than any command needs, and little enough for a small device.",
            unit="bytes",
            example="4194304",
            applies=Applies.LIVE,
        ),
    ]
    max_in_flight: Annotated[
        int,
        Meta(ge=1, le=10_000),
        Setting(
            "How many commands one socket may have under way.",
            default=64,
            why="More than any console asks at once; one socket alone can't fill the node.",
            unit="commands",
            example="256",
            applies=Applies.LIVE,
        ),
    ]
    max_subscriptions: Annotated[
        int,
        Meta(ge=0, le=1_000),
        Setting(
            "How many topics one socket may follow.",
            default=32,
            why="Every topic several times over.",
            unit="subscriptions",
            example="8",
            applies=Applies.LIVE,
        ),
    ]
    max_sockets: Annotated[
        int,
        Meta(ge=1, le=100_000),
        Setting(
            "How many sockets may be open by one token.",
            default=8,
            why="A console in a few windows; who needs more makes more tokens.",
            unit="sockets",
            example="64",
            applies=Applies.LIVE,
        ),
    ]
    send_buffer: Annotated[
        int,
        Meta(ge=64 * 1024, le=64 * 1024 * 1024),
        Setting(
            "How much may wait for one that reads slowly, before it is read from more slowly.",
            default=1024 * 1024,
            why="What a slow reader may cost in memory.",
            unit="bytes",
            example="262144",
            applies=Applies.LIVE,
        ),
    ]
    ping_interval: Annotated[
        timedelta,
        Setting(
            "After how long without a word the peer is asked whether it is still there.",
            default=timedelta(seconds=20),
            why="Shorter than the 30 s after which many proxies cut a silent connection.",
            example="1m",
            applies=Applies.LIVE,
            check=check_a_second,
        ),
    ]
    hello_timeout: Annotated[
        timedelta,
        Setting(
            "How long one that came without a token may take to show it.",
            default=timedelta(seconds=5),
            why="A network's worst, and no free place for strangers.",
            example="10s",
            applies=Applies.LIVE,
            check=check_a_second,
        ),
    ]
