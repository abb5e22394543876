"""Configurations that the tests begin from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from streamtrain.config import Config, load_config

SMALLEST = """\
name: shop-clicks
source: {kind: mysql, url: "mysql://streamtrain:${MYSQL_PASSWORD}@127.0.0.1:3306", include: [shop.events]}
topic: {kind: kafka, bootstrap: "127.0.0.1:9092", prefix: shop}
examples: {from: shop.events, label: clicked}
"""
PASSWORD = "Tr0ub4dor-and-3"
ENVIRON = {"MYSQL_PASSWORD": PASSWORD}


def load(directory: Path, text: str = SMALLEST, environ: dict[str, str] | None = None) -> Config:
    path = directory / "streamtrain.yaml"
    path.write_text(text, encoding="utf-8")
    return load_config(path, ENVIRON if environ is None else environ)


def smallest(**sections: Any) -> dict[str, Any]:
    """The smallest configuration as data, with whole sections replaced; None takes one away."""
    data: dict[str, Any] = {
        "name": "shop-clicks",
        "source": {"kind": "mysql", "url": f"mysql://streamtrain:{PASSWORD}@127.0.0.1", "include": ["shop.events"]},
        "topic": {"kind": "kafka", "bootstrap": "127.0.0.1:9092", "prefix": "shop"},
        "examples": {"from": "shop.events", "label": "clicked"},
    } | sections
    return {key: value for key, value in data.items() if value is not None}
