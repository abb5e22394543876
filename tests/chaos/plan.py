"""What a round is to be, and what it came to."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.chaos.checker import Verdict

PREFIX = "chaos"


class RoundFailed(Exception):
    """A round that says nothing about the connector: the workload or a server did what it should not."""


@dataclass(frozen=True)
class Plan:
    """What a round is to be. All that is random in it comes from ``seed``."""

    seed: str
    source: str
    seconds: float
    writers: int = 3
    connector_calm_s: float = 1.5
    source_calm_s: float = 3.0
    broker_calm_s: float = 12.0
    alteration_pause_s: float = 1.0
    signal_pause_s: float = 4.0
    largest: int = 25_000
    """Rows of the largest transactions."""

    def chance(self, actor: str) -> random.Random:
        """The random stream of one actor: what others draw does not move it."""
        return random.Random(f"{self.seed}/{actor}")


@dataclass
class Outcome:
    """What a round came to."""

    plan: Plan
    version: str = ""
    features: list[str] = field(default_factory=list)
    seconds: float = 0.0
    verdict: Verdict = field(default_factory=Verdict)
    faults: Counter[str] = field(default_factory=Counter)
    statements: Counter[str] = field(default_factory=Counter)
    alterations: int = 0
    kept: Path | None = None
    """Where logs, topics and tables of a failed round lie."""

    @property
    def passed(self) -> bool:
        return self.verdict.found == 0

    def to_json(self) -> dict[str, Any]:
        verdict = self.verdict
        return {
            "seed": self.plan.seed, "source": self.plan.source, "version": self.version, "passed": self.passed,
            "seconds": round(self.seconds, 1), "rows": verdict.rows, "transactions": verdict.transactions,
            "alterations": self.alterations, "records": verdict.records, "tables": verdict.tables,
            "features": self.features, "reread": verdict.reread,
            "faults": dict(sorted(self.faults.items())), "statements": dict(sorted(self.statements.items())),
            "differences": verdict.found, "first": [str(one) for one in verdict.differences[:5]],
            "kept": None if self.kept is None else str(self.kept),
        }  # fmt: skip
