"""The real daemon and a collector of telemetry: what arrives, what never may, and that no collector holds it."""

import json
import os
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from collectors import attributes
from dms.rest.metrics import MEDIA_TYPE

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TASKS = {
    "work": {"call": "functions:work"},
    "broken": {"call": "functions:broken"},
    "chatter": {"call": "functions:chatter"},
    "trace": {"run": ["sh", "-c", "echo $TRACEPARENT"]},
}


def observing(endpoint: str, **more: Any) -> dict[str, Any]:
    return {"otlp_endpoint": endpoint, "flush_interval": "100ms", **more}


def test_log_traces_and_figures_arrive_and_belong_together(nodes: Any, collectors: Any) -> None:
    collector = collectors()
    nodes.configure(tasks=TASKS, observability=observing(collector.endpoint))
    node = nodes.start()
    asked = {"traceparent": f"00-{TRACE}-{SPAN}-01"}
    execution = node.run("work", _meta=asked)
    command = collector.span("task.run", dms__door="socket")
    span = collector.span("task work", dms__execution__id=execution["id"])
    line = next(each for each in node.log if each.get("execution") == execution["id"])
    sent = collector.log("start")
    collector.until(lambda: "dms.task.executions" in collector.metrics)
    assert (TRACE, SPAN) == (command.trace_id.hex(), command.parent_span_id.hex())
    assert [(TRACE, command.span_id)] == [(link.trace_id.hex(), link.span_id) for link in span.links]
    assert execution["trace_id"] == line["trace_id"] == span.trace_id.hex() == sent.trace_id.hex()
    assert (execution["id"], span.span_id) == (attributes(sent.attributes)["execution"], sent.span_id)
    assert 0 == node.stop()


def test_metrics_are_there_for_prometheus_and_say_what_happened(nodes: Any) -> None:
    nodes.configure(tasks=TASKS)
    node = nodes.start()
    node.run("work")
    node.run("broken")
    token = (node.data_dir / "admin.token").read_text().strip()
    node.dms("call", "none.such")
    url = next(door for door in node.ask("node.status")["doors"] if door.startswith("http"))
    with httpx.Client(base_url=url, trust_env=False, headers={"Authorization": f"Bearer {token}"}) as client:
        answer = client.get("/metrics")
    assert (200, MEDIA_TYPE) == (answer.status_code, answer.headers["content-type"])
    known = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }
    assert (1, 1) == tuple(
        known["dms_task_executions_total", *end] for end in [("work", "success"), ("broken", "failed")]
    )
    assert 2 == known["rpc_server_call_duration_seconds_count", "task.run", "succeeded", "socket"]
    assert 1 == known["rpc_server_call_duration_seconds_count", "(other)", "rejected", "socket"]
    assert 1 == known["dms_config_revision",]
    assert known["dms_scheduler_slots",] >= 4
    assert known["dms_store_commits_total",] >= 2
    assert known["process_memory_usage_bytes",] > 1_000_000
    assert token not in answer.text


def test_whatever_is_logged_arrives(nodes: Any, collectors: Any) -> None:
    """An unserialisable field once lost the line (apache/airflow#62656)."""
    collector = collectors()
    nodes.configure(tasks={"talk": {"call": "functions:talk"}}, observability=observing(collector.endpoint))
    node = nodes.start()
    node.run("talk")
    line = attributes(collector.log("odd").attributes)
    assert ("<Odd>", str(2**80), "nan", "\\udcff") == (line["odd"], line["huge"], line["nan"], line["lone"])
    collector.log("last")


def test_it_says_which_node_it_is_and_with_which_configuration(nodes: Any, collectors: Any) -> None:
    collector = collectors()
    nodes.configure(observability=observing(collector.endpoint))
    node = nodes.start()
    status, identity = node.ask("node.status"), json.loads((node.data_dir / "identity.json").read_text())
    collector.until(lambda: any(each["dms.config.hash"] == status["config_hash"] for each in collector.resources))
    resource = collector.resources[-1]
    assert ("dms", status["version"], identity["id"]) == (
        resource["service.name"],
        resource["service.version"],
        resource["service.instance.id"],
    )
    assert resource["host.name"]


def test_a_program_goes_on_with_the_trace_of_its_execution(nodes: Any) -> None:
    nodes.configure(tasks=TASKS)
    execution = nodes.start().run("trace")
    assert execution["trace_id"] == execution["results"]["output"].split("-")[1]


