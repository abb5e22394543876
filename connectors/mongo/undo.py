"""Documents as they were before a batch <-> rows of bytes, from which the store of documents goes back.

Ids are ``{_id: …}`` in BSON. None stands for a document that was not there.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from struct import Struct

_ROW_BYTES = 4 << 20
"""In one row, but for a single document that is larger: SQLite takes no value of 1 GB."""
_HEAD = Struct("<II")
_SIZE = array("i").itemsize
_ABSENT = -1


def packed(replaced: Iterable[tuple[int, Sequence[bytes], Sequence[bytes | None]]]) -> Iterator[tuple[int, bytes]]:
    """Each collection's ids and documents, as one row or as several if they are large: how many are in it, and its bytes."""
    count, size, parts = 0, 0, list[bytes]()
    for collection, ids, documents in replaced:
        for some in _runs(documents):
            part = _packed(collection, ids[some], documents[some])
            if parts and size + len(part) > _ROW_BYTES:
                yield count, b"".join(parts)
                count, size, parts = 0, 0, []
            count += some.stop - some.start
            size += len(part)
            parts.append(part)
    yield count, b"".join(parts)


def _runs(documents: Sequence[bytes | None]) -> Iterator[slice]:
    """Documents that follow each other and have no more than ``_ROW_BYTES`` together, or are a single one."""
    ends = list(accumulate([len(document or b"") for document in documents]))
    start = taken = 0
    while start < len(ends):
        stop = max(start + 1, bisect_right(ends, taken + _ROW_BYTES))
        yield slice(start, stop)
        start, taken = stop, ends[stop - 1]


def _packed(collection: int, ids: Sequence[bytes], documents: Sequence[bytes | None]) -> bytes:
    """A collection's documents as a part of a row: lengths, then ids, then documents."""
    lengths = array("i", [_ABSENT if document is None else len(document) for document in documents])
    return b"".join([
        _HEAD.pack(collection, len(ids)), array("i", map(len, ids)).tobytes(), lengths.tobytes(), *ids,
        *filter(None, documents),
    ])  # fmt: skip


def unpacked(replaced: bytes) -> Iterator[tuple[int, dict[bytes, bytes | None]]]:
    """The documents of a row, by collection and id."""
    at = 0
    while at < len(replaced):
        collection, count = _HEAD.unpack_from(replaced, at)
        lengths = array("i", replaced[at + _HEAD.size : at + _HEAD.size + 2 * _SIZE * count])
        at += _HEAD.size + 2 * _SIZE * count
        ids, documents = list[bytes](), list[bytes | None]()
        for length in lengths[:count]:
            ids.append(replaced[at : at + length])
            at += length
        for length in lengths[count:]:
            documents.append(None if length == _ABSENT else replaced[at : at + length])
            at += max(length, 0)
        yield collection, dict(zip(ids, documents, strict=True))
