import re
from pathlib import Path

from dms import metrics as defined
from dms.init.exposition import metric_name
from dms.metrics import (
    EXECUTIONS,
    INSTRUMENTS,
    LOG_LOST,
    MOST_SERIES,
    OTHER,
    SLOTS,
    WAIT,
    Counter,
    Distribution,
    Histogram,
    Instrument,
    Kind,
    Metrics,
    Reading,
)

PAGE = Path(__file__).resolve().parents[2] / "docs/reference/metrics.md"


def reading(metrics: Metrics, instrument: Instrument) -> Reading:
    return next(reading for reading in metrics.read() if reading.instrument == instrument)


def test_a_counter_counts_by_its_labels() -> None:
    counter = Counter(EXECUTIONS)
    counter.add("backup", "success")
    counter.add("backup", "failed")
    counter.add("backup", "success")
    assert {("backup", "success"): 2, ("backup", "failed"): 1} == counter.read()


def test_a_value_belongs_to_the_first_bound_that_it_does_not_exceed() -> None:
    histogram = Histogram(Instrument("x", Kind.HISTOGRAM, "s", "", bounds=(1, 5)))
    for value in (0.5, 1, 1.5, 5, 6):
        histogram.record(value)
    assert {(): Distribution([2, 2, 1], 14)} == histogram.read()


def test_a_reading_is_of_one_moment() -> None:
    histogram = Histogram(WAIT)
    histogram.record(1)
    before = histogram.read()
    histogram.record(1)
    assert 1 == sum(before[()].counts)


def test_series_beyond_the_most_are_counted_together() -> None:
    counter = Counter(EXECUTIONS)
    for number in range(MOST_SERIES + 10):
        counter.add(f"task-{number}", "success")
    known = counter.read()
    assert (MOST_SERIES + 1, 10) == (len(known), known[OTHER, OTHER])


def test_what_is_known_of_tasks_that_are_gone_is_dropped_at_the_next_reading() -> None:
    there = {"backup", "once"}
    metrics = Metrics(there.__contains__)
    for task in there:
        metrics.executions.add(task, "success")
        metrics.duration.record(1, task)
    there.remove("once")
    assert [("backup", "success")] == list(reading(metrics, EXECUTIONS).points)
    assert [("backup",)] == list(metrics.duration.read())
    assert [("backup", "success")] == list(metrics.executions.read())


def test_what_is_counted_under_no_name_of_its_own_stays() -> None:
    metrics = Metrics(lambda name: False)
    metrics.executions.add(OTHER, OTHER)
    assert {(OTHER, OTHER): 1} == reading(metrics, EXECUTIONS).points


def test_what_is_asked_for_at_a_reading_may_come_from_several() -> None:
    metrics = Metrics()
    metrics.observe(LOG_LOST, lambda: {("stream",): 3})
    metrics.observe(LOG_LOST, lambda: {("file",): 4})
    assert {("stream",): 3, ("file",): 4} == reading(metrics, LOG_LOST).points


def test_who_can_not_tell_hides_none_of_the_rest() -> None:
    def broken() -> dict[tuple[str, ...], float]:
        raise OSError("gone")

    metrics = Metrics()
    metrics.observe(LOG_LOST, broken)
    metrics.observe(SLOTS, lambda: {(): 8})
    assert ({}, {(): 8}) == (reading(metrics, LOG_LOST).points, reading(metrics, SLOTS).points)


def test_each_instrument_is_defined_once_and_is_among_all_of_them() -> None:
    instruments = [value for value in vars(defined).values() if isinstance(value, Instrument)]
    assert sorted(each.name for each in instruments) == sorted({each.name for each in INSTRUMENTS})


def test_each_instrument_is_in_the_reference_as_it_is() -> None:
    rows = re.findall(r"^\| `([\w.]+)` \| `(\w+)` \| ([\w -]+) \| (\S+) \| (.*?) \| (.+) \|$", PAGE.read_text(), re.M)
    assert [
        (
            each.name,
            metric_name(each),
            each.kind.value,
            each.unit,
            ", ".join(f"`{label}`" for label in each.labels),
            each.description,
        )
        for each in INSTRUMENTS
    ] == rows
