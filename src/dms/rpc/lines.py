"""Messages out of a stream of bytes, one a line."""


class Lines:
    """Cuts what was received into lines. Of a line longer than `limit` bytes only limit + 1 are kept, so that whoever
    reads it sees that it is too long, and a peer that never ends its line costs no more memory than that."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that are complete now, without their ends; blank ones are left out."""
        *complete, rest = data.split(b"\n")
        lines = []
        for part in complete:
            self._add(part)
            lines.append(bytes(self._rest))
            self._rest.clear()
        self._add(rest)
        return [line for line in lines if line.strip()]

    def _add(self, part: bytes) -> None:
        room = self._limit + 1 - len(self._rest)
        self._rest += part[:room]
