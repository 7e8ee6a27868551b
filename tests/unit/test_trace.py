import random

import pytest

from dms.trace import Trace, begin, first_span, read_traceparent

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def test_a_trace_parent_is_read_as_it_is_written() -> None:
    trace = Trace(int(TRACE, 16), int(SPAN, 16))
    assert f"00-{TRACE}-{SPAN}-01" == trace.traceparent
    assert trace == read_traceparent(trace.traceparent)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "rubbish",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-0x",
        f" 00-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01\n",
        f"0٠-{TRACE}-{SPAN}-01",
        None,
        7,
        ["00", TRACE],
    ],
)
def test_what_is_no_trace_parent_is_none(text: object) -> None:
    assert read_traceparent(text) is None


def test_a_later_version_may_say_more() -> None:
    assert Trace(int(TRACE, 16), int(SPAN, 16)) == read_traceparent(f"01-{TRACE}-{SPAN}-01-more")


def test_whoever_began_a_trace_decides_whether_it_is_recorded() -> None:
    unwanted = read_traceparent(f"00-{TRACE}-{SPAN}-00")
    assert unwanted is not None
    assert not begin(unwanted).sampled
    assert begin(unwanted).traceparent.endswith("-00")


def test_a_part_has_the_trace_of_its_parent_and_an_id_of_its_own() -> None:
    parent = begin()
    part = begin(parent)
    assert (parent.trace_id, parent.span_id) == (part.trace_id, part.parent_id)
    assert part.span_id not in (0, parent.span_id)


def test_the_id_of_a_trace_leads_to_its_first_span() -> None:
    trace = begin()
    assert trace == first_span(int(trace.id, 16))
    assert trace.id.endswith(f"{trace.span_id:016x}")


def test_traces_differ_also_where_a_task_seeds_its_own_dice() -> None:
    state = random.getstate()
    random.seed(1)
    first = begin()
    random.seed(1)
    second = begin()
    random.setstate(state)
    assert first.trace_id != second.trace_id
