"""How MongoDB is reached for the state database: the URL and its options, TLS, and what the driver's errors say."""

from __future__ import annotations

from typing import Any

from bson.errors import BSONError
from pymongo import MongoClient
from pymongo.errors import (
    BulkWriteError,
    ConfigurationError,
    ConnectionFailure,
    DocumentTooLarge,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
)
from pymongo.topology_description import TopologyDescription
from pymongo.uri_parser import parse_uri

from streamtrain.errors import ConfigError
from streamtrain.state.mongo_errors import DOCUMENT_TOO_LARGE, TRANSIENT, UNKNOWN_COMMIT, Failure
from streamtrain.tls import Tls

Document = dict[str, Any]

_FORM = "mongodb://user:password@host:port,host:port/database?replicaSet=name"
_ESCAPED = "special characters in a password are written as %40"


def failure(error: Exception, topology: TopologyDescription) -> Failure:
    """What an error of the driver says, without the documents that it may show."""
    if isinstance(error, DocumentTooLarge):
        return Failure("a document is too large", DOCUMENT_TOO_LARGE)
    if isinstance(error, BSONError):
        return Failure(f"a document cannot be stored ({type(error).__name__})")
    if isinstance(error, OperationFailure) and not isinstance(error, ConnectionFailure):
        return _answered(error)
    servers = topology.server_descriptions().values()
    causes = [server.error for server in servers if server.error is not None]
    text = str(error).partition(" (configured timeouts")[0].partition(", Timeout: ")[0].partition(", full error")[0]
    if isinstance(error, ConnectionFailure):
        label = UNKNOWN_COMMIT if error.has_error_label(UNKNOWN_COMMIT) else TRANSIENT
        return Failure(text, None, [label], unreached=isinstance(error, ServerSelectionTimeoutError), causes=causes)
    if isinstance(error, ConfigurationError):
        # No server is known as long as the hosts of mongodb+srv:// could not be looked up.
        met = any(server.is_server_type_known for server in servers)
        return Failure(text, unreached=not met, misfit=met)
    return Failure(f"{type(error).__name__}: {text}")


def _answered(error: OperationFailure) -> Failure:
    details = error.details or {}
    answer = (details.get("writeErrors") or [details])[0] if isinstance(error, BulkWriteError) else details
    labels = details.get("errorLabels") or ([UNKNOWN_COMMIT] if error.has_error_label(UNKNOWN_COMMIT) else [])
    text = str(answer.get("errmsg") or str(error).partition(", full error")[0])
    return Failure(text, answer.get("code", error.code), labels)


def parsed(url: str) -> tuple[str, str]:
    """How the URL is shown, and the database that it names."""
    try:
        # Only its form: with mongodb+srv the hosts are looked up when it is connected to.
        scheme, rest = url.split("://", 1)
        parts = parse_uri(f"mongodb://{rest}", validate=True)
    except (PyMongoError, ValueError):
        # Without the cause, which shows parts of the URL.
        raise ConfigError("state.url is not a URL of MongoDB", hint=f"{_FORM}; {_ESCAPED}") from None
    if not parts["database"]:
        raise ConfigError("state.url names no database", hint=_FORM)
    login = "" if parts["username"] is None else f"{parts['username']}:***@"
    hosts = rest.partition("/")[0].rpartition("@")[2]
    return f"{scheme}://{login}{hosts}/{parts['database']}", str(parts["database"])


def client(url: str, tls: Tls, connect_timeout_s: int, timeout_s: int) -> MongoClient[Document]:
    """A client that has not connected yet. Raises ConfigError for options that cannot be used."""
    try:
        return MongoClient(
            url,
            connect=False,
            appname="streamtrain",
            serverSelectionTimeoutMS=connect_timeout_s * 1000,
            connectTimeoutMS=connect_timeout_s * 1000,
            socketTimeoutMS=timeout_s * 1000,
            retryWrites=True,
            **tls.mongo_options("state.tls"),
        )
    except (ConfigurationError, OSError, ValueError):
        files = ", ".join(file for file in (tls.ca, tls.cert) if file)
        raise ConfigError(
            "the options of state.url" + (f" and the TLS files {files}" if files else "") + " cannot be used together",
            hint=f"{_FORM}; TLS is set by state.tls, with PEM files that this process may read",
        ) from None
