"""Chosen paths of a document -> a row of values, those that features read from the topic."""

from __future__ import annotations

from collections.abc import Sequence

from connectors.mongo.extended_json import value_json
from connectors.source import Row
from streamtrain.documents import document


class Flattener:
    """Makes rows of documents: a column for each dotted path, ``items.0.price`` for a place in an array.

    The values are those of ``streamtrain.documents``, so that a feature means the same by a column's name in a flat row as by a
    path in a document; None where the path leads to nothing.
    """

    def __init__(self, paths: Sequence[str], *, replace: bool = False) -> None:
        """``replace``: text that is not UTF-8 has U+FFFD in it, and does not stop."""
        self.columns = tuple(paths)
        self._replace = replace

    def row(self, data: bytes, start: int = 0) -> Row:
        """The row of the BSON document that begins at ``start``. Raises UnsupportedChange where it cannot be read."""
        fields = document(value_json(data, start, self._replace))
        return tuple(fields[path] for path in self.columns)
