"""What a doctor finds: one line per thing looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: what was found, what is needed, and the exact statement or setting that mends it."""

    name: str
    status: Literal["ok", "warn", "fail"]
    found: str
    needed: str = ""
    remedy: str = ""
