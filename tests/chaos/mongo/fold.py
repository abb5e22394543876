"""One collection as its records leave it behind, whatever it was called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.chaos.fold import Misfit
from tests.chaos.topics import Record


@dataclass(frozen=True)
class Terms:
    """What the source was told, and what was done to its log."""

    after: str = "held"
    """Where documents after updates are from."""
    losses_ms: tuple[int, ...] = ()
    """When changes were taken out of the log before they were captured: all documents are read again then."""
    whole_from: int | None = 0
    """Transactions that began after this moment must be in the topics whole; None: none has to be."""


@dataclass
class Present:
    """A document that is there."""

    text: str | None
    """None: not known, as a look-up came too late."""
    born: int
    version: int
    sent_ms: int
    resets: int = 0
    rereads: int = 0


class Fold:
    """Documents by key. A misfit is told and then taken for true."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._present: dict[str, Present] = {}
        self.rereads: Counter[str] = Counter()

    def apply(self, record: Record, key: str, *, images: bool) -> None:
        """Raises Misfit. ``images``: the collection may keep images of its documents."""
        present = self._present.get(key)
        if record.reread:
            self._read_again(record, key, present)
        elif record.op in {"c", "r"}:
            self._begin(record, key, present)
        elif record.op == "d":
            self._present.pop(key, None)
            self._require_present(record, present)
        else:
            self._update(record, key, present, images=images)

    def _begin(self, record: Record, key: str, present: Present | None) -> None:
        after = record.after or {}
        new = Present(after["text"], after["born"], after["ver"], record.sent_ms)
        self._present[key] = new
        self._require_from(record, {"event"} if record.op == "c" else {None})
        if present is None:
            return
        new.resets = present.resets + 1
        newer = (new.born, new.version) >= (present.born, present.version)
        if new.resets > len(self._terms.losses_ms) or not newer:
            raise Misfit("duplicate", f"{record.op} of a key that is there already: {present} {after}")

    def _read_again(self, record: Record, key: str, present: Present | None) -> None:
        if present is None or record.after is None:
            raise Misfit("phantom", f"read again and never there: {record.after}")
        self.rereads[key] += 1
        present.sent_ms = record.sent_ms
        now = (record.after["born"], record.after["ver"])
        if now != (present.born, present.version):
            raise Misfit("order", f"read again: {record.after} where there was {present}")
        if present.text != record.after["text"] and self._terms.after != "lookup":
            raise Misfit("value", f"read again: {record.after} where there was {present}")

    def _update(self, record: Record, key: str, present: Present | None, *, images: bool) -> None:
        after = record.after
        version = 1 if present is None else present.version + 1
        if after is None:
            born = 0 if present is None else present.born
            self._present[key] = Present(None, born, version, record.sent_ms)
        else:
            exact = self._terms.after != "lookup"
            born = after["born"] if exact or present is None else present.born
            self._present[key] = Present(after["text"], born, after["ver"] if exact else version, record.sent_ms)
        if present is not None:
            self._present[key].resets = present.resets
        self._require_present(record, present)
        assert present is not None
        self._require_version(record, present)
        if record.update is None:
            self._require_from(record, {"event"})
        elif self._terms.after == "held":
            self._require_from(record, {"delta", "post_image"} if images else {"delta"})
        else:
            self._require_from(record, {self._terms.after})

    def _require_version(self, record: Record, present: Present) -> None:
        after = record.after
        if after is None:
            if self._terms.after != "lookup" or record.update is None:
                raise Misfit("value", f"an update without the document after it, of {present}")
            return
        now, expected = (after["born"], after["ver"]), (present.born, present.version + 1)
        if self._terms.after == "lookup" and record.update is not None:
            if now < expected:
                raise Misfit("order", f"{after} after {present}")
        elif now != expected:
            raise Misfit("order" if now < expected else "lost", f"{after} after {present}")

    def _require_present(self, record: Record, present: Present | None) -> None:
        """The document that a change is of is as it was told before."""
        if present is None:
            raise Misfit("lost", f"{record.op} of a key that is not there: {record.row}")
        before = record.before
        if before is None:
            if self._terms.after == "held":
                raise Misfit("value", f"{record.op} without the document before it: {present}")
            return
        was, then = (before["born"], before["ver"]), (present.born, present.version)
        if was != then:
            raise Misfit("order" if was < then else "lost", f"{record.op} of {before} where there was {present}")
        if self._terms.after != "lookup" and before["text"] != present.text:
            raise Misfit("value", f"{record.op} of {before} where there was {present}")

    def _require_from(self, record: Record, allowed: set[str | None]) -> None:
        said = (record.source or {}).get("after_from")
        if said not in allowed:
            raise Misfit(
                "value", f"{record.op} says that its document is from {said!r}, not {sorted(map(str, allowed))}"
            )

    def unheard(self, since_ms: int) -> Iterator[str]:
        """Documents of which no record has come since then."""
        for key, present in self._present.items():
            if present.sent_ms < since_ms:
                yield f"{key}: {_short(present)}"

    def differences(self, documents: dict[str, dict[str, Any]]) -> Iterator[tuple[str, str]]:
        """Kind and description of each document that is not as in the collection."""
        for key in documents.keys() - self._present.keys():
            yield "lost", f"not in the topic: {key} {_short(documents[key])}"
        for key in self._present.keys() - documents.keys():
            # What was deleted in a part of the log that is gone, nobody can tell.
            if self._present[key].sent_ms >= max(self._terms.losses_ms, default=0):
                yield "phantom", f"not in the collection: {key} {_short(self._present[key])}"
        for key in documents.keys() & self._present.keys():
            there, present = documents[key], self._present[key]
            if (there["born"], there["ver"]) != (present.born, present.version):
                yield "lost", f"key {key}: the collection has {_short(there)}, the topic {_short(present)}"
            elif there["text"] != present.text:
                yield "value", f"key {key}: the collection has {_short(there)}, the topic {_short(present)}"


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) < 900 else text[:900] + "…"
