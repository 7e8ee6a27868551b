"""What one peer may ask for: the limits of a lasting connection, as it is told them."""

from typing import Any

import msgspec

from dms.rpc.session import MAX_BATCH, MAX_ID_TEXT, MAX_MESSAGE
from dms.rpc.strict_json import MAX_DEPTH


class Limits(msgspec.Struct, frozen=True):
    """Bytes: `message`, `hello` (a message before the peer is known), `send_buffer` (what may wait for it to read).
    Counts: commands `in_flight` and `subscriptions` of a connection, `sockets` of a token. Seconds: `hello_within`
    after the upgrade, `ping` between two of ours, `patience` with a peer that reads nothing, `grace` to say good-bye.
    """

    message: int = MAX_MESSAGE
    hello: int = 8 * 1024
    send_buffer: int = 1024 * 1024
    in_flight: int = 64
    subscriptions: int = 32
    sockets: int = 8
    hello_within: float = 5
    ping: float = 20
    patience: float = 60
    grace: float = 5

    def told(self) -> dict[str, Any]:
        """What a peer is told of them, so that it need not find out by running against them."""
        return {
            "message": self.message,
            "depth": MAX_DEPTH,
            "batch": MAX_BATCH,
            "id": MAX_ID_TEXT,
            "in_flight": self.in_flight,
            "subscriptions": self.subscriptions,
            "sockets": self.sockets,
            "send_buffer": self.send_buffer,
            "ping": self.ping,
        }


DEFAULT_LIMITS = Limits()
"""What holds where nobody says otherwise."""
