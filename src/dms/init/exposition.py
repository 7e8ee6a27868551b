"""The figures as Prometheus reads them: its text format, version 0.0.4.

Written here and not by `prometheus_client`, whose import costs 47 ms and a web server: it is one page of text.
"""

import re
from collections.abc import Iterable, Iterator, Mapping

from dms.metrics import Distribution, Instrument, Kind, Labels, Reading

_SUFFIXES = {"s": "_seconds", "By": "_bytes"}
_TYPES = {Kind.COUNTER: "counter", Kind.HISTOGRAM: "histogram"}
_NOT_FOR_NAMES = re.compile(r"[^a-zA-Z0-9_]")


def exposition(readings: Iterable[Reading], resource: Mapping[str, str]) -> bytes:
    """The readings, and what they are of as `target_info`; names as OpenTelemetry's specification maps them."""
    lines = [
        "# HELP target_info What these figures are of.",
        "# TYPE target_info gauge",
        f"target_info{_braces(zip(resource, resource.values(), strict=True))} 1",
    ]
    for reading in readings:
        lines += _lines(reading.instrument, reading.points)
    return ("\n".join(lines) + "\n").encode()


def metric_name(instrument: Instrument) -> str:
    """What Prometheus calls an instrument.

    >>> metric_name(Instrument("dms.task.duration", Kind.HISTOGRAM, "s", ""))
    'dms_task_duration_seconds'
    """
    total = "_total" if instrument.kind is Kind.COUNTER else ""
    return f"{_name(instrument.name)}{_SUFFIXES.get(instrument.unit, '')}{total}"


def _lines(instrument: Instrument, points: Mapping[Labels, float | Distribution]) -> Iterator[str]:
    name = metric_name(instrument)
    told = instrument.description.replace("\\", r"\\").replace("\n", r"\n")
    yield f"# HELP {name} {told}"
    yield f"# TYPE {name} {_TYPES.get(instrument.kind, 'gauge')}"
    for labels, value in points.items():
        named = list(zip(instrument.labels, labels, strict=True))
        if isinstance(value, Distribution):
            yield from _distribution(name, instrument.bounds, named, value)
        else:
            yield f"{name}{_braces(named)} {_number(value)}"


def _distribution(
    name: str, bounds: tuple[float, ...], labels: list[tuple[str, str]], value: Distribution
) -> Iterator[str]:
    count = 0
    for bound, more in zip((*map(_number, bounds), "+Inf"), value.counts, strict=True):
        count += more
        yield f"{name}_bucket{_braces([*labels, ('le', bound)])} {count}"
    yield f"{name}_sum{_braces(labels)} {_number(value.sum)}"
    yield f"{name}_count{_braces(labels)} {count}"


def _braces(labels: Iterable[tuple[str, str]]) -> str:
    told = ",".join(f'{_name(name)}="{_escaped(value)}"' for name, value in labels)
    return f"{{{told}}}" if told else ""


def _name(name: str) -> str:
    return _NOT_FOR_NAMES.sub("_", name)


def _escaped(value: str) -> str:
    text = value.encode("utf-8", "backslashreplace").decode()
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))
