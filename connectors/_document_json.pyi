from collections.abc import Callable
from typing import Any

def envelopes(
    columns: tuple[list[Any], ...],
    texts: tuple[bytes, bytes, bytes],
    update_block: Callable[..., bytes],
    session: Callable[..., bytes],
    /,
) -> list[bytes]: ...
def keys(ids: list[bytes], /) -> list[bytes]: ...
