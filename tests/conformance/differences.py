"""The differences from Debezium that are meant, as docs/debezium.md lists them. Whatever else differs is a failure."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tests.conformance.findings import ABSENT, Finding, payload

_CLOCK = {"ts_ms", "ts_us", "ts_ns"}


def _in_source(finding: Finding) -> bool:
    return len(finding.path) > 1 and finding.path[-2] == "source"


def _snapshot(finding: Finding) -> bool:
    return payload(finding.our_record).get("source", {}).get("snapshot", "false") != "false"


def _statement(finding: Finding) -> bool:
    """Whether it is about a statement: a change of structure, or a TRUNCATE."""
    return finding.topic == "" or payload(finding.our_record).get("op") == "t"


def _version(finding: Finding) -> bool:
    return _in_source(finding) and finding.path[-1] == "version"


def _clock(finding: Finding) -> bool:
    return (
        not _in_source(finding) and finding.path[-1:] and finding.path[-1] in _CLOCK and finding.topic != "transaction"
    )


def _snapshot_time(finding: Finding) -> bool:
    return _in_source(finding) and finding.path[-1] in _CLOCK and _snapshot(finding)


def _statement_origin(finding: Finding) -> bool:
    if not (_in_source(finding) and _statement(finding)):
        return False
    if finding.path[-1] in {"ts_us", "ts_ns"}:
        unit = 1_000 if finding.path[-1] == "ts_us" else 1_000_000
        return bool(finding.theirs // unit == finding.ours // unit)
    return finding.path[-1] == "thread" and finding.theirs is None


def _declared_default(finding: Finding) -> bool:
    if finding.path[-1:] == ("defaultValueExpression",):
        return finding.topic == "" and finding.ours is None
    return finding.path[-1:] == ("default",) and "schema" in finding.path and finding.ours == ABSENT


def _default_for_null(finding: Finding) -> bool:
    return finding.topic.endswith(".defaults") and finding.path[-2:-1] == ("after",) and finding.ours is None


def _json_text(finding: Finding) -> bool:
    texts = finding.theirs, finding.ours
    return (
        finding.kind.startswith("mysql")
        and _snapshot(finding)
        and all(isinstance(text, str) for text in texts)
        and str(texts[0]).replace(" ", "") == texts[1]
    )


def _fraction(finding: Finding) -> bool:
    return (
        isinstance(finding.theirs, str)
        and isinstance(finding.ours, str)
        and finding.theirs.endswith("0Z")
        and finding.theirs.removesuffix("Z").rstrip("0") == finding.ours.removesuffix("Z")
    )


def _tombstone_without_key(finding: Finding) -> bool:
    record = finding.their_record
    return finding.our_record is None and record is not None and record.key is None and record.value is None


def _lonely_begin(finding: Finding) -> bool:
    return (
        finding.kind.startswith("mariadb")
        and finding.topic == "transaction"
        and finding.our_record is None
        and payload(finding.their_record)["status"] == "BEGIN"
    )


def _truncate_in_transaction(finding: Finding) -> bool:
    is_truncate = payload(finding.our_record).get("op") == "t"
    return finding.kind.startswith("mariadb") and is_truncate and finding.path[-1:] == ("transaction",)


def _first_begin_clock(finding: Finding) -> bool:
    return finding.topic == "transaction" and finding.path[-1:] == ("ts_ms",) and finding.kind.startswith("mariadb")


def _script(finding: Finding) -> bool:
    statement = payload(finding.their_record).get("ddl", "")
    return (
        finding.topic == ""
        and finding.our_record is None
        and statement.startswith(("SET ", "DROP ", "CREATE DATABASE", "USE "))
    )


def _truncate_told(finding: Finding) -> bool:
    return (
        finding.topic == ""
        and finding.their_record is None
        and payload(finding.our_record)["ddl"].startswith("TRUNCATE")
    )


def _statement_as_logged(finding: Finding) -> bool:
    return finding.topic == "" and finding.path[-1:] == ("ddl",) and str(finding.theirs).startswith("DROP TABLE")


DIFFERENCES: Mapping[str, Callable[[Finding], object]] = {
    "version": _version,
    "clock": _clock,
    "snapshot-time": _snapshot_time,
    "statement-origin": _statement_origin,
    "declared-default": _declared_default,
    "default-for-null": _default_for_null,
    "json-text": _json_text,
    "timestamp-fraction": _fraction,
    "tombstone-without-key": _tombstone_without_key,
    "begin-without-end": _lonely_begin,
    "truncate-in-transaction": _truncate_in_transaction,
    "begin-time": _first_begin_clock,
    "snapshot-script": _script,
    "truncate-statement": _truncate_told,
    "statement-as-logged": _statement_as_logged,
}
"""By the name under which docs/debezium.md explains it."""
