"""The rights of the account, as SHOW GRANTS lists them with those of its active roles."""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass

from connectors.mysql.connection import Connection

_GRANT = re.compile(r"GRANT (?P<rights>.+?) ON (?P<scope>(?:`(?:[^`]|``)*`|\*)\.(?:`(?:[^`]|``)*`|\*)) TO ")
_EVERYTHING = "ALL PRIVILEGES"


@dataclass(frozen=True, slots=True)
class Grants:
    """Rights by where they hold: ``*`` is everywhere, else the pattern of a database's name as GRANT takes it."""

    by_database: dict[str, frozenset[str]]

    def everywhere(self, *rights: str) -> bool:
        """Whether one of ``rights`` is held on ``*.*``."""
        return self._holds("*", rights)

    def on_database(self, database: str, right: str) -> bool:
        """Whether ``right`` is held on all tables of ``database``."""
        return any(
            self._holds(pattern, (right,))
            for pattern in self.by_database
            if pattern == "*" or fnmatch.fnmatchcase(database, _as_shell_pattern(pattern))
        )

    def _holds(self, pattern: str, rights: tuple[str, ...]) -> bool:
        held = self.by_database.get(pattern, frozenset())
        return _EVERYTHING in held or any(right in held for right in rights)


def grants(connection: Connection) -> Grants:
    """Ask for the rights of this connection's account."""
    return parse_grants([row[0] for row in connection.query("SHOW GRANTS")])


def parse_grants(lines: list[str]) -> Grants:
    """Read the lines of SHOW GRANTS. Roles, proxies and rights on single tables or columns are left out."""
    held: dict[str, frozenset[str]] = {}
    for line in lines:
        match = _GRANT.match(line)
        if match is None:
            continue
        database, _, table = match["scope"].rpartition(".")
        if table == "*":
            pattern = "*" if database == "*" else database[1:-1].replace("``", "`")
            rights = frozenset(right.strip() for right in match["rights"].split(","))
            held[pattern] = held.get(pattern, frozenset()) | rights
    return Grants(held)


def _as_shell_pattern(pattern: str) -> str:
    r"""GRANT's ``%``, ``_`` and ``\_`` as fnmatch's ``*``, ``?`` and a plain ``_``."""
    wild = {"%": "*", "_": "?"}
    parts = re.findall(r"\\.|.", pattern, re.DOTALL)
    return "".join(wild.get(part) or f"[{part[-1]}]" for part in parts)
