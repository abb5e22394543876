"""What a deployment is, and by that what can be asked of it."""

from __future__ import annotations

from typing import NamedTuple

_SNAPSHOT_READS = 13
_POST_IMAGES = 17
_SPLIT_EVENTS, _SPLIT_EVENTS_IN_6_0 = (7,), (6, 0, 9)
"""6.1 to 6.3 do not: https://www.mongodb.com/docs/manual/reference/operator/aggregation/changeStreamSplitLargeEvent/"""


class Deployment(NamedTuple):
    """What a server says of itself and of what it belongs to."""

    wire_version: int
    set_name: str | None
    sharded: bool
    version: tuple[int, ...] = ()

    @property
    def snapshot_reads(self) -> bool:
        """Whether reads of one moment need no transaction: from 5.0 on."""
        return self.wire_version >= _SNAPSHOT_READS

    @property
    def post_images(self) -> bool:
        """Whether collections can keep images of documents before and after changes: from 6.0 on."""
        return self.wire_version >= _POST_IMAGES

    @property
    def splits_events(self) -> bool:
        """Whether an event of more than 16 MB can be had in fragments."""
        return self.version >= _SPLIT_EVENTS or _SPLIT_EVENTS_IN_6_0 <= self.version < (6, 1)
