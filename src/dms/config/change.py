"""What differs between two configurations. Pure."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import msgspec

from dms.config.document import KeyPath
from dms.config.finding import key_path, key_text
from dms.config.layer import ABSENT, is_same
from dms.config.reading import Loaded
from dms.config.setting import Applies, key_at


class KeyChange(msgspec.Struct, frozen=True):
    """A key whose value differs: as plain values, `ABSENT` where nobody said it."""

    path: KeyPath
    before: Any
    after: Any

    @property
    def key(self) -> str:
        """The key as people write it."""
        return key_text(self.path)


class ConfigChange(msgspec.Struct, frozen=True):
    """From one configuration to another; falsy where they are the same."""

    old: Loaded
    new: Loaded
    keys: tuple[KeyChange, ...]

    def __bool__(self) -> bool:
        return bool(self.keys)

    def touches(self, key: str) -> bool:
        """Whether a key, or anything in a section, differs."""
        wanted = key_path(key)
        return any(_overlap(wanted, change.path) for change in self.keys)

    def applies(self, change: KeyChange) -> Applies:
        """When a changed key takes effect; a whole entry, such as a task, at once."""
        known = key_at(self.new.sections, change.path)
        return Applies.LIVE if known is None else known.setting.applies


def diff(old: Loaded, new: Loaded) -> ConfigChange:
    """What has changed, key by key; an entry that came or went is one change."""
    return ConfigChange(old, new, tuple(differences(old.effective, new.effective)))


def differences(before: Any, after: Any, path: KeyPath = ()) -> Iterator[KeyChange]:
    """Where two plain values differ, key by key."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in [*before, *(name for name in after if name not in before)]:
            one, other = before.get(name, ABSENT), after.get(name, ABSENT)
            if one is not other:
                yield from differences(one, other, (*path, name))
    elif not is_same(before, after):
        yield KeyChange(path, before, after)


def overlap_with(paths: Iterable[KeyPath]) -> Callable[[KeyPath], bool]:
    """Whether a path is one of these, or a part of one, or has one as its part; for many paths against many.

    >>> touched = overlap_with([("tasks", "backup", "every")])
    >>> [touched(path) for path in [("tasks",), ("tasks", "backup", "every", "x"), ("tasks", "other")]]
    [True, True, False]
    """
    known = set(paths)
    above = {path[:length] for path in known for length in range(len(path))}
    return lambda path: path in above or any(path[:length] in known for length in range(len(path) + 1))


def _overlap(one: KeyPath, other: KeyPath) -> bool:
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]
