"""Events that the server has split because they were too large."""

from __future__ import annotations

from collections.abc import Sequence

from connectors.mongo.change_event import Event, cut
from connectors.mongo.raw_bson import elements


def joined(fragments: Sequence[Event]) -> Event:
    """The event that was split: its fragments have its fields, one after another. The token is the last one's.

    https://www.mongodb.com/docs/manual/reference/operator/aggregation/changeStreamSplitLargeEvent/
    """
    content = list[bytes]()
    for fragment in fragments:
        for each in elements(fragment.data, fragment.place):
            if each.name == b"splitEvent" or (each.name == b"_id" and fragment is not fragments[-1]):
                continue
            content.append(fragment.data[each.start : each.end])
    body = b"".join(content)
    event = (len(body) + 5).to_bytes(4, "little") + body + b"\0"
    return cut(event)
