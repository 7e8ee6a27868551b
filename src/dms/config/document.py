"""What a file says, and where it says it."""

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import msgspec

from dms.errors import Malformed

KeyPath = tuple[str | int, ...]
"""The way to a value: names of keys, and indexes of lists."""

DEEPEST = 64
"""How deep maps and lists may nest."""


def is_too_deep(value: Any) -> bool:
    """Whether maps and lists nest deeper than that."""
    level = [value]
    for _ in range(DEEPEST + 1):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return False
    return True


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


TOO_DEEP = f"nested deeper than {DEEPEST} levels"


class Mark(msgspec.Struct, frozen=True, gc=False):
    """Where a value and its key stand, counted from 1; `text_column` is where the text of a value starts if it stands
    in the file letter by letter on one line (so that an offset in it can be shown), else 0."""

    line: int
    column: int
    key_line: int
    key_column: int
    text_column: int = 0


class Flaw(msgspec.Struct, frozen=True):
    """An entry that was left out, and why; the rest of the document is good."""

    code: str
    path: KeyPath
    message: str
    line: int
    column: int


class Document(msgspec.Struct, frozen=True):
    """A file's settings, with a mark for each and the entries that had to be left out."""

    values: dict[str, Any]
    marks: dict[KeyPath, Mark]
    flaws: list[Flaw]


class _Open:
    """A map or list that is being filled; `path` is None inside an entry that is left out."""

    __slots__ = ("container", "key", "key_place", "path", "wanted")

    def __init__(self, container: dict[str, Any] | list[Any], path: KeyPath | None) -> None:
        self.container = container
        self.path = path
        self.key = ""
        self.key_place = (0, 0)
        self.wanted = True


class DocumentBuilder:
    """Puts a document together from what a reader meets, in the order in which it stands in the file.

    Of two equal keys the first stands and the second is a flaw.
    """

    def __init__(self) -> None:
        self.values: Any = None
        self.marks: dict[KeyPath, Mark] = {}
        self.flaws: list[Flaw] = []
        self.count = 0
        self._open: list[_Open] = []

    def open(self, container: dict[str, Any] | list[Any], line: int, column: int) -> None:
        """A map or list begins. Malformed where it nests too deep."""
        if len(self._open) >= DEEPEST:
            raise Malformed(TOO_DEEP, line, column)
        self._open.append(_Open(container, self.put(container, line, column)))

    def close(self) -> Any:
        """The innermost map or list ends; gives it."""
        return self._open.pop().container

    @property
    def in_map(self) -> bool:
        """Whether what comes next stands in a map."""
        return bool(self._open) and isinstance(self._open[-1].container, dict)

    def key(self, name: str, line: int, column: int) -> None:
        """A key of the innermost map; its value comes next."""
        here = self._open[-1]
        here.key, here.key_place, here.wanted = name, (line, column), True
        if name in here.container:
            self._report_duplicate(here, name, line, column)

    def bad_key(self, name: str, message: str, line: int, column: int) -> None:
        """Something that can't be a key; its value comes next and is left out with it. Without a name it may have
        stood for any key of the map."""
        here = self._open[-1]
        here.wanted = False
        if here.path is not None:
            path = (*here.path, name) if name else here.path
            self.flaws.append(Flaw("bad_key", path, message, line, column))

    def put(self, value: Any, line: int, column: int, text_column: int = 0) -> KeyPath | None:
        """A value; gives its path, or None where it is left out."""
        self.count += 1
        if not self._open:
            self.values = value
            return ()
        here = self._open[-1]
        path = self._add(here, value)
        if path is not None:
            key_line, key_column = here.key_place if isinstance(here.container, dict) else (line, column)
            self.marks[path] = Mark(line, column, key_line, key_column, text_column)
        return path

    def leave_out(self, code: str, message: str, line: int, column: int) -> None:
        """A value that can't be read; the entry is left out."""
        here = self._open[-1] if self._open else None
        if here is None:
            raise Malformed(message, line, column)
        if here.path is None or not here.wanted:
            return
        key = here.key if isinstance(here.container, dict) else len(here.container)
        self.flaws.append(Flaw(code, (*here.path, key), message, line, column))

    def document(self) -> Document:
        """What was built; an empty file has no settings. Malformed where the whole is not a map."""
        if self.values is None:
            return Document({}, {}, [])
        if not isinstance(self.values, dict):
            raise Malformed("the file holds no map of sections; write for example  general: {debug: true}")
        for flaw in self.flaws:
            if flaw.code == "bad_value":
                _drop_list_around(self.values, flaw.path)
        return Document(self.values, self.marks, self.flaws)

    def _add(self, here: _Open, value: Any) -> KeyPath | None:
        key: str | int = here.key
        if isinstance(here.container, list):
            key = len(here.container)
            here.container.append(value)
        elif here.wanted:
            here.container[here.key] = value
        return None if here.path is None or not here.wanted else (*here.path, key)

    def _report_duplicate(self, here: _Open, name: str, line: int, column: int) -> None:
        here.wanted = False
        if here.path is None:
            return
        first = self.marks.get((*here.path, name))
        where = f" of line {first.key_line}" if first else ""
        message = f"this key stands twice; the first{where} counts"
        self.flaws.append(Flaw("duplicate_key", (*here.path, name), message, line, column))


def _drop_list_around(values: Any, path: KeyPath) -> None:
    """A list that lacks an entry is another list, so the key that holds it goes."""
    for part, following in pairwise(path):
        if isinstance(following, int):
            values.pop(part, None)
            return
        values = values.get(part, {})
