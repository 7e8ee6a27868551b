"""YAML 1.2: a walk over ruamel.yaml's events, which know the place of everything.

ruamel.yaml takes 80 ms to import, so it is imported where a file is really read.
"""

from collections.abc import Callable
from typing import Any

from dms.config.document import Document, DocumentBuilder
from dms.config.jsonc import place
from dms.config.scalar import Scalar, resolve_scalar
from dms.errors import Malformed

_CORE = "tag:yaml.org,2002:"
_STAR = 'a text that starts with * needs quotes, such as "*/5 * * * *"'
_MOST_VALUES = 100_000
"""How many values a file may come to once its aliases are followed (the "billion laughs" come to a billion)."""


def read_yaml(text: str) -> Document:
    """A file's settings and where they stand. Malformed with the place of what can't be read."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError
    from ruamel.yaml.reader import ReaderError

    try:
        return _Reader(text).read(YAML(typ="safe", pure=True).parse(text))
    except MarkedYAMLError as error:
        raise _malformed(error) from None
    except ReaderError as error:
        where = place(text, error.position if isinstance(error.position, int) else 0)
        raise Malformed("a character that YAML doesn't allow; write it as an escape in quotes", *where) from None
    except (YAMLError, ValueError, RecursionError, IndexError, AttributeError, AssertionError) as error:
        if isinstance(error, Malformed):
            raise
        raise Malformed(f"not YAML: {error}") from None


def _malformed(error: Any) -> Malformed:
    mark = error.problem_mark or error.context_mark
    reason = " ".join(part for part in (error.context, error.problem) if part)
    if "'\\t'" in reason:
        reason = "a tab can't indent in YAML; use spaces"
    elif "scanning an alias" in reason:
        reason = _STAR
    return Malformed(f"not YAML: {reason}", *((mark.line + 1, mark.column + 1) if mark else (1, 1)))


class _Anchor:
    """What an alias may point at: a value that is whole, and how many values it comes to."""

    __slots__ = ("count", "value", "whole")

    def __init__(self, value: Any, count: int, whole: bool) -> None:
        self.value = value
        self.count = count
        self.whole = whole


class _Reader:
    """Takes one event after the other. A key is expected in a map wherever no key is waiting for its value."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._builder = DocumentBuilder()
        self._anchors: dict[str, _Anchor] = {}
        self._open: list[tuple[_Anchor, int]] = []
        self._key_waits: list[bool] = []
        self._documents = 0

    def read(self, events: Any) -> Document:
        takers: dict[str, Callable[[Any, int, int], None]] = {
            "DocumentStartEvent": self._document,
            "MappingStartEvent": self._map,
            "SequenceStartEvent": self._list,
            "MappingEndEvent": self._end,
            "SequenceEndEvent": self._end,
            "ScalarEvent": self._scalar,
            "AliasEvent": self._alias,
        }
        for event in events:
            take = takers.get(type(event).__name__)
            if take is not None:
                take(event, event.start_mark.line + 1, event.start_mark.column + 1)
            if self._builder.count > _MOST_VALUES:
                raise Malformed(f"more than {_MOST_VALUES} values, aliases followed", event.start_mark.line + 1, 1)
        return self._builder.document()

    def _document(self, event: Any, line: int, column: int) -> None:
        self._documents += 1
        if self._documents > 1:
            raise Malformed("a second document begins here; a configuration is one", line, column)

    def _map(self, event: Any, line: int, column: int) -> None:
        self._container(event, {}, line, column)

    def _list(self, event: Any, line: int, column: int) -> None:
        self._container(event, [], line, column)

    def _container(self, event: Any, container: dict[str, Any] | list[Any], line: int, column: int) -> None:
        if self._key_expected():
            self._refuse_key("a map or list can't be a key", line, column)
        tag = event.tag
        if tag not in (None, "!", f"{_CORE}map", f"{_CORE}seq"):
            raise Malformed(f"the tag {tag} means nothing here", line, column)
        anchor = _Anchor(container, 0, whole=False)
        if event.anchor:
            self._anchors[event.anchor] = anchor
        self._open.append((anchor, self._builder.count))
        self._builder.open(container, line, column)
        self._key_waits.append(False)

    def _end(self, event: Any, line: int, column: int) -> None:
        anchor, before = self._open.pop()
        self._builder.close()
        self._key_waits.pop()
        anchor.count, anchor.whole = self._builder.count - before, True
        self._value_taken()

    def _scalar(self, event: Any, line: int, column: int) -> None:
        try:
            value = _value(event)
        except ValueError as error:
            self._bad_scalar(event, str(error), line, column)
            return
        if self._key_expected():
            self._key(event, value, line, column)
            return
        if event.anchor:
            self._anchors[event.anchor] = _Anchor(value, 1, whole=True)
        self._builder.put(value, line, column, self._text_column(event, column))
        self._value_taken()

    def _key(self, event: Any, value: Scalar, line: int, column: int) -> None:
        if not isinstance(value, str):
            self._builder.bad_key(event.value, f"the key {event.value} is not text; write it in quotes", line, column)
        elif value == "<<" and not event.style:
            self._builder.bad_key("", "<< (merge) is not YAML 1.2; write the keys out", line, column)
        else:
            self._builder.key(value, line, column)
        self._key_waits[-1] = True

    def _alias(self, event: Any, line: int, column: int) -> None:
        if self._key_expected():
            self._refuse_key("an alias can't be a key here", line, column)
        anchor = self._anchors.get(event.anchor)
        if anchor is None:
            raise Malformed(f"no anchor &{event.anchor} stands before this alias; {_STAR}", line, column)
        if not anchor.whole:
            raise Malformed(f"&{event.anchor} would hold itself", line, column)
        self._builder.count += anchor.count
        self._builder.put(anchor.value, line, column)
        self._value_taken()

    def _bad_scalar(self, event: Any, message: str, line: int, column: int) -> None:
        if self._key_expected():
            self._builder.bad_key(event.value, message, line, column)
            self._key_waits[-1] = True
            return
        self._builder.leave_out("bad_value", message, line, column)
        self._value_taken()

    def _key_expected(self) -> bool:
        return self._builder.in_map and not self._key_waits[-1]

    def _value_taken(self) -> None:
        if self._key_waits:
            self._key_waits[-1] = False

    def _refuse_key(self, message: str, line: int, column: int) -> None:
        raise Malformed(f"{message}; keys are text", line, column)

    def _text_column(self, event: Any, column: int) -> int:
        """Where the value's own text starts, if the file shows it letter by letter."""
        written = self._text[event.start_mark.index : event.end_mark.index]
        if written == event.value:
            return column
        return column + 1 if written[1:-1] == event.value else 0


def _value(event: Any) -> Scalar:
    """A scalar by its tag, its quotes or its look. ValueError where it can't be read so."""
    tag = event.tag
    if tag in ("!", f"{_CORE}str") or (tag is None and not event.implicit[0]):
        return _whole_characters(event.value)
    if tag is None:
        return resolve_scalar(event.value)
    value = resolve_scalar(event.value)
    kind = {f"{_CORE}int": int, f"{_CORE}float": float, f"{_CORE}bool": bool, f"{_CORE}null": type(None)}.get(tag)
    if kind is None:
        raise ValueError(f"the tag {tag} means nothing here")
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise ValueError(f"{event.value} is not what the tag {tag} says")
    return value


def _whole_characters(text: str) -> str:
    """The text, with two escapes that are the halves of one character (as JSON writes them) put together.
    ValueError where a half stands alone."""
    try:
        text.encode()
    except UnicodeEncodeError:
        try:
            return text.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            raise ValueError("half a character; an escape such as \\ud83d needs its second half") from None
    return text
