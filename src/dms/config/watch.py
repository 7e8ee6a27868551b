"""FileWatch: notices that files of settings have changed, however they were: written, renamed over, or swapped behind
a symbolic link. It watches folders, since a watched file is lost with its first renaming."""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Event, Thread

from dms.config.file import DROP_IN_FOLDER, drop_ins

LOOK = 200
"""Milliseconds between two looks at whether the system has told of something: each wakes an idle node."""

QUIET = 250
"""Milliseconds without a further event after which a change counts as complete."""

LONGEST = 800
"""Milliseconds after which it is looked at though events go on."""

POLL = 1.0
"""Seconds between two looks where the system can't tell of events, or a folder is not there."""

Fingerprint = tuple[tuple[str, int, int, int, int], ...]


class FileWatch:
    """Calls `changed`, from a thread of its own, whenever the files that `files` names are others than before: main
    files, the drop-ins beside them included. The first look is the start's. The thread never holds the process."""

    def __init__(self, files: Callable[[], Sequence[Path]], changed: Callable[[], object]) -> None:
        self._files, self._changed = files, changed
        self._stopped = Event()
        self._seen: Fingerprint = ()
        self._thread = Thread(target=self._run, name="dms-config-watch", daemon=True)

    def start(self) -> None:
        """Watch from now on."""
        self._seen = fingerprint(self._files())
        self._thread.start()

    def stop(self) -> None:
        """Watch no longer."""
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self._watch()
            except (OSError, RuntimeError, UnicodeError):  # no more watches, or a folder that may not be watched
                self._stopped.wait(POLL)

    def _watch(self) -> None:
        """Look, and again at each notice, until it is other folders that are to be watched."""
        folders = folders_of(self._files())
        for _ in self._notices(folders):
            self._look()
            if folders_of(self._files()) != folders:
                break

    def _notices(self, folders: Sequence[Path]) -> Iterator[object]:
        """Something happened in the folders; also now and then, since a folder that was made anew is another one."""
        from watchfiles import watch  # 40 ms, and only a running node needs it

        yield None  # what happened while nobody watched
        yield from watch(
            *folders,
            watch_filter=None,
            recursive=False,
            step=LOOK,
            debounce=QUIET,
            rust_timeout=int(POLL * 1000),
            yield_on_timeout=True,
            stop_event=self._stopped,
            raise_interrupt=False,
        )

    def _look(self) -> None:
        found = fingerprint(self._files())
        if found != self._seen:
            found = self._settled(found)
        if found != self._seen and not self._stopped.is_set():
            self._seen = found
            self._changed()

    def _settled(self, found: Fingerprint) -> Fingerprint:
        """The state once nothing more is written: a file that is being written may well be one that can be read."""
        for _ in range(LONGEST // QUIET):
            self._stopped.wait(QUIET / 1000)
            before, found = found, fingerprint(self._files())
            if before == found:
                break
        return found


def fingerprint(files: Sequence[Path]) -> Fingerprint:
    """What tells a state of the files from another one: which are there, and each one's inode, size and
    times; that of its inode changes even where an editor keeps the other."""
    every = [path for file in files for path in (file, *drop_ins(file))]
    return tuple(mark for path in every if (mark := _mark(path)) is not None)


def folders_of(files: Sequence[Path]) -> list[Path]:
    """The folders in which something happens when one of the files changes: theirs, `conf.d` beside them, and those of
    every link on the way to them."""
    found: set[Path] = set()
    for file in files:
        for path in (file, *drop_ins(file), file.parent / DROP_IN_FOLDER):
            found.update(step.parent for step in _steps(path))
        found.add(file.parent / DROP_IN_FOLDER)
    return sorted({folder for folder in found if folder.is_dir()})


def _mark(path: Path) -> tuple[str, int, int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return str(path), status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _steps(path: Path) -> Iterator[Path]:
    """A path, and where each link on the way leads; a link to a folder on the way counts as well."""
    path = Path(os.path.abspath(path))
    for _ in range(40):  # as far as the system follows
        yield path
        link = next((part for part in (path, *path.parents) if part.is_symlink()), None)
        if link is None:
            return
        yield link
        target = link.parent / os.readlink(link)
        path = Path(os.path.normpath(target / path.relative_to(link)))
