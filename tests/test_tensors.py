"""Bytes and hashes of named arrays depend on names, dtypes, shapes and values alone."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from streamtrain.errors import NoUsableCheckpoint
from streamtrain.tensors import decode, encode, weights_sha256

ARRAYS = {"b": np.arange(6, dtype=np.float32).reshape(2, 3), "a": np.array(3, dtype=np.int64)}


def test_what_is_encoded_is_decoded() -> None:
    found = decode(encode(ARRAYS))
    assert set(found) == set(ARRAYS)
    for name, array in ARRAYS.items():
        assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape)
        np.testing.assert_array_equal(found[name], array)


def test_the_order_of_names_and_the_layout_in_memory_do_not_matter() -> None:
    other = {"a": ARRAYS["a"], "b": np.asfortranarray(ARRAYS["b"])}
    assert encode(other) == encode(ARRAYS)
    assert weights_sha256(other) == weights_sha256(ARRAYS)


def test_the_weights_hash_covers_name_dtype_shape_and_little_endian_bytes() -> None:
    text = b"a\nint64\n[]\n" + (3).to_bytes(8, "little") + b"b\nfloat32\n[2, 3]\n" + ARRAYS["b"].tobytes()
    assert weights_sha256(ARRAYS) == hashlib.sha256(text).hexdigest()
    big = {name: array.astype(array.dtype.newbyteorder(">")) for name, array in ARRAYS.items()}
    assert weights_sha256(big) == weights_sha256(ARRAYS)
    assert weights_sha256({"a": ARRAYS["a"], "b": ARRAYS["b"].reshape(3, 2)}) != weights_sha256(ARRAYS)


def test_bytes_of_something_else_are_refused() -> None:
    with pytest.raises(NoUsableCheckpoint):
        decode(b"something else entirely")
