"""What the collections hold at the end of a round: each document as the text that a message has to show."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import bson
import pymongo
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument

from tests.chaos.mongo import text
from tests.chaos.mongo.catalog import DATABASE, JOURNAL, CollectionModel

RAW: CodecOptions[RawBSONDocument] = CodecOptions(document_class=RawBSONDocument)


@dataclass(frozen=True)
class Contents:
    """One collection at the end."""

    model: CollectionModel
    documents: dict[str, dict[str, Any]]
    """By the key's text: the document's text, and its marks."""


@dataclass(frozen=True)
class Truth:
    """The source at the end of a round."""

    collections: dict[int, Contents]
    """By home."""
    journal: dict[int, tuple[int, int, int]]
    """Of each committed transaction by its tag: when it began, and the least and the most changes that it made."""


def read_truth(url: str, models: Iterable[CollectionModel]) -> Truth:
    """Read all collections as they are now; nothing may be writing."""
    with pymongo.MongoClient[RawBSONDocument](url, document_class=RawBSONDocument) as client:
        found = {model.home: Contents(model, _documents(client, model)) for model in models}
        journal = [bson.decode(one.raw) for one in client[DATABASE][JOURNAL].find()]
        return Truth(found, {one["tx"]: (one["began"], one["low"], one["high"]) for one in journal})


def _documents(client: pymongo.MongoClient[RawBSONDocument], model: CollectionModel) -> dict[str, dict[str, Any]]:
    database, collection = model.place
    documents = (bytes(one.raw) for one in client[database][collection].find())
    return {text.key_text(raw): text.marks(text.document_text(raw)) or {} for raw in documents}
