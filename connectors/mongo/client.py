"""The one door to pymongo: a deployment, and commands whose replies come as BSON that is not decoded.

https://www.mongodb.com/docs/manual/reference/command/
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from itertools import groupby
from typing import Any, NamedTuple, TypeVar

from bson import decode, encode
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.errors import BSONError
from bson.int64 import Int64
from bson.json_util import CANONICAL_JSON_OPTIONS, dumps, loads
from bson.raw_bson import RawBSONDocument
from bson.timestamp import Timestamp
from pymongo import ReadPreference
from pymongo.client_session import ClientSession
from pymongo.errors import (
    ConfigurationError,
    ConnectionFailure,
    OperationFailure,
    ProtocolError,
    PyMongoError,
    ServerSelectionTimeoutError,
)

from connectors.mongo.address import driver
from connectors.mongo.deployment import Deployment
from connectors.mongo.raw_bson import elements
from connectors.mongo.server_errors import DENIED_HINT, translate
from connectors.mongo.settings import MongoSettings, Scope, name_of
from streamtrain.errors import AccessDenied, ConfigError, SourceMisconfigured, SourceUnavailable, StreamtrainError
from streamtrain.tls import refusal

_RAW: CodecOptions[Mapping[str, Any]] = CodecOptions(document_class=RawBSONDocument)
_ANY_DATE: CodecOptions[Any] = CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_AUTO)
_JSON = CANONICAL_JSON_OPTIONS.with_options(datetime_conversion=DatetimeConversion.DATETIME_AUTO)
_CREDENTIALS = re.compile(r"//[^/@]*@")
Result = TypeVar("Result")


class Time(NamedTuple):
    """A time of the oplog: seconds since 1970, and a number within the second."""

    seconds: int
    ordinal: int

    @classmethod
    def of(cls, timestamp: Timestamp) -> Time:
        """From BSON's type."""
        return cls(timestamp.time, timestamp.inc)

    @property
    def timestamp(self) -> Timestamp:
        """As BSON's type."""
        return Timestamp(self.seconds, self.ordinal)


class Reply(NamedTuple):
    """What a cursor gave."""

    cursor: int
    """0 if there is no more."""
    data: bytes
    place: int
    """Where in ``data`` the array of documents begins."""
    token: RawBSONDocument | None
    """Of a change stream: the post-batch resume token."""

    @property
    def empty(self) -> bool:
        """Whether it gave no document."""
        return self.data.startswith(b"\x05\0\0\0\0", self.place)

    @property
    def documents(self) -> list[bytes]:
        """The documents, in BSON."""
        return [self.data[each.value : each.end] for each in elements(self.data, self.place)]


