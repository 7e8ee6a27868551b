from hypothesis import given
from hypothesis import strategies as st

from dms.rpc.lines import Lines


def test_a_line_that_comes_in_pieces_is_whole_at_its_end() -> None:
    lines = Lines(100)
    assert [[], [], [b"abc"], [b"d", b"e"]] == [lines.feed(data) for data in (b"a", b"b", b"c\n", b"d\ne\n")]


def test_blank_lines_are_left_out() -> None:
    assert [b"a"] == Lines(100).feed(b"\n\r\n  \na\n")


def test_of_a_line_too_long_one_byte_more_than_the_limit_is_kept() -> None:
    lines = Lines(4)
    assert [] == lines.feed(b"123")
    assert [] == lines.feed(b"456789" * 1000)
    assert [b"12345", b"next"] == lines.feed(b"\nnext\n")


@given(st.lists(st.binary(max_size=20), max_size=20))
def test_the_cuts_of_the_stream_do_not_matter(pieces: list[bytes]) -> None:
    whole, cut = Lines(8), Lines(8)
    expected = whole.feed(b"".join(pieces))
    assert expected == [line for piece in pieces for line in cut.feed(piece)]
