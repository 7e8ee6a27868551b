from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import astuple, replace

from dms.adapters.record import (
    FORMAT,
    LIMIT,
    decode_pause,
    decode_task,
    execution_of,
    id_of,
    number_of,
    pack,
    row_of,
    unpack,
)
from dms.background_tasks.tasks.task import Event, Execution, Status, Usage
from dms.errors import StoreBroken

RUN = Execution("3-14", "3-13", "backup", 7, 2, Status.FAILED, 100, 101, 102, "exit status 1", cause="retry")

counters = st.integers(0, 2**40 - 1)
sizes = st.integers(0, 2**62)
boots = st.integers(0, 2**23 - 1)
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


class Angry:
    def __repr__(self) -> str:
        raise RuntimeError("no")


def kept(results: object) -> Any:
    return execution_of(row_of(replace(RUN, results=results))).results


@given(boots, counters, boots, counters)
def test_numbers_sort_as_start_and_counter_do(boot: int, counter: int, boot2: int, counter2: int) -> None:
    first, second = number_of(f"{boot}-{counter}"), number_of(f"{boot2}-{counter2}")
    assert ((boot, counter) < (boot2, counter2)) == (first < second)


@given(boots, counters)
def test_a_number_gives_its_id_back(boot: int, counter: int) -> None:
    assert f"{boot}-{counter}" == id_of(number_of(f"{boot}-{counter}"))


@pytest.mark.parametrize(
    "wrong", ["", "7", "-", "7-", "-7", "a-b", "7-1-1", "07-1", "7 -1", "8388608-0", "0-1099511627776"]
)
def test_an_id_that_is_none_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="is not the ID of an execution"):
        number_of(wrong)


@given(plain, plain, st.sampled_from(Status), st.text())
def test_an_execution_of_plain_values_comes_back_equal(results: Any, payload: Any, status: Status, error: str) -> None:
    execution = replace(RUN, status=status, results=results, event=Event("a.topic", payload, 5), error=error)
    assert execution == execution_of(row_of(execution))


@given(st.none() | st.builds(Usage, sizes, sizes, st.none() | sizes, st.none() | sizes))
def test_what_an_execution_used_comes_back_equal(usage: Usage | None) -> None:
    used = {} if usage is None else dict(zip(("waited", "ran", "cpu", "memory"), astuple(usage), strict=True))
    assert usage == execution_of(row_of(replace(RUN, **used))).usage


def test_nan_stays_nan_and_infinity_infinite() -> None:
    nan, infinity = kept([float("nan"), float("inf")])
    assert (True, float("inf")) == (nan != nan, infinity)


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        ("half a \ud83d pair", "half a \\ud83d pair"),
        ({"\udcff": ["\udcff"]}, {"\\udcff": ["\\udcff"]}),
        (2**70, str(2**70)),
        (Angry(), "<Angry>"),
        ([Angry(), 1], ["<Angry>", 1]),
        ({(1, 2): 3}, {(1, 2): 3}),
        (object, "<class 'object'>"),
    ],
)
def test_results_that_can_not_be_written_are_written_as_near_as_can_be(results: object, expected: object) -> None:
    assert expected == kept(results)


def test_results_that_hold_themselves_end() -> None:
    results: list[Any] = [1]
    results.append(results)
    assert 1 == kept(results)[0]


def test_results_that_hold_themselves_twice_end_too() -> None:
    results: list[Any] = []
    results += [results, results]
    assert isinstance(kept(results), list)


def test_a_key_that_can_not_be_read_back_costs_the_results_only() -> None:
    class Key(msgspec.Struct, frozen=True):
        name: str

    execution = execution_of(row_of(replace(RUN, results={Key("a"): 1})))
    assert (RUN, True) == (replace(execution, results=None), "can't be read back" in execution.results)


def test_results_of_the_very_bound_are_kept() -> None:
    results = b"x" * (LIMIT - 3 - 2)
    assert results == kept(results)


def test_an_endless_error_is_cut_at_the_bound() -> None:
    assert LIMIT == len(execution_of(row_of(replace(RUN, error="e" * 200_000))).error or "")


def test_an_error_with_lone_surrogates_is_kept() -> None:
    assert "bad name \\udcff" == execution_of(row_of(replace(RUN, error="bad name \udcff"))).error


@given(st.binary(max_size=60))
def test_bytes_that_are_no_detail_are_damage(blob: bytes) -> None:
    row = (*row_of(RUN)[:7], b"\xc1" + blob)
    with pytest.raises(StoreBroken, match="execution 3-14"):
        execution_of(row)


def test_a_format_from_the_future_is_damage_that_names_it() -> None:
    detail = msgspec.msgpack.decode(row_of(RUN)[7])
    row = (*row_of(RUN)[:7], msgspec.msgpack.encode([FORMAT + 1, *detail[1:]]))
    with pytest.raises(StoreBroken, match=f"unknown format {FORMAT + 1}"):
        execution_of(row)


def test_an_unknown_status_is_damage() -> None:
    row = (*row_of(RUN)[:3], "lost", *row_of(RUN)[4:])
    with pytest.raises(StoreBroken, match="lost"):
        execution_of(row)  # type: ignore[arg-type]


def test_a_task_that_can_not_be_read_is_damage_that_names_it() -> None:
    with pytest.raises(StoreBroken, match="task backup"):
        decode_task((1, "backup", b"\xc1", b"\x80"))


def test_a_pause_that_can_not_be_read_is_damage() -> None:
    with pytest.raises(StoreBroken, match="pause"):
        decode_pause(b"\xc1")


def test_a_packed_value_that_can_not_be_read_is_told_by_its_size() -> None:
    assert "(a value of 2 bytes that can't be read back)" == unpack(b"\xc1\xc1")


@given(plain)
def test_what_is_packed_is_unpacked(value: Any) -> None:
    assert value == unpack(pack(value))
