"""Values that must not be seen: passwords, and URLs that hold one. Shown redacted everywhere; ``reveal()`` gives them out."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import SplitResult, unquote, urlsplit

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

REDACTED = "***"
REVEAL: Final = {"reveal": True}
"""The context under which a model's dump holds secrets in clear; without it a dump never does."""

_SQLITE = "sqlite:///"
_SEVERAL_HOSTS = frozenset({"mongodb", "mongodb+srv"})
_NOT_A_URL = (
    "is not a URL like scheme://user:password@host:port; in user and password, each of / : ? # @ % must be written as "
    "its percent code (@ is %40)"
)


class Secret:
    """A text that ``str``, ``repr`` and dumps show as ``***``."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The text itself, for the library that it is meant for."""
        return self._value

    def __str__(self) -> str:
        return REDACTED

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and type(other) is type(self) and other._value == self._value

    def __hash__(self) -> int:
        return hash((type(self), self._value))

    @classmethod
    def _validated(cls, value: object) -> Self:
        if not isinstance(value, str):
            raise ValueError("must be text")  # noqa: TRY004  pydantic collects ValueError alone
        return cls(value)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type, handler: GetCoreSchemaHandler) -> CoreSchema:
        dump = core_schema.plain_serializer_function_ser_schema(_dumped, info_arg=True)
        return core_schema.no_info_plain_validator_function(cls._validated, serialization=dump)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string", "format": cls.__name__.lower()}


class Url(Secret):
    """A database's URL, shown with ``***`` for its password and for its options: ``mysql://user:***@host:3306``.

    One of MongoDB may name several hosts: ``mongodb://user:***@host:27017,host:27017/database``.
    ``sqlite:///file.db`` names a path relative to the working directory, ``sqlite:////srv/file.db`` an absolute one.
    Raises ValueError, with a message that holds nothing of the text, if it is not a URL.
    """

    __slots__ = ("_parts",)

    def __init__(self, value: str) -> None:
        super().__init__(value)
        self._parts = _sqlite_parts(value) if value.startswith("sqlite:") else _server_parts(value)

    @property
    def scheme(self) -> str:
        """``mysql``, ``sqlite``, ..."""
        return self._parts.scheme

    @property
    def user(self) -> str:
        """The user, percent-decoded; empty if there is none."""
        return unquote(self._parts.username or "")

    @property
    def password(self) -> Secret:
        """The password, percent-decoded; empty if there is none."""
        return Secret(unquote(self._parts.password or ""))

    @property
    def host(self) -> str:
        """The host, the first of several; empty if there is none."""
        return _hosts(self._parts)[0].hostname or ""

    @property
    def port(self) -> int | None:
        """The port, if one is given."""
        return _hosts(self._parts)[0].port

    @property
    def database(self) -> str:
        """What stands after the host's slash; empty if nothing does."""
        return "" if self.scheme == "sqlite" else unquote(self._parts.path.removeprefix("/"))

    @property
    def has_options(self) -> bool:
        """Whether there is a ``?name=value`` part."""
        return bool(self._parts.query)

    @property
    def path(self) -> Path:
        """The file of an ``sqlite`` URL. Raises ValueError for any other."""
        if self.scheme != "sqlite":
            raise ValueError(f"a {self.scheme} URL has no file path")
        return Path(self._parts.path)

    def under(self, directory: Path) -> Url:
        """The same URL with a relative ``sqlite`` path taken from ``directory``."""
        return Url(f"{_SQLITE}{directory / self.path}") if self.scheme == "sqlite" else self

    def __str__(self) -> str:
        parts = self._parts
        if self.scheme == "sqlite":
            return f"{_SQLITE}{parts.path}"
        who, _, where = parts.netloc.rpartition("@")
        user, colon, _ = who.partition(":")
        login = f"{user}:{REDACTED}@" if colon else f"{user}@" if who else ""
        return f"{self.scheme}://{login}{where}{parts.path}" + (f"?{REDACTED}" if parts.query else "")


def _dumped(value: Secret, info: core_schema.SerializationInfo) -> str:
    return value.reveal() if info.context == REVEAL else str(value)


def _server_parts(text: str) -> SplitResult:
    if not text.isprintable() or " " in text:
        raise ValueError(_NOT_A_URL)
    try:
        parts = urlsplit(text)
        hosts_read = all(host.hostname and (host.port is None or host.port > 0) for host in _hosts(parts))
    except ValueError:
        # The message of urllib quotes what it could not read, and that may be a piece of the password.
        raise ValueError(_NOT_A_URL) from None
    # An unescaped / ? # in a password ends the host part early and leaves the @ behind it.
    misplaced = "#" in text or text.count("@") != parts.netloc.count("@") or parts.netloc.count("@") > 1
    if misplaced or not hosts_read or not parts.scheme:
        raise ValueError(_NOT_A_URL)
    return parts


def _hosts(parts: SplitResult) -> list[SplitResult]:
    where = parts.netloc.rpartition("@")[2]
    return [urlsplit(f"//{host}") for host in (where.split(",") if parts.scheme in _SEVERAL_HOSTS else [where])]


def _sqlite_parts(text: str) -> SplitResult:
    path = text.removeprefix(_SQLITE)
    if path == text or not path or not path.isprintable():
        raise ValueError("must be sqlite:///FILE, or sqlite:////DIRECTORY/FILE for an absolute path")
    if path == ":memory:" or "?" in path:
        raise ValueError("must name a file and no options: what is kept there has to outlive the process")
    return SplitResult("sqlite", "", path, "", "")
