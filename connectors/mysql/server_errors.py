"""What the numbers of MySQL's and MariaDB's errors mean for us.

Numbers: https://dev.mysql.com/doc/mysql-errors/9.4/en/ and https://mariadb.com/kb/en/mariadb-error-code-reference/
"""

from __future__ import annotations

from streamtrain.errors import (
    AccessDenied,
    FencedOut,
    PositionLost,
    SourceMisconfigured,
    SourceUnavailable,
    StreamtrainError,
)
from streamtrain.tls import Tls, TlsMode


class LockNotHad(SourceUnavailable):
    """A lock was not had in time, or lost to others."""


class TableChanged(SourceUnavailable):
    """A statement names a database, table or column that is not there, or is another than before."""


# The account is refused, or lacks a right.
_DENIED = {1044, 1045, 1130, 1142, 1143, 1227, 1251, 1370, 1698, 1820, 1862, 2059, 2061, 3118, 4151}
_WITHOUT_TLS = {
    2026: "give the server a certificate (--ssl-cert, --ssl-key), or set source.tls.mode: preferred, which does without",
    3159: "set source.tls.mode: required",
}
# The server is away, or shutting down, or has ended this connection or statement: trying again may help.
_AWAY = dict.fromkeys((
    1040, 1042, 1043, 1053, 1077, 1080, 1129, 1152, 1158, 1159, 1160, 1161, 1184, 1203, 1226, 1317, 1927, 1969,
    2002, 2003, 2006, 2013, 2055, 3024, 3169, 4031,
), (SourceUnavailable, ""))  # fmt: skip
_LOCKED = LockNotHad, "a long statement or transaction holds the lock: wait for it, or end it"
# What was looked up a moment ago has been dropped or altered since.
CHANGED_HINT = "a table was changed meanwhile; the read is begun again"
_RETRY: dict[int, tuple[type[SourceUnavailable], str]] = {
    **_AWAY,
    **dict.fromkeys((1205, 1213), _LOCKED),
    **dict.fromkeys((1049, 1054, 1146, 1412), (TableChanged, CHANGED_HINT)),
}
_BINLOG_READ = 1236
_ID_TAKEN = 4052
_NOT_A_BINLOG_SERVER = {1373, 1381}

POSITION_LOST_HINT = (
    "changes are lost that are in no topic. Set `snapshot: when_needed` to read the tables anew and go on from there, "
    "or begin again under a new topic.prefix; keep logs longer than the longest stop (binlog_expire_logs_seconds)"
)


def login_remedy(tls: Tls) -> str:
    """What to look at when a login is refused: servers do not say which of these it was."""
    checks = "check user, password and host of source.url"
    if tls.mode is TlsMode.DISABLED:
        return f"{checks}; if the account or the server wants TLS, set source.tls.mode: required"
    return (
        checks if tls.cert else f"{checks}; if the account wants a certificate, set source.tls.cert and source.tls.key"
    )


def translate(number: int, message: str, doing: str, *, remedy: str = "") -> StreamtrainError:
    """The error of our tree for a server's error ``number``, met while ``doing`` something. ``remedy`` mends a denial."""
    text = f"{doing}: {message} (error {number})"
    if number in {_BINLOG_READ, _ID_TAKEN}:
        return _binlog_error(message, text)
    if number in _WITHOUT_TLS:
        return AccessDenied(text, hint=_WITHOUT_TLS[number])
    if number in _DENIED:
        return AccessDenied(text, hint=remedy)
    if number in _RETRY:
        kind, hint = _RETRY[number]
        return kind(text, hint=hint)
    return SourceMisconfigured(text, hint="start the server with --log-bin" if number in _NOT_A_BINLOG_SERVER else "")


def _binlog_error(message: str, text: str) -> StreamtrainError:
    """The reasons that the server gives, as prose, for not sending the log."""
    lower = message.lower()
    if "same server_uuid/server_id" in lower or "same server_id" in lower:
        return FencedOut(text, hint="another replica reads with this server id: give each its own source.server_id")
    if "max_allowed_packet" in lower:
        return SourceMisconfigured(text, hint="raise the server's max_allowed_packet to 1073741824")
    if "server_id" in lower or "misconfigured" in lower:
        return SourceMisconfigured(text)
    if "could not find first log file" in lower or "purged" in lower:
        return PositionLost(text, hint=POSITION_LOST_HINT)
    return PositionLost(text, hint=f"the server's log does not hold this position: {POSITION_LOST_HINT}")