def test_an_endpoint_that_is_set_changed_and_taken_away_counts_at_once(nodes: Any, collectors: Any) -> None:
    first, second = collectors(), collectors()
    nodes.configure(tasks=TASKS, observability={"flush_interval": "100ms"})
    node = nodes.start()
    set_to = "observability.otlp_endpoint"
    node.ask("config.set", changes={set_to: first.endpoint}, volatile=True)
    first_run = node.run("work")["id"]
    first.span("task work", dms__execution__id=first_run)
    node.ask("config.set", changes={set_to: second.endpoint}, volatile=True)
    second_run = node.run("work")["id"]
    second.span("task work", dms__execution__id=second_run)
    node.ask("config.unset", keys=[set_to])
    node.run("broken")
    assert 0 == node.stop()
    names = [[span.name for span in each.spans if span.name.startswith("task ")] for each in (first, second)]
    assert [["task work"], ["task work"]] == names


def test_no_token_and_no_value_of_the_configuration_is_told(nodes: Any, collectors: Any) -> None:
    collector = collectors()
    nodes.configure(tasks=TASKS, observability=observing(collector.endpoint, log_level="debug"))
    node = nodes.start()
    made = node.ask("token.create", scopes=["task:read"])
    node.ask("config.set", changes={"general.host_city": "Oulu"})
    collector.span("token.create")
    collector.span("config change", dms__config__keys="general.host_city")
    assert 0 == node.stop()
    secrets = [made["token"], (node.data_dir / "admin.token").read_text().strip()]
    assert not [secret for secret in secrets for body in collector.bodies if secret.encode() in body]
    assert not [secret for secret in secrets for line in node.lines if secret in line]


@pytest.mark.parametrize("manner", ["closed", "mute", "garbage", "endless", 503, 400])
def test_no_collector_delays_the_start_the_work_or_the_stop(nodes: Any, collectors: Any, manner: Any) -> None:
    """A stop took over a minute where nobody listened (open-telemetry/opentelemetry-python#3309). Here an exit status
    of 0 says that the stop kept within its time."""
    collector = collectors(503 if manner == "closed" else manner)
    if manner == "closed":
        collector.close()
    nodes.configure(tasks=TASKS, observability=observing(collector.endpoint), shutdown={"timeout": "3s"})
    node = nodes.start()
    assert "success" == node.run("work")["status"]
    if manner not in ("closed", "mute"):
        collector.until(lambda: len(collector.bodies) > 3)
    assert 0 == node.stop()


@pytest.mark.parametrize("manner", ["closed", "mute"])
def test_what_does_not_arrive_is_told_in_one_line(nodes: Any, collectors: Any, manner: Any) -> None:
    collector = collectors("mute")
    if manner == "closed":
        collector.close()
    nodes.configure(tasks=TASKS, observability=observing(collector.endpoint), shutdown={"timeout": "3s"})
    node = nodes.start()
    node.run("chatter")
    node.run("chatter")
    assert 0 == node.stop()
    (last,) = [line for line in node.log if line["event"].endswith(f"did not reach {collector.endpoint}")]
    assert last["lost"] >= 6000


def test_an_exporter_that_fails_is_not_what_the_log_is_full_of(nodes: Any, collectors: Any) -> None:
    """Its own errors were exported, and failed, and were exported (open-telemetry/opentelemetry-python#2701)."""
    collector = collectors()
    collector.close()
    observability = observing(collector.endpoint, log_level="debug")
    nodes.configure(tasks={"tick": {"run": ["true"], "every": "100ms"}}, observability=observability)
    node = nodes.start()
    node.wait_for_end_of("tick", times=20)
    status = node.ask("node.status")
    about_it = [line for line in node.log if collector.endpoint in line["event"]]
    assert 1 == len(about_it)
    assert "it can't be reached" in about_it[0]["event"]
    assert [("otlp", collector.endpoint)] == [(each["code"], each["subject"]) for each in status["findings"]]
    assert not [line for line in node.log if line["logger"].startswith(("opentelemetry", "urllib3", "requests"))]


def test_without_the_packages_the_node_works_and_says_what_to_install(nodes: Any, tmp_path: Path) -> None:
    hidden = tmp_path / "hidden" / "opentelemetry"
    hidden.mkdir(parents=True)
    (hidden / "__init__.py").write_text("raise ImportError('not here', name='opentelemetry')\n")
    nodes.configure(tasks=TASKS, observability=observing("http://127.0.0.1:4318"))
    node = nodes.start(PYTHONPATH=f"{hidden.parent}:{os.environ.get('PYTHONPATH', '')}")
    node.wait_for(lambda line: "pip install 'dms-node[otel]'" in line["event"])
    assert "success" == node.run("work")["status"]
    assert ["otlp"] == [finding["code"] for finding in node.ask("node.status")["findings"]]
    assert 0 == node.stop()
    assert not [line for line in node.log if "did not reach" in line["event"]]


def test_without_an_endpoint_nothing_of_it_is_loaded(nodes: Any) -> None:
    nodes.configure(tasks=TASKS)
    node = nodes.start()
    node.run("work")
    maps = Path(f"/proc/{node.process.pid}/maps").read_text()
    assert "google/_upb" not in maps
