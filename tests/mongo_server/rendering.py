"""Commands as error messages show them: the shell's form, shortened nowhere."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from bson import Binary, Timestamp


def rendered(value: Any) -> str:
    """``{ name: value, … }``."""
    if isinstance(value, Mapping):
        inside = ", ".join(f"{name}: {rendered(one)}" for name, one in value.items())
        return f"{{ {inside} }}" if inside else "{}"
    if isinstance(value, list):
        return f"[ {', '.join(map(rendered, value))} ]" if value else "[]"
    return _scalar(value)


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, Timestamp):
        return f"Timestamp({value.time}, {value.inc})"
    if isinstance(value, dt.datetime):
        return f"new Date({int(value.replace(tzinfo=dt.UTC).timestamp() * 1000)})"
    return _bytes(value) if isinstance(value, bytes) else str(value)


def _bytes(value: bytes) -> str:
    subtype = value.subtype if isinstance(value, Binary) else 0
    if subtype == 4:
        content = value.hex()
        return f'UUID("{content[:8]}-{content[8:12]}-{content[12:16]}-{content[16:20]}-{content[20:]}")'
    return f"BinData({subtype}, {value.hex().upper()})"
