"""Documents as rows: chosen paths of a document as columns, in topics beside those of the documents.

The envelope is that of a table's rows, and ``source`` that of the document's record. It is JSON without a schema whatever the format of
the others is: the values of a path may be of any type.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from math import isfinite
from typing import Any

from connectors.document_json import endings
from connectors.documents import with_tombstones
from connectors.row_json import row_encoder
from connectors.serializing import Addressed, Serializer
from connectors.source import Collection, DocumentChange, Heartbeat, Row, SourceEvent, Table
from streamtrain.documents import document
from streamtrain.errors import ConfigError
from streamtrain.topic.base import Messages
from streamtrain.topic.names import MAX_NAME_LENGTH, topic_name

IDENTITY = "_id"
_IMAGES = (b'{"before":', b',"after":', b"")
_NO_IMAGE = b"null".join(_IMAGES)
_LEAST, _MOST = -(2**63), 2**64 - 1
"""Of a JSON number without a fraction: what is beyond that is read as a double by most."""


class Flattener:
    """Makes rows of documents: a column for each dotted path, ``items.0.price`` for a place in an array.

    The values are those of ``streamtrain.documents``, so that a feature means the same by a column's name in a flat row as by a
    path in a document; None where the path leads to nothing. A number that JSON has no number for is text, such as ``NaN``.
    """

    def __init__(self, paths: Sequence[str]) -> None:
        self.columns = tuple(paths)

    def row(self, text: bytes) -> Row:
        """The row of a document in extended JSON."""
        fields = document(text)
        return tuple([_in_json(fields[path]) for path in self.columns])


class FlatRowsSerializer:
    """A serializer that gives the rows of chosen collections too, each in ``PREFIX-rows.DB.COLLECTION``."""

    def __init__(self, serializer: Serializer, prefix: str, chosen: Mapping[str, Sequence[str]]) -> None:
        """``chosen``: dotted paths by shell pattern over ``database.collection``; a collection has those of all that match."""
        self._serializer = serializer
        self._prefix = rows_prefix(prefix)
        self._chosen = chosen
        self._known: dict[Collection, _FlatCollection | None] = {}

    def serialize(self, event: SourceEvent | Heartbeat, now_ns: int) -> Iterable[Addressed]:
        yield from self._serializer.serialize(event, now_ns)
        if isinstance(event, DocumentChange) and (flat := self._flat(event.collection)) is not None:
            yield Addressed(flat.topic, flat.messages(event, now_ns))

    def _flat(self, collection: Collection) -> _FlatCollection | None:
        if collection not in self._known:
            patterns = [each for each in self._chosen if fnmatchcase(collection.full_name, each)]
            columns = dict.fromkeys([IDENTITY, *(path for each in patterns for path in self._chosen[each])])
            self._known[collection] = (
                _FlatCollection(collection, self._topic(collection), list(columns)) if patterns else None
            )
        return self._known[collection]

    def _topic(self, collection: Collection) -> str:
        topic = topic_name(self._prefix, collection.database, collection.name)
        # The source sees to it that no two collections have one topic. These names are longer, and may be cut off earlier.
        if len(topic) == MAX_NAME_LENGTH:
            raise ConfigError(
                f"the topic of rows of {collection.full_name} would have a name that is too long",
                hint="choose a shorter topic.prefix, or leave the collection out of source.rows",
            )
        return topic


def rows_prefix(prefix: str) -> str:
    """What the names of the topics of rows begin with: ``topic.prefix`` of who learns from them."""
    return f"{prefix}-rows"


class _FlatCollection:
    """What is made once for a collection."""

    def __init__(self, collection: Collection, topic: str, columns: Sequence[str]) -> None:
        self.topic = topic
        self._flattener = Flattener(columns)
        self._encoder = row_encoder(Table(collection.database, collection.name, self._flattener.columns, key=(0,)))

    def messages(self, change: DocumentChange, now_ns: int) -> Messages:
        """The messages of every row of ``change``, in order: envelopes, and tombstones behind deletes."""
        # Not the value of the column: it would make one of an ObjectId and a text of its digits.
        keys = [b'{"_id":%b}' % identity for identity in change.keys]
        values = [images + rest for images, rest in zip(self._images(change), endings(change, now_ns), strict=True)]
        return with_tombstones(change.ops, keys, values)

    def _images(self, change: DocumentChange) -> list[bytes]:
        """Each envelope up to its ``source``: those that have the same images at a time."""
        before, after = change.before, change.after
        alike: dict[tuple[bool, bool], list[int]] = {}
        for at in range(len(change)):
            alike.setdefault((before[at] is not None, after[at] is not None), []).append(at)
        written = [_NO_IMAGE] * len(change)
        for (has_before, has_after), chosen in alike.items():
            befores = self._rows(before, chosen) if has_before else None
            afters = self._rows(after, chosen) if has_after else None
            if has_before or has_after:
                texts = self._encoder.documents(befores, afters, _IMAGES, ())
                for at, text in zip(chosen, texts, strict=True):
                    written[at] = text or _NO_IMAGE
        return written

    def _rows(self, documents: Sequence[bytes | None], chosen: Sequence[int]) -> list[Row]:
        return [self._flattener.row(documents[at] or b"") for at in chosen]


def _in_json(value: Any) -> Any:
    if type(value) is float and not isfinite(value):
        return "NaN" if value != value else f"{'-' * (value < 0)}Infinity"  # noqa: PLR0124 - NaN alone is unlike itself
    if type(value) is int and not _LEAST <= value <= _MOST:
        return str(value)
    return value
