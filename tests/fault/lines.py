"""Configurations of the whole line for the fault tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

FEATURES = {"user_id": "categorical", "price": "numeric", "device": "categorical"}


def config(name: str, source: dict[str, Any], topic: dict[str, Any], state: str, table: str) -> dict[str, Any]:
    """Small transactions, small slices and frequent checkpoints, so that every step is passed often."""
    return {
        "name": name,
        "source": source,
        "topic": topic,
        "state": {"url": state},
        "examples": {"from": table, "label": "clicked", "features": FEATURES, "hash_bits": 10},
        "model": {"kind": "ftrl"},
        "train": {"slice": 8, "max_wait_ms": 50, "checkpoint": {"every_slices": 3, "every_s": 0.5}},
        "retry": {"initial_s": 0.1, "max_s": 1, "deadline_s": 60},
    }


def sqlite_source(path: Path) -> dict[str, Any]:
    return {"kind": "sqlite", "url": f"sqlite:///{path}", "include": ["main.events"], "commit_rows": 5, "commit_ms": 20}


def mysql_source(url: str, database: str) -> dict[str, Any]:
    return {"kind": "mysql", "url": url, "include": [f"{database}.events"], "commit_rows": 5, "commit_ms": 20}


def kafka_topic(bootstrap: str, prefix: str) -> dict[str, Any]:
    return {"kind": "kafka", "bootstrap": bootstrap, "prefix": prefix}


def file_topic(directory: Path, prefix: str) -> dict[str, Any]:
    return {"kind": "file", "directory": str(directory), "prefix": prefix}