class Client:
    """Connections to one deployment. Everything is asked of the primary, in one session: cursors belong to it.

    Raises SourceUnavailable, AccessDenied, PositionLost and SourceMisconfigured, as ``server_errors`` classes them.
    """

    def __init__(self, settings: MongoSettings) -> None:
        self._session: ClientSession | None = None
        self._transactions = 0
        self._client = driver(settings)

    def deployment(self) -> Deployment:
        """Look at the server. Raises SourceMisconfigured if it has no change streams."""
        found = self.command("admin", {"hello": 1}, "looking at the server", or_else="isMaster")
        built = self.command("admin", {"buildInfo": 1}, "looking at the server")
        deployment = Deployment(
            wire_version=found["maxWireVersion"],
            set_name=found.get("setName"),
            sharded=found.get("msg") == "isdbgrid",
            version=tuple(built["versionArray"][:3]),
        )
        if deployment.set_name is None and not deployment.sharded:
            raise translate(40573, "a standalone server has no change streams", (), "looking at the server")
        return deployment

    def now(self) -> Time:
        """The time of the last operation that the server has done."""
        reply = self.command("admin", {"ping": 1}, "asking for the time of the log")
        time = reply.get("operationTime")
        return Time.of(reply["$clusterTime"]["clusterTime"] if time is None else time)

    def command(
        self, database: str, command: Mapping[str, Any], doing: str, *, or_else: str | None = None
    ) -> Mapping[str, Any]:
        """Run ``command`` and return its reply, decoded as it is looked at. ``or_else`` is its name on older servers."""
        if self._session is None:
            self._session = self._guarded(self._begin_session, doing)
        session = self._session

        def run() -> Mapping[str, Any]:
            try:
                return self._sent(database, command, session)
            except OperationFailure as error:
                if or_else is None or error.code != _COMMAND_NOT_FOUND:
                    raise
                return self._sent(database, {or_else: 1}, session)

        return self._guarded(run, doing)

    def cursor(self, database: str, command: Mapping[str, Any], doing: str) -> Reply:
        """Run a command that gives a cursor: its first or its next documents."""
        return _reply(self.command(database, command, doing))

    def collections(self, scope: Scope, captures: Callable[[str, str], bool]) -> tuple[list[str], Time]:
        """The names of the captured collections, each ``database.collection``: no views, in order; and when they had them."""
        how = {"nameOnly": True, "authorizedCollections": True}
        found = sorted(self._listed(scope, captures, how))
        while True:
            at, before = self.now(), found
            found = sorted(self._listed(scope, captures, how))
            if found == before:
                return found, at

    def collection_options(self, scope: Scope, captures: Callable[[str, str], bool]) -> dict[str, Mapping[str, Any]]:
        """The same with the options of each."""
        return self._listed(scope, captures, {})

    def collection_marks(self, names: Sequence[str]) -> dict[str, bytes | None]:
        """What tells each collection ``database.collection`` from those that had its name or get it; None if there is none."""
        marks = dict[str, bytes | None].fromkeys(names)
        for database, some in groupby(sorted(names), key=lambda name: name_of(name)[0]):
            wanted = {"name": {"$in": [name_of(name)[1] for name in some]}}
            for found in self._listed_in(database, {"filter": wanted}, "looking at collections"):
                info = found.get("info", {})
                marks[f"{database}.{found['name']}"] = bytes(info["uuid"]) if "uuid" in info else None
        return marks

    def oldest(self) -> Time:
        """The time of the first entry in the oplog; only accounts that may read ``local`` can ask."""
        command = {"find": "oplog.rs", "sort": {"$natural": 1}, "limit": 1, "projection": {"ts": 1}}
        reply = self.cursor("local", command, "looking at the oplog")
        return Time.of(RawBSONDocument(reply.documents[0])["ts"]) if reply.documents else self.now()

    def _listed(
        self, scope: Scope, captures: Callable[[str, str], bool], how: Mapping[str, Any]
    ) -> dict[str, Mapping[str, Any]]:
        found = dict[str, Mapping[str, Any]]()
        for database in [scope.database] if scope.database is not None else self._databases():
            for each in self._listed_in(database, {"filter": {"type": "collection"}, **how}, "listing collections"):
                if captures(database, each["name"]):
                    found[f"{database}.{each['name']}"] = each.get("options") or {}
        return found

    def _listed_in(self, database: str, how: Mapping[str, Any], doing: str) -> list[RawBSONDocument]:
        reply = self.cursor(database, {"listCollections": 1, "cursor": {}, **how}, doing)
        documents = list(reply.documents)
        while reply.cursor:
            reply = self.cursor(database, {"getMore": reply.cursor, "collection": "$cmd.listCollections"}, doing)
            documents += reply.documents
        return list(map(RawBSONDocument, documents))

    def _databases(self) -> list[str]:
        command = {"listDatabases": 1, "nameOnly": True, "authorizedDatabases": True}
        return [each["name"] for each in self.command("admin", command, "listing databases")["databases"]]

    def read_at(
        self, database: str, command: Mapping[str, Any], moment: Time, deployment: Deployment, doing: str
    ) -> Reply:
        """The first batch of a ``find`` that sees the database as it stood at ``moment``; the cursor is ended.

        Servers before 5.0 read one moment in transactions only.
        """
        command = {**command, "readConcern": {"level": "snapshot", "atClusterTime": moment.timestamp}}
        if deployment.snapshot_reads:
            reply = self.cursor(database, command, doing)
            self.kill_cursor(database, command["find"], reply.cursor)
            return reply
        self._transactions += 1
        within = {"txnNumber": Int64(self._transactions), "autocommit": False}
        try:
            return self.cursor(database, {**command, "startTransaction": True, **within}, doing)
        finally:
            with suppress(SourceUnavailable):  # what the server has ended itself
                self.command("admin", {"abortTransaction": 1, **within}, "ending a read")

    def kill_cursor(self, database: str, collection: str, cursor: int) -> None:
        """End a cursor; the server is not asked whether it did."""
        if cursor:
            self.command(database, {"killCursors": collection, "cursors": [cursor]}, "ending a cursor")

    def close(self) -> None:
        """Let go of the connections. Safe to call twice."""
        if self._session is not None:
            self._session.end_session()
            self._session = None
        self._client.close()

    def _begin_session(self) -> ClientSession:
        return self._client.start_session(causal_consistency=False)

    def _sent(self, database: str, command: Mapping[str, Any], session: ClientSession) -> Mapping[str, Any]:
        reply: Mapping[str, Any] = self._client[database].command(
            dict(command), codec_options=_RAW, session=session, read_preference=ReadPreference.PRIMARY
        )
        return reply

    def _guarded(self, run: Callable[[], Result], doing: str) -> Result:
        try:
            return run()
        except PyMongoError as error:
            raise self._refused(error, doing) or mapped(error, doing) from None

    def _refused(self, error: PyMongoError, doing: str) -> StreamtrainError | None:
        """The error of the tree if a handshake is behind it that will fail again."""
        servers = self._client.topology_description.server_descriptions().values()
        causes = [cause for cause in [error, *(server.error for server in servers)] if cause is not None]
        for found in filter(None, (refusal(cause, "source.tls") for cause in causes)):
            kind = AccessDenied if found.final else SourceUnavailable
            return kind(f"{doing}: {_without_credentials(str(error))}", hint=found.hint)
        return None


