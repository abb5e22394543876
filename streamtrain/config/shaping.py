"""What is published of a change: the keys of ``source`` that have to do with columns and with leaving out."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from streamtrain.config.secret import Secret
from streamtrain.config.section import Section, Whole


def _column_pattern(value: str) -> str:
    if value.count(".") < 2:
        raise ValueError("must be DATABASE.TABLE.COLUMN; shell wildcards may stand in all three")
    return value


ColumnPatterns = list[Annotated[str, AfterValidator(_column_pattern)]]
Lengths = dict[Annotated[str, AfterValidator(_column_pattern)], Annotated[Whole, Field(ge=0, le=10_000)]]


class HashedColumns(Section):
    """Columns whose text is hashed."""

    columns: ColumnPatterns = Field(
        min_length=1, description="Columns as `DATABASE.TABLE.COLUMN`, with shell wildcards."
    )
    salt: Secret = Field(description="Goes before each text; who does not know it cannot try out texts.")
    algorithm: Literal["sha256", "sha384", "sha512"] = Field(default="sha256", description="The hash function.")


class Published(Section):
    """Changes that are left out."""

    skipped_operations: list[Literal["c", "u", "d", "t"]] = Field(
        default_factory=list, description="Operations that are not published; Debezium's default is `[t]`."
    )
    tombstones_on_delete: bool = Field(
        default=True,
        description="Whether a delete is followed by a record without a value, by which compaction forgets the row.",
    )
    max_record_bytes: Whole = Field(
        default=0,
        ge=0,
        le=1 << 30,
        description="A record of more bytes than this, key and value, is not published; its topic, key and size go to the topic "
        "`PREFIX.dead-letters` in the same transaction. 0: no record is left out, and one that is larger than its topic takes "
        "(`max.message.bytes`, held against what it is when compressed) stops capture.",
    )


class Shaped(Published):
    """Columns and changes that are left out or made unreadable before anything is published."""

    column_exclude_list: ColumnPatterns = Field(
        default_factory=list,
        description="Columns that are never published, each `DATABASE.TABLE.COLUMN`, with shell wildcards.",
    )
    column_include_list: ColumnPatterns = Field(
        default_factory=list, description="If there are any: the columns that are published, and no others."
    )
    column_mask_with_chars: Lengths = Field(
        default_factory=dict,
        description="By column: its text, NULL too, is replaced by so many asterisks. `{shop.users.email: 5}`",
    )
    column_truncate_to_chars: Lengths = Field(
        default_factory=dict, description="By column: its text is cut to so many characters."
    )
    column_mask_hash_v2: HashedColumns | None = Field(
        default=None, description="Columns whose text is replaced by a salted hash, Debezium's `column.mask.hash.v2`."
    )
    message_key_columns: dict[str, Annotated[list[str], Field(min_length=1)]] = Field(
        default_factory=dict,
        description="By `DATABASE.TABLE`: the columns that make the messages' keys instead of the primary key.",
    )
    skip_messages_without_change: bool = Field(
        default=False, description="Leave out updates that changed nothing of what is published of the row."
    )
