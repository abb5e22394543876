"""What is kept of a round that failed: topics, tables and the workload's own account, a JSON value a line."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.chaos.history import History
from tests.chaos.topics import Partitions


def keep(
    directory: Path, partitions: Partitions, rows: Iterable[Any], journal: Iterable[int], history: History
) -> None:
    """Write it all down in ``directory``. ``journal`` has the tags of the transactions that the source committed."""
    records = (asdict(record) for records in partitions.values() for record in records)
    _write(directory / "topics.jsonl", records)
    _write(directory / "tables.jsonl", rows)
    account = {
        "acknowledged": history.acknowledged, "undone": sorted(history.undone), "unknown": sorted(history.unknown),
        "autocommit": history.alone, "names": history.namings, "renamed_columns": history.renamed_columns,
        "journal": sorted(journal),
    }  # fmt: skip
    _write(directory / "workload.jsonl", ({name: value} for name, value in account.items()))


def _write(path: Path, documents: Iterable[Any]) -> None:
    with path.open("w", encoding="utf-8") as file:
        for document in documents:
            file.write(json.dumps(document, ensure_ascii=False, default=str) + "\n")
