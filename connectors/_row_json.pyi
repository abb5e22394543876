from collections.abc import Callable, Sequence
from typing import Any

from connectors.source import Row

class RowEncoder:
    def __init__(self, columns: tuple[str, ...], key: tuple[int, ...], dumps: Callable[[Any], bytes]) -> None: ...
    def keys(self, rows: Sequence[Row], /) -> list[bytes | None]: ...
    def documents(
        self,
        befores: Sequence[Row] | None,
        afters: Sequence[Row] | None,
        parts: tuple[bytes, ...],
        counters: tuple[int, ...],
        /,
    ) -> list[bytes | None]: ...
