"""The one door to PyMySQL: sessions on a server, whose every error is of our tree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import pymysql
from pymysql.constants import COMMAND, CR
from pymysql.converters import escape_int, escape_string

from connectors.mysql.address import Address
from connectors.mysql.packets import PacketReader
from connectors.mysql.result_rows import ResultRows
from connectors.mysql.server_errors import login_remedy, translate
from streamtrain import login
from streamtrain.errors import AccessDenied, SourceUnavailable
from streamtrain.tls import refusal

CONNECT_TIMEOUT_S = 10.0
QUERY_TIMEOUT_S = 60.0

# What a session must not inherit from the server's configuration: other modes change how values are written out.
# What is behind 80030 is MySQL's alone, from 8.0.30 on: columns that rows in the log have must not be hidden.
_SESSION = (
    f"SET SESSION time_zone = '+00:00', sql_mode = '', sql_select_limit = {(1 << 64) - 1}"
    " /*!80030 , show_gipk_in_create_table_and_information_schema = ON */"
)
# Values stay the server's text: each reader knows better than the driver what it wants.
_AS_TEXT: dict[Any, Any] = {int: escape_int, str: escape_string}
_SHOWN_CHARACTERS = 120


def quote_identifier(name: str) -> str:
    """A name as SQL takes it: the only way by which an identifier gets into a statement."""
    return "`" + name.replace("`", "``") + "`"


def quote_table(database: str, name: str) -> str:
    """``database.name``, both quoted."""
    return f"{quote_identifier(database)}.{quote_identifier(name)}"


class Connection:
    """One session on the server, in autocommit, UTC, utf8mb4 and the neutral ``sql_mode``. Not thread-safe.

    Raises AccessDenied if the account is refused, SourceUnavailable if the server cannot be reached.
    """

    def __init__(self, address: Address, *, query_timeout_s: float = QUERY_TIMEOUT_S) -> None:
        self._address = address
        self._query_timeout_s = query_timeout_s
        self._account = ""
        with self._mapped("cannot connect", ""):
            self._session = pymysql.connect(
                host=address.host,
                port=address.port,
                user=address.user,
                password=cast(str, address.password.encode()),  # PyMySQL encodes text as latin1; the server wants UTF-8
                charset="utf8mb4",
                autocommit=True,
                connect_timeout=int(CONNECT_TIMEOUT_S),
                read_timeout=query_timeout_s,
                write_timeout=query_timeout_s,
                init_command=_SESSION,
                conv=_AS_TEXT,
                program_name="streamtrain",
                **login.arguments(address.tls),
            )
        user, _, host = self.query("SELECT CURRENT_USER()")[0][0].rpartition("@")
        self._account = "@".join("'" + part.replace("'", "''") + "'" for part in (user, host))

    @property
    def account(self) -> str:
        """The account that the server took us for, quoted as in GRANT: ``'streamtrain'@'%'``."""
        return self._account

    def query(self, sql: str, parameters: Sequence[str | int] = (), *, needs: str = "") -> list[tuple[Any, ...]]:
        """All rows of a statement, numbers and dates as the server's text. ``needs`` is the right it takes, for the hint.

        Values go into ``%s``; with no parameters the statement is sent as it stands.
        """
        with self._mapped(_shown(sql), needs), self._session.cursor() as cursor:
            cursor.execute(sql, tuple(parameters) or None)
            return list(cursor.fetchall())

    def select(self, sql: str, columns: int, *, needs: str = "") -> ResultRows:
        """Send a SELECT of so many columns; its rows are there to be taken as they arrive, and all are to be taken."""
        doing = _shown(sql)
        packets = self.command(COMMAND.COM_QUERY, sql.encode(), doing, needs=needs)
        return ResultRows(packets, lambda packet: self.check(packet, doing, needs=needs), columns)

    def stream(self, sql: str, columns: int, *, needs: str = "") -> Iterator[bytes]:
        """The rows of a SELECT as the server sends them, each of so many ``columns``: ``text_cells`` reads them.

        To be read to its end before anything else is asked on this connection.
        """
        result = self.select(sql, columns, needs=needs)
        while not result.ended:
            rows, _ = result.read(self._query_timeout_s, lambda: True)
            if not rows and not result.ended:
                raise SourceUnavailable(f"{_shown(sql)}: the server has been silent for {self._query_timeout_s:g} s")
            yield from rows

    def command(self, command: int, payload: bytes, doing: str, *, needs: str = "") -> PacketReader:
        """Send a command of the protocol; its answer is the reader's."""
        with self._mapped(doing, needs):
            driver = cast(Any, self._session)
            driver._execute_command(command, payload)  # noqa: SLF001 - PyMySQL has no public way to send one
            return PacketReader(driver._sock, doing)  # noqa: SLF001

    def check(self, packet: bytes, doing: str, *, needs: str = "") -> bytes:
        """``packet``, unless it is the server's error, which is raised."""
        if packet[:1] == b"\xff":
            number = int.from_bytes(packet[1:3], "little")
            message = packet[3:].decode("utf-8", "replace")
            raise self._translated(number, message[6:] if message.startswith("#") else message, doing, needs)
        return packet

    def close(self) -> None:
        """End the session. Safe to call twice, and after the connection broke."""
        if self._session.open:
            self._session.close()

    @contextmanager
    def _mapped(self, doing: str, needs: str) -> Iterator[None]:
        try:
            yield
        except pymysql.MySQLError as error:
            number, message = _number_and_message(error)
            if (refused := refusal(error, "source.tls")) is not None:
                kind = AccessDenied if refused.final else SourceUnavailable
                raise kind(f"MySQL {self._address}: {doing}: {message}", hint=refused.hint) from None
            raise self._translated(number, message, doing, needs) from None

    def _translated(self, number: int, message: str, doing: str, needs: str) -> Exception:
        remedy = f"GRANT {needs} TO {self._account}" if needs else login_remedy(self._address.tls)
        return translate(number, message, f"MySQL {self._address}: {doing}", remedy=remedy)


def _number_and_message(error: pymysql.MySQLError) -> tuple[int, str]:
    number = error.args[0] if error.args and isinstance(error.args[0], int) else 0
    message = str(error.args[1]) if len(error.args) > 1 else str(error)
    # PyMySQL says (0, "") of a session that it has closed itself after an earlier failure.
    return (number, message) if number else (CR.CR_SERVER_GONE_ERROR, message or "the connection is closed")


def _shown(sql: str) -> str:
    """A statement as it stands in an error: its beginning, on one line."""
    line = " ".join(sql.split())
    return line if len(line) <= _SHOWN_CHARACTERS else line[:_SHOWN_CHARACTERS] + "..."
