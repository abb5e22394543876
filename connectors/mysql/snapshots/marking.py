"""The ``snapshot`` field of rows: which are the first and the last, as Debezium marks them."""

from __future__ import annotations

from connectors.mysql.snapshots.state import Job


def markers(job: Job, count: int, *, table_ends: bool, job_ends: bool) -> list[str]:
    """One marker for each of ``count`` rows that follow what ``job`` has published; empty if none stands out.

    https://github.com/debezium/debezium/blob/main/debezium-core/src/main/java/io/debezium/connector/SnapshotRecord.java
    """
    if job.kind == "incremental" or not count or (job.rows and not table_ends):
        return []
    marked = ["true"] * count
    if not job.rows:
        marked[0] = "first_in_data_collection"
    if table_ends:
        marked[-1] = "last_in_data_collection"
    # A row that is several of them is the last of all rather than the first of all, and that rather than a table's.
    if not (job.rows or job.rows_before):
        marked[0] = "first"
    if table_ends and job_ends:
        marked[-1] = "last"
    return marked
