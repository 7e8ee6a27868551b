"""A disk as a power cut leaves it.

`python power_cut.py RECORD PROGRAM …` runs a Python program whose SQLite writes through a layer that notes down, in
their order, all writes, truncations, deletions and syncs of each file. `cut` then makes of the files what they would be
had the power gone at that instant: all that was synced is there, and of what was written since any part, sector by
sector.

What this can't show: a disk that says "synced" and has not; a name of a new file that is lost although the file was
synced (ext4, XFS and btrfs keep it); sectors that come back as neither the old nor the new; files that SQLite does not
write (the lock, the tokens), which are left as they are.
"""

import os
import random
import runpy
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

import apsw

SECTOR = 512
WRITE, TRUNCATE, DELETE, SYNC, SYNC_FOLDER = range(5)
_ENTRY = struct.Struct(">BHQI")


# ── what is noted down ──


class Recorder(apsw.VFS):
    """SQLite's way to its files; each step of which is noted down in `record`."""

    def __init__(self, record: str) -> None:
        super().__init__("recorder", "unix", makedefault=True)
        self._record = os.open(record, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def xOpen(self, name: "str | apsw.URIFilename | None", flags: list[int]) -> "RecordedFile":  # noqa: N802
        return RecordedFile(self, name, flags)

    def xDelete(self, name: str, syncdir: bool) -> None:  # noqa: N802
        self.note(DELETE, name)
        super().xDelete(name, syncdir)
        if syncdir:
            self.note(SYNC_FOLDER, name)

    def note(self, kind: int, name: str, offset: int = 0, data: bytes = b"") -> None:
        """An entry, whole or, where the program is killed in the midst of it, cut off."""
        file = os.fsencode(os.path.basename(name))
        os.write(self._record, _ENTRY.pack(kind, len(file), offset, len(data)) + file + data)


class RecordedFile(apsw.VFSFile):
    """A file of it. What is about to be done is noted before, a sync only once it is done. The first sync of a log or
    journal that is new syncs its folder too, by SQLite's own doing (`UNIXFILE_DIRSYNC` in its os_unix.c)."""

    def __init__(self, recorder: Recorder, name: "str | apsw.URIFilename | None", flags: list[int]) -> None:
        self._recorder = recorder
        self._name = name.filename() if isinstance(name, apsw.URIFilename) else name or ""
        self._new = self._name.endswith(("-wal", "-journal")) and not os.path.exists(self._name)
        super().__init__("unix", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        self._recorder.note(WRITE, self._name, offset, bytes(data))
        super().xWrite(data, offset)

    def xTruncate(self, size: int) -> None:  # noqa: N802
        self._recorder.note(TRUNCATE, self._name, size)
        super().xTruncate(size)

    def xSync(self, flags: int) -> None:  # noqa: N802
        super().xSync(flags)
        self._recorder.note(SYNC, self._name)
        if self._new:
            self._recorder.note(SYNC_FOLDER, self._name)
            self._new = False


# ── what a cut makes of it ──

Step = tuple[int, int, bytes]


class _File:
    """What of a file is on the disk for sure (None: it is not there), and what may be."""

    def __init__(self, content: bytes | None) -> None:
        self.content = None if content is None else bytearray(content)
        self.since: list[Step] = []

    def take(self, kind: int, offset: int, data: bytes) -> None:
        """What was done to it, or a sync."""
        if kind != SYNC:
            self.since.append((kind, offset, data))
            return
        for step in self.since:
            self.apply(step)
        self.since.clear()

    def sync_folder(self) -> None:
        """That it was deleted, where it was, is on the disk now."""
        deleted = [index for index, step in enumerate(self.since) if step[0] == DELETE]
        if deleted:
            self.content, self.since = None, self.since[deleted[-1] + 1 :]

    def lose_power(self, chance: random.Random, kept: float) -> None:
        """Of what was not synced each sector has so great a chance to be there."""
        for part in [part for step in self.since for part in _parts(step)]:
            if chance.random() < kept:
                self.apply(part)

    def apply(self, step: Step) -> None:
        """It is on the disk now."""
        kind, offset, data = step
        if kind == DELETE:
            self.content = None
            return
        content = self.content = bytearray() if self.content is None else self.content
        content.extend(bytes(max(0, offset - len(content))))
        if kind == WRITE:
            content[offset : offset + len(data)] = data
        else:
            del content[offset:]


def cut(folder: Path, record: Path, before: dict[str, bytes], chance: random.Random, kept: float = 0.5) -> None:
    """Put the files in the folder that a cut at the end of the record leaves, which were `before` at its beginning.
    Each sector that was not synced has so great a chance to be there."""
    files = {name: _File(content) for name, content in before.items()}
    for kind, name, offset, data in _entries(record.read_bytes()):
        if kind == SYNC_FOLDER:
            for file in files.values():
                file.sync_folder()
        else:
            files.setdefault(name, _File(None)).take(kind, offset, data)
    for name, file in files.items():
        file.lose_power(chance, kept)
        (folder / name).unlink(missing_ok=True)
        if file.content is not None:
            (folder / name).write_bytes(file.content)
    for index in folder.glob("*-shm"):
        index.unlink()
    record.unlink()


def databases(folder: Path) -> dict[str, bytes]:
    """What SQLite keeps in a folder, but for what it only keeps in memory."""
    return {path.name: path.read_bytes() for path in folder.glob("*.db*") if not path.name.endswith("-shm")}


def _entries(record: bytes) -> Iterator[tuple[int, str, int, bytes]]:
    at = 0
    while len(record) - at >= _ENTRY.size:
        kind, name, offset, size = _ENTRY.unpack_from(record, at)
        at += _ENTRY.size
        if len(record) - at < name + size:
            return
        yield kind, os.fsdecode(record[at : at + name]), offset, record[at + name : at + name + size]
        at += name + size


def _parts(step: Step) -> Iterator[Step]:
    """A write sector by sector; anything else as a whole."""
    kind, offset, data = step
    if kind != WRITE:
        yield step
    while kind == WRITE and data:
        room = SECTOR - offset % SECTOR
        yield WRITE, offset, data[:room]
        offset, data = offset + room, data[room:]


if __name__ == "__main__":
    recorder = Recorder(sys.argv[1])
    sys.argv = sys.argv[2:]
    runpy.run_path(sys.argv[0], run_name="__main__")
