"""JSON with comments and trailing commas."""

import re

import msgspec

from dms.config.document import DEEPEST, Document, DocumentBuilder
from dms.errors import Malformed

_STRING = r'"(?:[^"\\\r\n]|\\.)*"'
_COMMENT = re.compile(rf"{_STRING}|//[^\r\n]*|/\*.*?\*/|/\*", re.DOTALL)
_COMMA = re.compile(rf"{_STRING}|[\[{{,:][ \t\r\n]*,|,(?=[ \t\r\n]*[}}\]])")
_TOKEN = re.compile(rf'{_STRING}|[{{}}\[\],:]|[^\s{{}}\[\],:"]+')
_NOT_A_LINE_END = re.compile(r"[^\r\n]")
_BYTE = re.compile(r"(.*) \(byte (\d+)\)")


def remove_comments(text: str) -> str:
    """The text with each comment and each trailing comma turned into spaces, so that every offset, line and column
    stays what it was. What stands inside a string is left alone. Malformed where a `/*` is never closed.

    >>> remove_comments('{"a": "//x", /* y */ "b": [1, 2,], } // z')
    '{"a": "//x",         "b": [1, 2 ]  }     '
    """
    without = _COMMENT.sub(lambda found: _blank_comment(found, text), text)
    return _COMMA.sub(lambda found: " " if found[0] == "," else found[0], without)


def read_json(text: str) -> Document:
    """A file's settings and where they stand. Malformed with the place of what can't be read."""
    plain = remove_comments(text)
    if not plain.strip():
        return Document({}, {}, [])
    _check_grammar(plain)
    return _build(plain)


def _blank_comment(found: re.Match[str], text: str) -> str:
    if found[0] == "/*":
        raise Malformed("this comment is never closed; end it with */", *place(text, found.start()))
    return found[0] if found[0].startswith('"') else _NOT_A_LINE_END.sub(" ", found[0])


def _check_grammar(text: str) -> None:
    encoded = text.encode("utf-8", "surrogatepass")
    try:
        msgspec.json.decode(encoded)
    except RecursionError:
        raise Malformed(f"nested deeper than {DEEPEST} levels", *_too_deep(text)) from None
    except UnicodeDecodeError as error:
        raise Malformed("half a character", *place(text, _offset_of_byte(encoded, error.start))) from None
    except msgspec.MsgspecError as error:
        raise _malformed(text, encoded, str(error)) from None


def _malformed(text: str, encoded: bytes, message: str) -> Malformed:
    """The error with its place: a word that is no value if there is one up to there, else where msgspec stopped."""
    found = _BYTE.match(message)
    reason = (found[1] if found else message).removeprefix("JSON is malformed: ").partition(" - at ")[0]
    at = len(text)
    if found is not None:  # of trailing characters msgspec names the byte after the first
        at = _offset_of_byte(encoded, int(found[2]) - reason.startswith("trailing"))
    word = _bad_word(text)
    if word is not None and word.start() <= at:
        return Malformed(f"not JSON: {word[0][:40]} can't be read here: {reason}", *place(text, word.start()))
    if "truncated" in message:
        return Malformed("the text ends before the JSON does; is a bracket or a quote missing?", *place(text, at))
    return Malformed(f"not JSON: {reason}", *place(text, at))


def _bad_word(text: str) -> re.Match[str] | None:
    """The first word or text that is no JSON value by itself, or can't be used, such as tru, 01 and 1e999."""
    for token in _TOKEN.finditer(text):
        try:
            if token[0] not in "{}[],:":
                msgspec.json.decode(token[0].encode("utf-8", "surrogatepass"))
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return token
    return None


def _too_deep(text: str) -> tuple[int, int]:
    depth = 0
    for token in _TOKEN.finditer(text):
        depth += (token[0] in "{[") - (token[0] in "}]")
        if depth > DEEPEST:
            return place(text, token.start())
    return 1, 1


def _offset_of_byte(encoded: bytes, at: int) -> int:
    return len(encoded[:at].decode("utf-8", "ignore"))


def place(text: str, offset: int) -> tuple[int, int]:
    """Line and column, from 1, of an offset in a text."""
    before = text[:offset].replace("\r\n", " \n").replace("\r", "\n")
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def _build(text: str) -> Document:
    """Walk over the tokens of what is known to be good JSON."""
    builder = DocumentBuilder()
    line, column_base, last, after_value = 1, 0, 0, True
    for token in _TOKEN.finditer(text):
        word, start = token[0], token.start()
        skipped = text.count("\n", last, start)
        if skipped:
            line, column_base = line + skipped, text.rfind("\n", last, start) + 1
        last = start
        after_value = _take(builder, word, line, start - column_base + 1, after_value)
    return builder.document()


def _take(builder: DocumentBuilder, word: str, line: int, column: int, key_next: bool) -> bool:
    """One token. A text is a key where `key_next` holds and a map is open; gives whether one may come next."""
    if word in "{[":
        builder.open({} if word == "{" else [], line, column)
        return True
    if word in "}]":
        builder.close()
        return True
    if word in ",:":
        return word == ","
    if key_next and builder.in_map:
        builder.key(msgspec.json.decode(word), line, column)
        return False
    exact = word.startswith('"') and "\\" not in word
    builder.put(msgspec.json.decode(word), line, column, column + 1 if exact else 0)
    return True
