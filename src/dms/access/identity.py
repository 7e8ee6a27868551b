"""identity.json: who this node is, kept apart from the database, so that a broken one never costs it."""

import os
import secrets
from pathlib import Path

import msgspec

from dms.access.token import Token
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
    """A node's random ID, which nobody else has, the name that people call it by, and the tokens that it made; None
    where it never made one, which is not the same as having revoked them all."""

    id: str
    name: str
    tokens: tuple[Token, ...] | None = None


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
    """Keep it, readable by its owner only, whole or not at all, also over a power cut. StoreError where it can't be
    written."""
    write_private(folder / _FILE, msgspec.json.format(msgspec.json.encode(identity)) + b"\n")


def write_private(path: Path, content: bytes) -> None:
    """A file that only its owner may read, replaced as a whole. StoreError where it can't be written."""
    try:
        _write(path.with_name(f"{path.name}.partial"), content).replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise StoreError(f"{path} can't be written: {error.strerror}; look at the disk and at the file") from None


def _write(partial: Path, content: bytes) -> Path:
    partial.unlink(missing_ok=True)  # one of a crash may have been made readable for others since
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return partial


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
