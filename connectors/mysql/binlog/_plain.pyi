from typing import TypeAlias

_Change: TypeAlias = tuple[bytes, int, int, int, int, int, int, int]
_Transaction: TypeAlias = tuple[bytes, int, int, int, tuple[_Change, ...], int, int, int, int]

def transactions(data: bytes, at: int, sequence: int, largest: int, /) -> tuple[list[_Transaction], int, int]: ...
