"""The ``snapshot`` field of rows: which are the first and the last, as Debezium marks them.

https://github.com/debezium/debezium/blob/main/debezium-core/src/main/java/io/debezium/connector/SnapshotRecord.java
"""

from __future__ import annotations


def markers(count: int, *, begins: bool, ends: bool, first_of_all: bool, last_of_all: bool) -> tuple[str, ...]:
    """One marker for each of ``count`` rows; empty if none stands out.

    ``begins``, ``ends``: they are the first or the last rows of their table; ``first_of_all``, ``last_of_all``: of the snapshot too.
    """
    if not count or not (begins or ends):
        return ()
    marked = ["true"] * count
    if begins:
        marked[0] = "first_in_data_collection"
    if ends:
        marked[-1] = "last_in_data_collection"
    # A row that is several of them is the last of all rather than the first of all, and that rather than a table's.
    if first_of_all:
        marked[0] = "first"
    if last_of_all:
        marked[-1] = "last"
    return tuple(marked)
