"""Records what real servers write into their logs for the statements in ``cases/*.sql``.

    python -m tests.golden.binlog.record mysql://root@127.0.0.1:3306 mysql://root@127.0.0.1:3307

The first address is a MySQL, the second a MariaDB; both need ``binlog_row_metadata=FULL`` and an account that may do
anything. Each case leaves ``mysql/CASE.events`` and ``mariadb/CASE.events``: a line for each event, its kind and its bytes in
hexadecimal. A case holds statements, each ending in ``;`` at a line's end, and what they must be decoded to:

    -> c {"id": 1}                  an insert
    -> u {"id": 1} => {"id": 2}     an update
    -> d {"id": 2}                  a delete
    !! words of the message         from here on the decoder must stop with this message
    -- only: mysql                  the case is not for the other server
"""

from __future__ import annotations

import re
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from connectors.mysql.address import parse_url
from connectors.mysql.binlog.event_types import event_name
from connectors.mysql.connection import Connection

HERE = Path(__file__).parent
SERVERS = ("mysql", "mariadb")
_DUMP = 0x12
_STOP_AT_THE_END, _WITH_ANNOTATIONS = 1, 2
_EVENT = 0


@dataclass(frozen=True)
class Case:
    """One file of statements and expectations."""

    name: str
    servers: tuple[str, ...]
    statements: tuple[str, ...]
    expected: tuple[str, ...]
    """The ``->`` and ``!!`` lines."""


def read_case(path: Path) -> Case:
    """Parse a case."""
    statements, expected, servers = [], [], SERVERS
    statement: list[str] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("-- only: "):
            servers = (line.removeprefix("-- only: "),)
        elif line.startswith(("-> ", "!! ")):
            expected.append(line)
        elif line and not line.startswith("--"):
            statement.append(line)
            if line.endswith(";"):
                statements.append("\n".join(statement).removesuffix(";"))
                statement = []
    return Case(path.stem, servers, tuple(statements), tuple(expected))


def cases() -> list[Case]:
    """All cases, by name."""
    return [read_case(path) for path in sorted(HERE.glob("cases/*.sql"))]


def recorded(server: str, case: str) -> list[bytes]:
    """The events that ``server`` logged for ``case``."""
    text = (HERE / server / f"{case}.events").read_text(encoding="ascii")
    return [bytes.fromhex(line.split()[1]) for line in text.splitlines() if not line.startswith("#")]


def record(server: str, url: str, case: Case) -> None:
    """Run the statements of ``case`` and write down the events."""
    connection = Connection(parse_url(url))
    for statement in ("DROP DATABASE IF EXISTS golden", "CREATE DATABASE golden", "USE golden"):
        connection.query(statement)
    (version,) = connection.query("SELECT version()")[0]
    file, position = _end_of_log(connection, server)
    for statement in case.statements:
        connection.query(statement)
    connection.close()
    lines = [f"# {version}"]
    lines += [f"{event_name(event[4])} {event.hex()}" for event in _events(url, file, position)]
    (HERE / server / f"{case.name}.events").write_text("\n".join(lines) + "\n", encoding="ascii")


def _end_of_log(connection: Connection, server: str) -> tuple[str, int]:
    what = "BINARY LOG" if server == "mysql" else "MASTER"
    file, position, *_ = connection.query(f"SHOW {what} STATUS")[0]
    return str(file), int(position)


def _events(url: str, file: str, position: int) -> Iterator[bytes]:
    connection = Connection(parse_url(url))
    for name in ("master", "source"):
        connection.query(f"SET @{name}_binlog_checksum = 'CRC32'")
    connection.query("SET @mariadb_slave_capability = 4")
    flags = _STOP_AT_THE_END | _WITH_ANNOTATIONS
    reader = connection.command(_DUMP, struct.pack("<IHI", position, flags, 77) + file.encode(), "recording")
    while (packet := reader.read(10.0)) is not None and packet[0] == _EVENT:
        yield packet[1:]
    connection.close()


def main() -> None:
    """Record all cases, or those that a third argument matches."""
    urls = dict(zip(SERVERS, sys.argv[1:3], strict=True))
    pattern = re.compile(sys.argv[3] if len(sys.argv) > 3 else "")
    for case in cases():
        for server in case.servers:
            if pattern.search(case.name):
                print(f"{server} {case.name}")
                (HERE / server).mkdir(exist_ok=True)
                record(server, urls[server], case)


if __name__ == "__main__":
    main()
