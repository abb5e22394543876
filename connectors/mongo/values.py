"""Updates as change events tell them, and what they make of a document."""

from __future__ import annotations

from bson import decode, encode

from connectors.mongo.extended_json import update_json
from connectors.source import DocumentUpdate
from streamtrain.errors import UnsupportedChange


def updated(document: bytes, description: bytes) -> bytes:
    """The document after an update. Raises UnsupportedChange on one of a nested field."""
    held, delta = decode(document), decode(description)
    for path in (*delta["updatedFields"], *delta["removedFields"], *delta.get("truncatedArrays", ())):
        if "." in path:
            raise UnsupportedChange(
                f"an update of {path!r} cannot be applied to the document that is held",
                hint="set source.after: post_image or lookup",
            )
    held.update(delta["updatedFields"])
    return encode({name: value for name, value in held.items() if name not in delta["removedFields"]})


def described(description: bytes) -> DocumentUpdate:
    """What an ``updateDescription`` says."""
    delta = decode(description)
    truncated = [(each["field"], each["newSize"]) for each in delta.get("truncatedArrays") or ()]
    return DocumentUpdate(update_json(encode(delta["updatedFields"])), delta["removedFields"], truncated)
