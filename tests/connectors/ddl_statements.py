"""Random DDL: what a statement of each kind may look like, for tables as they stand."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from connectors.mysql.ddl.catalog import Catalog, Name
from connectors.mysql.structure import TableSchema

TYPES = (
    "INT", "INT UNSIGNED", "TINYINT(1)", "TINYINT UNSIGNED", "BOOL", "SMALLINT(3) ZEROFILL", "MEDIUMINT", "INTEGER", "INT8",
    "BIGINT UNSIGNED", "DECIMAL(10,2)", "NUMERIC", "DEC(5)", "FIXED(6,1) UNSIGNED", "FLOAT", "FLOAT(7,4)", "FLOAT(30)",
    "DOUBLE PRECISION", "REAL", "BIT(3)", "BIT", "CHAR", "CHAR(10)", "VARCHAR(40)", "VARCHAR(20) CHARACTER SET latin1",
    "VARCHAR(30) COLLATE utf8mb4_bin", "CHAR(4) BINARY", "NCHAR(3)", "NATIONAL VARCHAR(7)", "CHARACTER VARYING(11)",
    "VARCHAR(10) ASCII", "TEXT", "TEXT(100)", "TINYTEXT", "MEDIUMTEXT", "LONGTEXT", "TEXT CHARACTER SET latin1", "LONG",
    "LONG VARBINARY", "BLOB", "BLOB(300)", "TINYBLOB", "BINARY(3)", "VARBINARY(9)", "CHAR(5) CHARACTER SET binary", "DATE",
    "TIME", "TIME(3)", "DATETIME", "DATETIME(6)", "TIMESTAMP", "TIMESTAMP(2) NULL", "YEAR", "ENUM('a','b''c','D e')",
    "SET('x','y','z')", "ENUM('q\\\\r') CHARACTER SET latin2", "JSON", "POINT", "GEOMETRY", "GEOMETRYCOLLECTION",
)  # fmt: skip
OWN_TYPES = {
    "mysql": ("VECTOR(3)", "VECTOR"),
    "mariadb": ("UUID", "INET6", "INET4", "VARCHAR(50) COMPRESSED", "TEXT COMPRESSED"),
}
ATTRIBUTES = (
    "", "", "NOT NULL", "NULL", "COMMENT 'it''s, a (comment) AFTER x'", 'NOT NULL COMMENT "double"', "INVISIBLE",
    "/*!80000 COLUMN_FORMAT DYNAMIC */", "/*!80023 INVISIBLE */", "/* NOT NULL */",
)  # fmt: skip
DEFAULTS = {
    "INT": ("DEFAULT 0", "DEFAULT -1", "DEFAULT (1 + 1)", "DEFAULT '5'", "DEFAULT +7"),
    "VARCHAR(40)": ("DEFAULT 'a,b'", "DEFAULT (concat('a', 'b'))", "DEFAULT ''", "DEFAULT _utf8mb4'x'"),
    "DOUBLE PRECISION": ("DEFAULT 1.5e-3", "DEFAULT .5", "DEFAULT -2.5"),
    "BIT(3)": ("DEFAULT b'101'",),
    "DATETIME(6)": ("DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6)", "DEFAULT '2020-01-01 00:00:00'"),
}
OPTIONS = (
    "", "ENGINE=InnoDB", "DEFAULT CHARSET=latin1", "CHARACTER SET utf8 COLLATE utf8_bin", "COLLATE utf8mb4_unicode_ci",
    "ENGINE InnoDB, COMMENT='x, CHARSET=ucs2', CHARSET=ucs2", "AUTO_INCREMENT=7 ROW_FORMAT=DYNAMIC",
    "DEFAULT CHARSET utf8mb4 PARTITION BY HASH(1) PARTITIONS 2",
)  # fmt: skip
DATABASE_OPTIONS = ("CHARACTER SET latin1", "CHARSET=utf8mb4", "COLLATE utf8mb4_bin", "DEFAULT CHARACTER SET utf8")
NAMES = ("t1", "t2", "t3", "`T 4`")


class Statements:
    """Makes statements; many of them the server refuses, and the others are what counts."""

    def __init__(self, random: Random, flavor: str, database: str) -> None:
        self._random = random
        self._mariadb = flavor == "mariadb"
        self._types = TYPES + OWN_TYPES[flavor]
        self._database = database
        self._columns = 0

    def next(self, catalog: Catalog) -> str:
        """A statement about tables as ``catalog`` knows them."""
        choose, chance = self._random.choice, self._random.random()
        known: list[tuple[Name, TableSchema]] = [
            (name, schema) for name in catalog.tables if name[0] == self._database and (schema := catalog.known(name))
        ]
        if not known or chance < 0.1:
            return self._create(choose(NAMES))
        (_, name), schema = choose(known)
        return self._about(f"`{name}`", schema, chance)

    def _about(self, table: str, schema: TableSchema, chance: float) -> str:
        choose = self._random.choice
        if chance < 0.14:
            return f"CREATE TABLE {choose(NAMES)} {choose(('LIKE {}', '(LIKE {})')).format(table)}"
        if chance < 0.17:
            return f"DROP TABLE {choose(('', 'IF EXISTS '))}{table}"
        if chance < 0.22:
            return self._rename(table)
        if chance < 0.25:
            unique, column = choose(("", "UNIQUE ")), choose(schema.table.columns)
            return f"CREATE {unique}INDEX ix{self._random.randint(1, 3)} ON {table} (`{column}`)"
        if chance < 0.27:
            return f"ALTER DATABASE {self._database} {choose(DATABASE_OPTIONS)}"
        clauses = [self._clause(schema) for _ in range(choose((1, 1, 1, 2, 3)))]
        return f"ALTER TABLE {table} {', '.join(clauses)}"

    def _rename(self, table: str) -> str:
        other = self._random.choice(NAMES)
        return self._random.choice(
            (
                f"RENAME TABLE {table} TO {other}",
                f"RENAME TABLE {table} TO halfway, {other} TO {table}, halfway TO {other}",
                f"ALTER TABLE {table} RENAME {other}",
                f"ALTER TABLE {table} RENAME TO {other}",
            )
        )

    def _name(self) -> str:
        self._columns += 1
        return f"c{self._columns}" if self._random.random() < 0.8 else f"`C {self._columns}`"

    def _column(self, name: str | None = None) -> str:
        choose = self._random.choice
        type_, attribute = choose(self._types), choose(ATTRIBUTES)
        default = choose(DEFAULTS[type_]) if type_ in DEFAULTS and self._random.random() < 0.4 else ""
        return f"{name or self._name()} {type_} {attribute} {default}".rstrip()

    def _create(self, table: str) -> str:
        random, choose = self._random, self._random.choice
        parts = [self._column() for _ in range(random.randint(1, 5))]
        key = self._name()
        if random.random() < 0.6:
            parts.insert(0, f"{key} INT {choose(('NOT NULL', '', 'AUTO_INCREMENT'))} {choose(('PRIMARY KEY', 'KEY'))}")
        else:
            parts.append(f"{key} BIGINT {choose(('', 'NOT NULL'))} {choose(('', 'UNIQUE', 'UNIQUE KEY'))}")
        indexes = []
        for _ in range(random.randint(0, 2)):
            column = self._name()
            parts.append(f"{column} INT {choose(('NOT NULL', ''))}")
            indexes.append(self._index(column))
        if random.random() < 0.3:
            base, computed = self._name(), self._name()
            kind = choose(("VIRTUAL", "STORED", ""))
            parts += [f"{base} INT", f"{computed} INT {choose(('GENERATED ALWAYS AS', 'AS'))} ({base} + 1) {kind}"]
        body = ", ".join(parts + indexes)
        return f"CREATE TABLE {choose(('', 'IF NOT EXISTS '))}{table} ({body}) {choose(OPTIONS)}".rstrip()

    def _index(self, column: str) -> str:
        number = self._columns
        return self._random.choice(
            (
                f"UNIQUE ({column})", f"UNIQUE KEY u{number} ({column})", f"KEY ({column})",
                f"CONSTRAINT x{number} UNIQUE ({column})", f"INDEX USING BTREE ({column} DESC)",
                f"CONSTRAINT k{number} CHECK ({column} > 0)",
            )
        )  # fmt: skip

    def _clause(self, schema: TableSchema) -> str:
        return self._random.choice(CLAUSES)(self, schema)

    def _one(self, schema: TableSchema) -> str:
        """A column of the table, in quotes or not, and in another case perhaps."""
        name = self._random.choice(schema.table.columns)
        if self._random.random() < 0.3:
            return name.upper() if " " not in name else f"`{name.lower()}`"
        return f"`{name}`"

    def _place(self, schema: TableSchema) -> str:
        return self._random.choice(("", "", "", " FIRST", f" AFTER {self._one(schema)}"))

    def _word(self) -> str:
        return self._random.choice(("", "COLUMN "))

    def _add(self, schema: TableSchema) -> str:
        return f"ADD {self._word()}{self._column()}{self._place(schema)}"

    def _add_two(self, _schema: TableSchema) -> str:
        return f"ADD COLUMN ({self._column()}, {self._column()})"

    def _drop(self, schema: TableSchema) -> str:
        return f"DROP {self._word()}{self._one(schema)}"

    def _modify(self, schema: TableSchema) -> str:
        return f"MODIFY {self._word()}{self._column(self._one(schema))}{self._place(schema)}"

    def _change(self, schema: TableSchema) -> str:
        old, other = self._one(schema), self._one(schema)
        definition = self._column(self._random.choice((self._name(), old, other)))
        return f"CHANGE {self._word()}{old} {definition}{self._place(schema)}"

    def _rename_column(self, schema: TableSchema) -> str:
        new = self._random.choice((self._name(), self._one(schema)))
        return f"RENAME COLUMN {self._one(schema)} TO {new}"

    def _add_index(self, schema: TableSchema) -> str:
        number = self._random.randint(1, 3)
        kind = self._random.choice(("UNIQUE", f"UNIQUE INDEX u{number}", "INDEX", f"CONSTRAINT `x{number}` UNIQUE KEY"))
        more = self._random.choice(("", f", {self._one(schema)}"))
        return f"ADD {kind} ({self._one(schema)}{more})"

    def _primary_key(self, schema: TableSchema) -> str:
        first, second = self._one(schema), self._one(schema)
        return self._random.choice(
            (
                "DROP PRIMARY KEY", f"ADD PRIMARY KEY ({first})", f"ADD PRIMARY KEY ({first}, {second})",
                f"DROP PRIMARY KEY, ADD PRIMARY KEY ({first})",
            )
        )  # fmt: skip

    def _touch_index(self, schema: TableSchema) -> str:
        if not schema.indexes:
            return "FORCE"
        name = self._random.choice(schema.indexes).name
        new = f"i{self._random.randint(1, 5)}"
        return self._random.choice((f"DROP INDEX `{name}`", f"DROP KEY `{name}`", f"RENAME INDEX `{name}` TO `{new}`"))

    def _charset(self, _schema: TableSchema) -> str:
        return self._random.choice(
            (
                "CONVERT TO CHARACTER SET utf8mb4", "CONVERT TO CHARACTER SET latin1", "DEFAULT CHARACTER SET latin1",
                "CONVERT TO CHARSET utf8mb4 COLLATE utf8mb4_bin", "CHARACTER SET = utf8mb4", "COLLATE utf8mb4_bin",
                "CHARSET utf8mb3",
            )
        )  # fmt: skip

    def _option(self, _schema: TableSchema) -> str:
        return self._random.choice(
            ("ENGINE=InnoDB", "FORCE", "COMMENT 'a, DROP b'", "ALGORITHM=COPY", "ROW_FORMAT=DYNAMIC", "ENABLE KEYS")
        )

    def _instant(self, schema: TableSchema) -> str:
        return f"ADD COLUMN {self._name()} INT{self._place(schema)}, ALGORITHM=INSTANT"

    def _again(self, schema: TableSchema) -> str:
        column = self._one(schema)
        return f"DROP COLUMN {column}, ADD COLUMN {column} INT{self._place(schema)}"

    def _own(self, schema: TableSchema) -> str:
        column = self._one(schema)
        if not self._mariadb:
            return f"ALTER {column} {self._random.choice(('DROP DEFAULT', 'SET INVISIBLE', 'SET VISIBLE'))}"
        return self._random.choice(
            (
                f"ADD COLUMN IF NOT EXISTS {self._column(self._random.choice((column, self._name())))}",
                f"DROP COLUMN IF EXISTS {self._random.choice((column, 'nope'))}",
                f"MODIFY COLUMN IF EXISTS {self._column(self._random.choice((column, 'nope')))}",
                f"RENAME COLUMN IF EXISTS nope TO {self._name()}",
            )
        )


CLAUSES: tuple[Callable[[Statements, TableSchema], str], ...] = (
    Statements._add, Statements._add, Statements._add, Statements._add_two, Statements._drop, Statements._drop,
    Statements._modify, Statements._modify, Statements._change, Statements._change, Statements._rename_column,
    Statements._add_index, Statements._primary_key, Statements._touch_index, Statements._charset,
    Statements._option, Statements._instant, Statements._again, Statements._own,
)  # fmt: skip
