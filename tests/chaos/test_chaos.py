"""Short rounds of ``make chaos`` with fixed seeds: random work, everything killed and frozen, topics equal to tables."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.plan import Plan
from tests.chaos.round import play


@pytest.mark.servers
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("source", "seed"), [("mysql", "short.0"), ("mariadb", "short.1")])
def test_whatever_is_killed_the_topics_end_as_the_tables(source: str, seed: str, tmp_path: Path) -> None:
    plan = Plan(
        seed, source, seconds=8, source_calm_s=1.5, broker_calm_s=6, connector_calm_s=1, alteration_pause_s=0.5,
        largest=1_500,
    )  # fmt: skip
    outcome = play(plan, tmp_path / "round", print)
    assert [str(one) for one in outcome.verdict.differences] == []
    assert outcome.verdict.transactions > 50
    assert sum(outcome.faults.values()) >= 5
    assert outcome.alterations >= 3


@pytest.mark.servers
@pytest.mark.timeout(600)
def test_whatever_is_killed_the_topics_end_as_the_collections(tmp_path: Path) -> None:
    plan = Plan(
        "short.3", "mongo", seconds=5, source_calm_s=0.7, broker_calm_s=6, connector_calm_s=1, alteration_pause_s=0.3,
        largest=300,
    )  # fmt: skip
    outcome = play(plan, tmp_path / "round", print)
    assert [str(one) for one in outcome.verdict.differences] == []
    assert outcome.verdict.transactions > 30
    assert sum(outcome.faults.values()) >= 5
    assert outcome.alterations >= 2
