"""Named arrays <-> bytes (safetensors), and the hash of a model's weights. The one place that imports safetensors."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors
import safetensors.numpy

from streamtrain.errors import NoUsableCheckpoint

Array = npt.NDArray[Any]
Arrays = dict[str, Array]


def encode(arrays: Mapping[str, Array]) -> bytes:
    """Bytes that depend on names, dtypes, shapes and values alone."""
    return safetensors.numpy.save(
        {name: np.ascontiguousarray(arrays[name]).reshape(np.shape(arrays[name])) for name in sorted(arrays)}
    )


def decode(data: bytes) -> Arrays:
    """The arrays of ``encode``. Raises NoUsableCheckpoint if the bytes are something else."""
    try:
        return dict(safetensors.numpy.load(data))
    except safetensors.SafetensorError as error:
        raise NoUsableCheckpoint(f"a part of the checkpoint is not in safetensors form: {error}") from None


def weights_sha256(arrays: Mapping[str, Array]) -> str:
    """SHA-256 over the tensors by sorted name: name, dtype, shape, little-endian bytes of each."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.asarray(arrays[name])
        little_endian = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"), copy=False))
        digest.update(f"{name}\n{array.dtype.name}\n{list(array.shape)}\n".encode())
        digest.update(little_endian.tobytes())
    return digest.hexdigest()
