"""identity.json: who this node is, kept apart from the database, so that a broken one never costs it."""

import os
import secrets
from pathlib import Path

import msgspec

from dms.errors import ConfigError, StoreError

_FILE = "identity.json"
_MANNERS = (
    "amber", "brave", "brisk", "calm", "clear", "eager", "early", "fair", "fleet", "gentle", "golden", "happy",
    "hardy", "keen", "kind", "lively", "lucky", "mellow", "merry", "neat", "noble", "patient", "plain", "proud",
    "quick", "quiet", "ready", "sharp", "silent", "steady", "sunny", "swift", "tidy", "warm", "wise", "witty",
)  # fmt: skip
_ANIMALS = (
    "badger", "beaver", "bison", "crane", "curlew", "dipper", "dormouse", "eagle", "falcon", "finch", "fox", "gannet",
    "hare", "hawk", "heron", "ibis", "jay", "kestrel", "lark", "lynx", "marten", "merlin", "mole", "newt", "osprey",
    "otter", "owl", "plover", "raven", "robin", "seal", "swift", "tern", "vole", "wagtail", "wren",
)  # fmt: skip


class Identity(msgspec.Struct, frozen=True):
    """A node's random ID, which nobody else has, and the name that people call it by."""

    id: str
    name: str


def read_identity(folder: Path) -> Identity | None:
    """Who the node of a data folder is; None where it is new. ConfigError where the file can't be read: a node that
    took another identity would not be the one that others know."""
    path = folder / _FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=Identity)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path} says who this node is and can't be read ({error}); put back a good copy, or move it away to make "
            "a new node"
        ) from None


def new_identity() -> Identity:
    """A new node's: 128 random bits, and a name that can be said."""
    return Identity(secrets.token_hex(16), f"{secrets.choice(_MANNERS)}-{secrets.choice(_ANIMALS)}")


def write_identity(folder: Path, identity: Identity) -> None:
    """Keep it, readable by its owner only, whole or not at all. StoreError where it can't be written."""
    try:
        _write(folder / f"{_FILE}.partial", identity).replace(folder / _FILE)
    except OSError as error:
        raise StoreError(
            f"{folder / _FILE} can't be written: {error.strerror}; look at the disk and at the file"
        ) from None


def _write(partial: Path, identity: Identity) -> Path:
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(identity)) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    return partial
