"""Where a server is and how to log in, read from ``mysql://user:password@host:port/?options``."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qsl, unquote

from streamtrain.errors import ConfigError
from streamtrain.tls import Tls, TlsMode

# The password ends at the last "@" before the host, so that one pasted unescaped from a secret store still works.
_URL = re.compile(
    r"""(?P<scheme>[a-z0-9+]+)://
        (?:(?P<user>[^:@]*)(?::(?P<password>.*))?@)?
        (?:\[(?P<ipv6>[0-9A-Fa-f:.]+)\]|(?P<host>[^:/?\#@\[\]]+))
        (?::(?P<port>[0-9]+))?
        /?(?:\?(?P<options>[^@]*))?""",
    re.VERBOSE | re.DOTALL,
)
_HINT = "write it as mysql://user:password@host:port, with special characters of the password percent-encoded"
_DEFAULT_PORT = 3306


@dataclass(frozen=True, slots=True)
class Address:
    """One server and one account on it. The password shows in no representation."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    tls: Tls = field(default_factory=Tls)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.user}@{host}:{self.port}"


def address(url: str, tls: Tls | None = None) -> Address:
    """``parse_url``, with ``tls`` in place of the URL's options if it is given."""
    parsed = parse_url(url)
    return parsed if tls is None else replace(parsed, tls=tls)


def parse_url(url: str) -> Address:
    """Read a URL; its options are ``ssl_mode``, ``ssl_ca``, ``ssl_cert`` and ``ssl_key``.

    Raises ConfigError, which never quotes the URL: it holds the password.
    """
    match = _URL.fullmatch(url)
    if match is None or match["scheme"] not in {"mysql", "mariadb"}:
        raise ConfigError("source.url is not the address of a MySQL or MariaDB server", hint=_HINT)
    if not match["user"]:
        raise ConfigError("source.url names no user", hint=_HINT)
    port = int(match["port"] or _DEFAULT_PORT)
    if not 0 < port < 1 << 16:
        raise ConfigError(f"source.url names port {port}, which is none", hint=_HINT)
    return Address(
        host=match["ipv6"] or match["host"],
        port=port,
        user=unquote(match["user"]),
        password=unquote(match["password"] or ""),
        tls=_tls(match["options"] or ""),
    )


def _tls(text: str) -> Tls:
    options = dict(parse_qsl(text, keep_blank_values=True))
    mode = options.pop("ssl_mode", None)
    files = {name: options.pop(f"ssl_{name}", None) for name in ("ca", "cert", "key")}
    if options:
        known = "ssl_mode, ssl_ca, ssl_cert, ssl_key"
        raise ConfigError(f"source.url has an unknown option {min(options)!r}", hint=f"known are {known}")
    if mode is None:
        mode = "verify_ca" if files["ca"] else "preferred"
    try:
        chosen = TlsMode(mode.replace("-", "_").lower())
    except ValueError:
        names = ", ".join(each.value for each in TlsMode)
        raise ConfigError(f"source.url has an unknown ssl_mode {mode!r}", hint=f"one of {names}") from None
    if chosen in {TlsMode.DISABLED, TlsMode.PREFERRED} and any(files.values()):
        raise ConfigError(
            f"source.url names TLS files, but ssl_mode={chosen.value} does not use them",
            hint="set ssl_mode=verify_ca or ssl_mode=verify_identity",
        )
    return Tls(chosen, **files)
