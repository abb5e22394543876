"""How PyMySQL logs in, for the two rooms that open its sessions: over TLS as configured, and never with the password bare.

The server names the method of a login, and PyMySQL follows it into any, so that whoever answers in the server's place
could ask for the password itself. MySQL's own client wants to be told before it does that
(https://dev.mysql.com/doc/refman/9.4/en/cleartext-pluggable-authentication.html); here the server must be verified.
"""

from __future__ import annotations

from typing import Any

from streamtrain.errors import AccessDenied
from streamtrain.tls import Tls, TlsMode

_CLEAR_TEXT_HINT = "give the account a plugin such as caching_sha2_password, or verify the server: tls mode verify_ca or verify_identity"


def arguments(tls: Tls) -> dict[str, Any]:
    """Arguments of ``pymysql.connect``. With none about TLS it takes TLS where the server offers it.

    Raises ConfigError if the TLS files cannot be used.
    """
    methods = {
        "mysql_clear_password": _Verified if tls.mode.verifies else _Refused,
        "dialog": _Refused,
        "mysql_old_password": _Refused,
    }
    if tls.mode is TlsMode.DISABLED:
        return {"auth_plugin_map": methods, "ssl_disabled": True}
    context = tls.context()
    return {"auth_plugin_map": methods} if context is None else {"auth_plugin_map": methods, "ssl": context}


class _Refused:
    """A method of login that shows the password to whoever asks for it. The interface is PyMySQL's."""

    def __init__(self, session: Any) -> None:
        self._session = session

    def authenticate(self, _packet: Any) -> Any:
        raise AccessDenied(
            f"the server at {self._session.host} asks for the password in the clear, and has not proved who it is",
            hint=_CLEAR_TEXT_HINT,
        )


class _Verified(_Refused):
    """The password as it is: TLS hides it from all but the server, which is the one that is meant."""

    def authenticate(self, _packet: Any) -> Any:
        self._session.write_packet(self._session.password + b"\0")
        packet = self._session._read_packet()  # noqa: SLF001 - what PyMySQL itself does at this point
        packet.check_error()
        return packet