_COMMAND_NOT_FOUND = 59
_BATCHES = frozenset({b"firstBatch", b"nextBatch"})


def mapped(error: PyMongoError, doing: str) -> StreamtrainError:
    """The error of our tree for one of pymongo's."""
    message = _without_credentials(str(error))
    if isinstance(error, OperationFailure):
        labels = [
            label
            for label in ("ResumableChangeStreamError", "NonResumableChangeStreamError", "TransientTransactionError")
            if error.has_error_label(label)
        ]
        details = error.details or {}
        return translate(error.code or 8, str(details.get("errmsg", message)), labels, doing)
    if isinstance(error, ServerSelectionTimeoutError) and "authentication" in message.lower():
        return AccessDenied(f"{doing}: {message}", hint=DENIED_HINT)
    if isinstance(error, ConnectionFailure | ProtocolError):
        return SourceUnavailable(f"{doing}: {message}")
    if isinstance(error, ConfigurationError):
        return ConfigError(f"{doing}: {message}", hint="check source.url")
    return SourceMisconfigured(f"{doing}: {message}")


def embedded(document: bytes) -> Mapping[str, Any]:
    """A document in BSON as a part of a command."""
    return RawBSONDocument(document)


def filter_of(text: str) -> Mapping[str, Any]:
    """A filter that is written as extended JSON. Raises ConfigError on anything else."""
    try:
        found = loads(text, json_options=_JSON)
        encode({"": found})
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError, BSONError):
        found = None
    if not isinstance(found, dict):
        raise ConfigError(f"{text!r} is no filter: a document in extended JSON is needed")
    return found


def filter_for(identity: bytes) -> str:
    """The filter, as extended JSON, that finds the document of which ``identity`` is ``{_id: …}``."""
    return dumps({"_id": {"$eq": decode(identity, _ANY_DATE)["_id"]}}, json_options=_JSON)


def _reply(reply: Mapping[str, Any]) -> Reply:
    cursor = reply["cursor"]
    data = bytes(cursor.raw)
    place = next(each.value for each in elements(data) if each.name in _BATCHES)
    number = token = None
    for each in elements(data):
        if each.name == b"id":
            number = int.from_bytes(data[each.value : each.end], "little", signed=True)
        elif each.name == b"postBatchResumeToken":
            token = RawBSONDocument(data[each.value : each.end])
    return Reply(number or 0, data, place, token)


def _without_credentials(text: str) -> str:
    """What an error says, without the URL's user and password, and without all that the driver knows of the topology."""
    return _CREDENTIALS.sub("//", text.partition(" (configured timeouts")[0].partition(", Timeout: ")[0])
