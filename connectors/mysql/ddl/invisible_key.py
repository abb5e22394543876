"""MySQL's generated invisible primary key, which stays the first column whatever else a statement puts there.

The server knows one by its looks alone. The log has a statement as it was written, without what the server does of its own.
https://dev.mysql.com/doc/refman/9.4/en/create-table-gipks.html
"""

from __future__ import annotations

from connectors.mysql.ddl.tokens import Dialect
from connectors.mysql.structure import PRIMARY, TableSchema

_SINCE = (8, 0, 30)
_NAME = "my_row_id"
_ENGINES = {"", "innodb"}
"""Those that have such keys; a statement that names none means InnoDB."""


def begins_with_generated_key(schema: TableSchema, dialect: Dialect) -> bool:
    """Whether the server takes a table's first column for its own."""
    if dialect.mariadb or dialect.version < _SINCE or not keeps_generated_key(schema.engine):
        return False
    first = schema.columns[0]
    return (
        first.name.lower() == _NAME
        and (first.data_type, first.unsigned) == ("bigint", True)
        and first.auto_increment
        and first.invisible
        and any(
            index.name == PRIMARY and len(index.columns) == 1 and first.name.lower() == index.columns[0].lower()
            for index in schema.indexes
        )
    )


def keeps_generated_key(engine: str) -> bool:
    """Whether tables of this engine have such keys."""
    return engine.lower() in _ENGINES
