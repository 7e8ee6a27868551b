"""The data folder: made for its owner only, checked, and held by one node at a time."""

import fcntl
import os
from pathlib import Path
from tempfile import TemporaryFile

import msgspec

from dms.errors import FolderInUse, Misuse, StoreError

_LOCK = "dms.lock"
_DATABASE = "dms.db"
_MOST_LOCK_BYTES = 4_096


def is_data_folder(path: str) -> bool:
    """Whether a node keeps its own files there."""
    return os.path.exists(os.path.join(path, _LOCK))


class _Holder(msgspec.Struct, frozen=True):
    """What the lock's file says of whoever holds it; for people, never proof: the system's lock alone is that."""

    name: str
    pid: int


class DataFolder:
    """Where a node keeps what must survive it. `prepare`, then `lock`, then use `path` and `database`.

    A node holds the folder by a lock of the operating system (flock) on `dms.lock`, which ends with its process however
    that ends. What a crash left in the file, be it a stranger's process number, therefore refuses nobody.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path).expanduser().absolute()
        self._lock: int | None = None

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.path / _DATABASE

    def prepare(self) -> None:
        """Make the folder where there is none (mode 0700), and see that it can be written; StoreError where not."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            with TemporaryFile(dir=self.path) as probe:
                probe.write(b"\0")
        except OSError as error:
            raise self._unusable(error) from None

    def lock(self, name: str) -> None:
        """Hold the folder for the node of that name until `release` or the end of the process.

        FolderInUse names the node and the process that hold it; Misuse where this object holds it already.
        """
        if self._lock is not None:
            raise Misuse(f"lock: {self.path} is held by this object already")
        try:
            file = os.open(self.path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise self._unusable(error) from None
        try:
            self._take(file)
            os.ftruncate(file, 0)
            os.pwrite(file, msgspec.json.encode(_Holder(name, os.getpid())) + b"\n", 0)
        except BaseException:
            os.close(file)
            raise
        self._lock = file
        os.register_at_fork(after_in_child=self._forked)

    def release(self) -> None:
        """Let another node have the folder. The lock's file stays, empty: removing it could remove another's lock."""
        if self._lock is not None:
            os.ftruncate(self._lock, 0)
            os.close(self._lock)
            self._lock = None

    def _forked(self) -> None:
        """This is a process that a task forked: should it outlive the node, it must not hold the folder."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _take(self, file: int) -> None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FolderInUse(
                f"data folder {self.path}: {_holder(file)} holds it; stop that node, or give this one another folder"
                " with --data-dir"
            ) from None
        except OSError as error:
            raise StoreError(
                f"data folder {self.path} can't be locked ({error.strerror}); give one on a local disk"
            ) from None

    def _unusable(self, error: OSError) -> StoreError:
        return StoreError(
            f"data folder {self.path} can't be used: {error.strerror}; give one that this user may write"
            " with --data-dir or DMS_GENERAL__DATA_DIR, or change its owner"
        )


def _holder(file: int) -> str:
    try:
        holder = msgspec.json.decode(os.pread(file, _MOST_LOCK_BYTES, 0), type=_Holder)
    except (msgspec.DecodeError, OSError):
        return "another node"
    return f"node {holder.name} (process {holder.pid})"
