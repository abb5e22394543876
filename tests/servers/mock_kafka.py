"""librdkafka's broker that answers with chosen errors, which a real one gives only after days, or under faults of its own.

A stand-in in the same process that speaks the protocol over a loopback port, shipped with the client: see ``rdkafka_mock.h``.
https://github.com/confluentinc/librdkafka/blob/master/src/rdkafka_mock.h
"""

from __future__ import annotations

import ctypes
from pathlib import Path
from types import TracebackType
from typing import Self

ADD_PARTITIONS_TO_TXN, END_TXN = 24, 26
"""Keys of requests: https://kafka.apache.org/protocol#protocol_api_keys."""

_PRODUCER = 0
_TEXT_BYTES = 512


class MockKafka:
    """One broker with the topics given, of one partition each."""

    def __init__(self, *topics: str) -> None:
        self._library = _library()
        said = ctypes.create_string_buffer(_TEXT_BYTES)
        settings = self._library.rd_kafka_conf_new()
        for name, value in ((b"test.mock.num.brokers", b"1"), (b"log_level", b"0")):
            self._library.rd_kafka_conf_set(settings, name, value, said, _TEXT_BYTES)
        self._client = self._library.rd_kafka_new(_PRODUCER, settings, said, _TEXT_BYTES)
        if not self._client:
            raise OSError(said.value.decode())
        self._cluster = self._library.rd_kafka_handle_mock_cluster(self._client)
        self._library.rd_kafka_mock_set_controller_id(self._cluster, 1)
        self.bootstrap: str = self._library.rd_kafka_mock_cluster_bootstraps(self._cluster).decode()
        for topic in topics:
            self._library.rd_kafka_mock_topic_create(self._cluster, topic.encode(), 1, 1)
        self._library.rd_kafka_mock_start_request_tracking(self._cluster)

    def answer(self, request: int, *errors: int) -> None:
        """Answer the next requests of this kind with these codes, one each."""
        codes = (ctypes.c_int * len(errors))(*errors)
        self._library.rd_kafka_mock_push_request_errors_array(
            self._cluster, ctypes.c_int16(request), len(errors), codes
        )

    def asked(self, request: int) -> int:
        """How many requests of this kind have come."""
        count = ctypes.c_size_t()
        requests = self._library.rd_kafka_mock_get_requests(self._cluster, ctypes.byref(count))
        keys = [self._library.rd_kafka_mock_request_api_key(requests[at]) for at in range(count.value)]
        self._library.rd_kafka_mock_request_destroy_array(requests, count)
        return keys.count(request)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._library.rd_kafka_destroy(self._client)


def _library() -> ctypes.CDLL:
    """The librdkafka that confluent-kafka has loaded into this process."""
    import confluent_kafka

    confluent_kafka.libversion()
    mapped = (line.split(maxsplit=5) for line in Path("/proc/self/maps").read_text(encoding="utf-8").splitlines())
    path = next(fields[5] for fields in mapped if len(fields) == 6 and "/librdkafka" in fields[5])
    library = ctypes.CDLL(path)
    pointer, text = ctypes.c_void_p, ctypes.c_char_p
    for function, result, arguments in (
        ("rd_kafka_new", pointer, (ctypes.c_int, pointer, text, ctypes.c_size_t)),
        ("rd_kafka_destroy", None, (pointer,)),
        ("rd_kafka_conf_new", pointer, ()),
        ("rd_kafka_conf_set", ctypes.c_int, (pointer, text, text, text, ctypes.c_size_t)),
        ("rd_kafka_handle_mock_cluster", pointer, (pointer,)),
        ("rd_kafka_mock_set_controller_id", None, (pointer, ctypes.c_int32)),
        ("rd_kafka_mock_cluster_bootstraps", text, (pointer,)),
        ("rd_kafka_mock_topic_create", ctypes.c_int, (pointer, text, ctypes.c_int, ctypes.c_int)),
        ("rd_kafka_mock_push_request_errors_array", None, (pointer, ctypes.c_int16, ctypes.c_size_t, pointer)),
        ("rd_kafka_mock_start_request_tracking", None, (pointer,)),
        ("rd_kafka_mock_get_requests", ctypes.POINTER(pointer), (pointer, pointer)),
        ("rd_kafka_mock_request_api_key", ctypes.c_int16, (pointer,)),
        ("rd_kafka_mock_request_destroy_array", None, (ctypes.POINTER(pointer), ctypes.c_size_t)),
    ):
        declared = getattr(library, function)
        declared.restype, declared.argtypes = result, arguments
    return library
