import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import dms
from dms.command.operation import Operations
from dms.health import Finding
from dms.plugins.context import NodeContext
from dms.plugins.entry_point import GROUPS, entry_points, gate_names
from dms.plugins.registration import Registration
from dms.plugins.taking import never_open, take_gates, take_plugins

Install = Callable[..., Path]

GOOD = """
import dms
def tasks(node): return [dms.Task("good", print)]
"""


class Taken:
    """What comes of the plugins in a folder."""

    def __init__(self, context: NodeContext, site: Path) -> None:
        self.findings: list[Finding] = []
        self.distributions: list[str] = []
        self.operations = Operations()
        self._context, self._site = context, site

    def context(self, distribution: str) -> NodeContext:
        self.distributions.append(distribution)
        return self._context

    async def take(self) -> bool:
        registration = Registration(self._context.scheduler, self.operations)
        offered = entry_points(GROUPS, [str(self._site)])
        await take_gates(offered, self.context, self._context.scheduler, self.findings.append)
        return await take_plugins(offered, self.context, registration, self.findings.append)


async def test_what_is_good_is_taken_and_logged(install: Install, context: NodeContext) -> None:
    taken = Taken(context, install("good", "[dms.tasks]\nall = good:tasks\n", GOOD))
    assert await taken.take()
    assert ([], {"good"}) == (taken.findings, set(taken.distributions))
    assert "plugin" == context.scheduler.get_task("good").origin
    assert [("tasks of a plugin", {"tasks": ["good"]})] == context.logger.lines  # type: ignore[attr-defined]


async def test_one_that_is_broken_is_a_finding_by_its_name_and_harms_no_other(
    install: Install, context: NodeContext
) -> None:
    install("aaa_broken", "[dms.tasks]\nall = aaa_broken:tasks\n", "raise SystemExit('no licence')")
    site = install("good", "[dms.tasks]\nall = good:tasks\n", GOOD)
    taken = Taken(context, site)
    assert not await taken.take()
    (finding,) = taken.findings
    assert ("plugin", "aaa-broken dms.tasks all") == (finding.code, finding.subject)
    said, reason = "plugin aaa-broken: dms.tasks all = aaa_broken:tasks", "it raised SystemExit: no licence"
    assert f"{said}: {reason}. Mend it, or uninstall it" == finding.message
    assert "good" == context.scheduler.get_task("good").name


async def test_all_that_is_wrong_with_one_is_told_and_the_rest_of_it_is_taken(
    install: Install, context: NodeContext
) -> None:
    source = "import dms\ndef tasks(node): return [1, dms.Task('good', print), 2.0]\n"
    taken = Taken(context, install("partly", "[dms.tasks]\nall = partly:tasks\n", source))
    assert not await taken.take()
    assert ["it gave a int where a Task belongs; it gave a float where a Task belongs"] == [
        finding.message.split(": ")[-1].partition(".")[0] for finding in taken.findings
    ]
    assert "good" == context.scheduler.get_task("good").name


async def test_a_reference_without_an_object_and_one_to_nothing_are_told(
    install: Install, context: NodeContext
) -> None:
    taken = Taken(context, install("odd", "[dms.operations]\nbare = odd\nlost = odd:lost\n = \n"))
    assert not await taken.take()
    assert ["odd dms.operations bare", "odd dms.operations lost", "odd dms.operations "] == [
        finding.subject for finding in taken.findings
    ]
    assert {} == taken.operations


async def test_where_nothing_is_installed_nothing_is_imported(
    tmp_path: Path, context: NodeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "importlib.metadata", raising=False)
    assert await Taken(context, tmp_path).take()
    assert "importlib.metadata" not in sys.modules


GATE = """
def paper(node): return lambda: True
def bell(node): return Bell()
class Bell:
    def connect(self, tell): tell(True)
    def disconnect(self, tell): pass
def nothing(node): return 3
"""


async def test_a_gate_goes_by_the_name_of_its_entry_point(install: Install, context: NodeContext) -> None:
    site = install("printer", "[dms.gates]\npaper = printer:paper\nbell = printer:bell\n", GATE)
    assert {"paper", "bell", "network"} < set(gate_names(entry_points(GROUPS, [str(site)])))
    taken = Taken(context, site)
    assert await taken.take()
    assert [] == taken.findings
    context.scheduler.add_task(dms.Task("print", print, hold_until=["paper", "bell"]))


async def test_a_gate_that_can_not_be_had_stays_closed_and_is_told(install: Install, context: NodeContext) -> None:
    site = install("printer", "[dms.gates]\npaper = printer:nothing\n", GATE)
    taken = Taken(context, site)
    assert await taken.take()
    (finding,) = taken.findings
    assert "it gave a int, and no gate: a function that says whether it is open" in finding.message
    context.scheduler.add_task(dms.Task("print", print, hold_until=["paper"]))
    assert not never_open()


async def test_a_gate_whose_name_is_taken_is_left_out_and_told(install: Install, context: NodeContext) -> None:
    taken = Taken(context, install("printer", "[dms.gates]\nnetwork = printer:paper\nBad-Name = printer:paper\n", GATE))
    await taken.take()
    assert ["there is a gate called network already", "gates: 'Bad-Name' can't name a gate"] == [
        finding.message.split(": ", 2)[2].partition(".")[0].partition(";")[0] for finding in taken.findings
    ]
