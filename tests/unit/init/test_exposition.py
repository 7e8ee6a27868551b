from prometheus_client.parser import text_string_to_metric_families

from dms.init.exposition import exposition
from dms.metrics import DURATION, EXECUTIONS, LATENESS, MEMORY, SLOTS, Distribution, Reading

RESOURCE = {"service.name": "dms", "host.name": "pump-7"}


def families(*readings: Reading) -> dict[str, dict[tuple[str, tuple[tuple[str, str], ...]], float]]:
    """What Prometheus's own parser understands, by name."""
    text = exposition(readings, RESOURCE).decode()
    return {
        family.name: {(each.name, tuple(each.labels.items())): each.value for each in family.samples}
        for family in text_string_to_metric_families(text)
    }


def test_it_says_what_it_is_of() -> None:
    labels = (("service_name", "dms"), ("host_name", "pump-7"))
    assert {"target_info": {("target_info", labels): 1.0}} == families()


def test_a_counter_is_a_total() -> None:
    known = families(Reading(EXECUTIONS, {("backup", "success"): 7}))["dms_task_executions"]
    labels = (("dms_task_name", "backup"), ("dms_execution_status", "success"))
    assert {("dms_task_executions_total", labels): 7.0} == known


def test_units_are_told_in_the_name() -> None:
    known = families(Reading(MEMORY, {(): 1024}), Reading(SLOTS, {(): 8}))
    assert {("process_memory_usage_bytes", ()): 1024.0} == known["process_memory_usage_bytes"]
    assert {("dms_scheduler_slots", ()): 8.0} == known["dms_scheduler_slots"]


def test_the_buckets_of_a_histogram_add_up() -> None:
    counts = [1] * (len(LATENESS.bounds) + 1)
    known = families(Reading(LATENESS, {(): Distribution(counts, 2.5)}))["dms_task_lateness_seconds"]
    buckets = [value for (name, _), value in known.items() if name.endswith("_bucket")]
    assert list(range(1, len(counts) + 1)) == buckets
    assert len(counts) == known["dms_task_lateness_seconds_bucket", (("le", "+Inf"),)]
    assert (len(counts), 2.5) == (
        known["dms_task_lateness_seconds_count", ()],
        known["dms_task_lateness_seconds_sum", ()],
    )


def test_no_value_of_a_label_ends_its_line() -> None:
    odd = 'a"b\\c\nd\\n{},=é\udcff'
    known = families(Reading(EXECUTIONS, {(odd, "success"): 1}), Reading(DURATION, {}))
    (((_, labels), value),) = known["dms_task_executions"].items()
    assert ('a"b\\c\nd\\n{},=é\\udcff', 1.0) == (dict(labels)["dms_task_name"], value)
