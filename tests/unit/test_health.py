"""Findings in, one answer out."""

import pytest

from dms.health import Finding, Health, State

FULL = Finding("disk", "/", "the disk is full; free some")


@pytest.fixture
def health() -> Health:
    return Health()


def test_a_node_is_not_ready_until_it_says_so_and_when_it_takes_it_back(health: Health) -> None:
    states = [health.state()]
    for ready in (True, False):
        health.ready(ready)
        states.append(health.state())
    assert [State.NOT_READY, State.WELL, State.NOT_READY] == states


def test_one_with_a_finding_is_degraded_until_that_is_cleared(health: Health) -> None:
    health.ready(True)
    health.report(FULL)
    assert (State.DEGRADED, [FULL]) == (health.state(), health.findings())
    health.clear("disk", "/")
    assert (State.WELL, []) == (health.state(), health.findings())


def test_a_finding_takes_the_place_of_the_one_of_its_code_and_subject(health: Health) -> None:
    other, newer = Finding("disk", "/srv", "slow"), Finding("disk", "/", "the disk is nearly full")
    for finding in (FULL, other, newer):
        health.report(finding)
    assert [newer, other] == health.findings()


def test_clearing_what_was_not_found_is_nothing(health: Health) -> None:
    health.clear("disk", "/")
    assert [] == health.findings()
