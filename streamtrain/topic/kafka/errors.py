"""The one door at which Kafka's errors become ours. The map is total: a code that it does not name stops.

Codes: https://kafka.apache.org/protocol#protocol_error_codes; those that begin with ``_`` are librdkafka's own.
Retrying means: close, open anew, go on from the durable position. That is always safe, and heals whatever a new
connection, producer id or leader heals. So a code stops only if trying again cannot help.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from confluent_kafka import KafkaError, KafkaException

from streamtrain.errors import (
    AccessDenied,
    ConfigError,
    FatalError,
    FencedOut,
    PositionLost,
    StreamtrainError,
    TopicUnavailable,
)

Polled = TypeVar("Polled")


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


CODES: dict[type[StreamtrainError], frozenset[str]] = {
    TopicUnavailable: _names(
        """
        BROKER_NOT_AVAILABLE CONCURRENT_TRANSACTIONS COORDINATOR_LOAD_IN_PROGRESS COORDINATOR_NOT_AVAILABLE
        DUPLICATE_SEQUENCE_NUMBER ELIGIBLE_LEADERS_NOT_AVAILABLE FENCED_LEADER_EPOCH FETCH_SESSION_ID_NOT_FOUND
        INCONSISTENT_TOPIC_ID INVALID_FETCH_SESSION_EPOCH INVALID_MSG INVALID_PRODUCER_ID_MAPPING INVALID_TXN_STATE
        KAFKA_STORAGE_ERROR LEADER_NOT_AVAILABLE LISTENER_NOT_FOUND LOG_DIR_NOT_FOUND NETWORK_EXCEPTION
        NOT_CONTROLLER NOT_COORDINATOR NOT_ENOUGH_REPLICAS NOT_ENOUGH_REPLICAS_AFTER_APPEND NOT_LEADER_FOR_PARTITION
        OFFSET_NOT_AVAILABLE OPERATION_NOT_ATTEMPTED OUT_OF_ORDER_SEQUENCE_NUMBER PREFERRED_LEADER_NOT_AVAILABLE
        REASSIGNMENT_IN_PROGRESS REBALANCE_IN_PROGRESS REBOOTSTRAP_REQUIRED REPLICA_NOT_AVAILABLE REQUEST_TIMED_OUT
        STALE_BROKER_EPOCH STALE_CTRL_EPOCH THROTTLING_QUOTA_EXCEEDED TRANSACTION_ABORTABLE
        TRANSACTION_COORDINATOR_FENCED UNKNOWN UNKNOWN_CONTROLLER_ID UNKNOWN_LEADER_EPOCH UNKNOWN_PRODUCER_ID
        UNKNOWN_TOPIC_ID UNKNOWN_TOPIC_OR_PART UNSTABLE_OFFSET_COMMIT _ALL_BROKERS_DOWN _BAD_MSG _CRIT_SYS_RESOURCE
        _DESTROY_BROKER _FAIL _GAPLESS_GUARANTEE _INCONSISTENT _INTR _ISR_INSUFF _MSG_TIMED_OUT _NODE_UPDATE
        _OUTDATED _PARTIAL _PURGE_INFLIGHT _PURGE_QUEUE _QUEUE_FULL _RESOLVE _RETRY _SSL _TIMED_OUT _TIMED_OUT_QUEUE
        _TRANSPORT _UNDERFLOW _UNKNOWN_BROKER _UNKNOWN_PARTITION _UNKNOWN_TOPIC _WAIT_CACHE _WAIT_COORD
        """
    ),
    FencedOut: _names("INVALID_PRODUCER_EPOCH PRODUCER_FENCED _FENCED"),
    PositionLost: _names("OFFSET_OUT_OF_RANGE _AUTO_OFFSET_RESET _LOG_TRUNCATION _NO_OFFSET"),
    AccessDenied: _names(
        """
        CLUSTER_AUTHORIZATION_FAILED DELEGATION_TOKEN_AUTHORIZATION_FAILED DELEGATION_TOKEN_AUTH_DISABLED
        DELEGATION_TOKEN_EXPIRED DELEGATION_TOKEN_NOT_FOUND DELEGATION_TOKEN_OWNER_MISMATCH
        DELEGATION_TOKEN_REQUEST_NOT_ALLOWED GROUP_AUTHORIZATION_FAILED ILLEGAL_SASL_STATE INVALID_PRINCIPAL_TYPE
        PRINCIPAL_DESERIALIZATION_FAILURE SASL_AUTHENTICATION_FAILED SECURITY_DISABLED TOPIC_AUTHORIZATION_FAILED
        TOPIC_DELETION_DISABLED TRANSACTIONAL_ID_AUTHORIZATION_FAILED UNACCEPTABLE_CREDENTIAL
        UNSUPPORTED_SASL_MECHANISM _AUTHENTICATION
        """
    ),
    ConfigError: _names(
        """
        INVALID_CONFIG INVALID_GROUP_ID INVALID_PARTITIONS INVALID_REPLICATION_FACTOR INVALID_REPLICA_ASSIGNMENT
        INVALID_REQUIRED_ACKS INVALID_SESSION_TIMEOUT INVALID_TRANSACTION_TIMEOUT POLICY_VIOLATION TOPIC_EXCEPTION
        UNSUPPORTED_COMPRESSION_TYPE _INVALID_ARG _NOT_CONFIGURED
        """
    ),
    FatalError: _names(
        """
        DUPLICATE_RESOURCE DUPLICATE_VOTER ELECTION_NOT_NEEDED FEATURE_UPDATE_FAILED FENCED_INSTANCE_ID
        FENCED_MEMBER_EPOCH FENCED_STATE_EPOCH GROUP_ID_NOT_FOUND GROUP_MAX_SIZE_REACHED GROUP_SUBSCRIBED_TO_TOPIC
        ILLEGAL_GENERATION INCONSISTENT_GROUP_PROTOCOL INCONSISTENT_VOTER_SET INVALID_COMMIT_OFFSET_SIZE
        INVALID_MSG_SIZE INVALID_RECORD INVALID_RECORD_STATE INVALID_REGISTRATION INVALID_REGULAR_EXPRESSION
        INVALID_REQUEST INVALID_SHARE_SESSION_EPOCH INVALID_TIMESTAMP INVALID_UPDATE_VERSION INVALID_VOTER_KEY
        MEMBER_ID_REQUIRED MISMATCHED_ENDPOINT_TYPE MSG_SIZE_TOO_LARGE NON_EMPTY_GROUP NO_ERROR
        NO_REASSIGNMENT_IN_PROGRESS OFFSET_METADATA_TOO_LARGE RECORD_LIST_TOO_LARGE RESOURCE_NOT_FOUND
        SHARE_SESSION_LIMIT_REACHED SHARE_SESSION_NOT_FOUND STALE_MEMBER_EPOCH STREAMS_INVALID_TOPOLOGY
        STREAMS_INVALID_TOPOLOGY_EPOCH STREAMS_TOPOLOGY_FENCED TELEMETRY_TOO_LARGE TOPIC_ALREADY_EXISTS
        UNKNOWN_MEMBER_ID UNKNOWN_SUBSCRIPTION_ID UNRELEASED_INSTANCE_ID UNSUPPORTED_ASSIGNOR
        UNSUPPORTED_ENDPOINT_TYPE UNSUPPORTED_FOR_MESSAGE_FORMAT UNSUPPORTED_VERSION VOTER_NOT_FOUND _APPLICATION
        _ASSIGNMENT_LOST _ASSIGN_PARTITIONS _BAD_COMPRESSION _CONFLICT _DESTROY _EXISTING_SUBSCRIPTION _FATAL _FS
        _INVALID_DIFFERENT_RECORD _INVALID_TYPE _IN_PROGRESS _KEY_DESERIALIZATION _KEY_SERIALIZATION
        _MAX_POLL_EXCEEDED _NOENT _NOOP _NOT_IMPLEMENTED _PARTITION_EOF _PREV_IN_PROGRESS _READ_ONLY
        _REVOKE_PARTITIONS _STATE _UNKNOWN_GROUP _UNKNOWN_PROTOCOL _UNSUPPORTED_FEATURE _VALUE_DESERIALIZATION
        _VALUE_SERIALIZATION
        """
    ),
}

_CLASS_OF = {name: error for error, names in CODES.items() for name in names}

_HINTS: dict[type[StreamtrainError], str] = {
    TopicUnavailable: "check that the brokers of topic.bootstrap run and can be reached, and that topic.security fits the port",
    FencedOut: "only one connector may run with this name: stop the other one, or give this one another name",
    PositionLost: "the topic was made anew, or its retention removed records that were not read yet",
    AccessDenied: "check topic.security and the rights of its user",
    ConfigError: "check the topic settings",
    FatalError: "this is not expected: check the broker's log",
}

_HINTS_BY_CODE = {
    "CLUSTER_AUTHORIZATION_FAILED": "grant IDEMPOTENT_WRITE on the cluster, and CREATE if topics are to be created",
    "GROUP_AUTHORIZATION_FAILED": "grant READ on the consumer group 'streamtrain'; nothing is committed to it",
    "TOPIC_EXCEPTION": "where two topics collide: to Kafka '.' and '_' are one in names of topics, so leave one of the two tables "
    "out with source.exclude, or rename it",
    "TOPIC_AUTHORIZATION_FAILED": "grant READ, WRITE, DESCRIBE and DESCRIBE_CONFIGS on the topic, CREATE if it is missing",
    "TRANSACTIONAL_ID_AUTHORIZATION_FAILED": "grant WRITE and DESCRIBE on the transactional id that begins with 'streamtrain-'",
    "INVALID_RECORD": "the topic refuses records without a key: set cleanup.policy=delete on it",
    "INVALID_REPLICATION_FACTOR": "topic.replication is larger than the number of brokers",
    "MSG_SIZE_TOO_LARGE": "raise max.message.bytes of the topic; source.max_record_bytes goes on without such records",
    "INVALID_TRANSACTION_TIMEOUT": "raise transaction.max.timeout.ms on the broker",
    "UNKNOWN_TOPIC_OR_PART": "the connector creates topics: start it, or check topic.prefix",
    "UNSUPPORTED_VERSION": "the broker is too old: Kafka 2.5 or newer is needed",
    "_AUTHENTICATION": "check sasl.mechanism, sasl.username and sasl.password in topic.security",
    "_INVALID_ARG": "check topic.security: PEM files that this process may read, the key of the certificate, a mechanism "
    "among PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 and OAUTHBEARER",
    "_SSL": "check ssl.ca.location and whether the broker's port speaks TLS",
}

# Handshakes that fail again however often they are tried. librdkafka tells them by text alone, as _SSL or _TRANSPORT.
_HANDSHAKES = {
    "certificate verify failed": "set ssl.ca.location in topic.security to the authority that signed the broker's "
    "certificate. If it did: connect to the broker by a host name of its certificate, or set "
    "ssl.endpoint.identification.algorithm: none, which trusts every broker with a certificate of that authority",
    "SSL alert number": "the broker wants a certificate that it trusts: set ssl.certificate.location and ssl.key.location "
    "in topic.security",
}
_HANDSHAKE_CODES = frozenset({"_SSL", "_TRANSPORT"})


_NONE_IS_UP = "All brokers are currently fenced"
"""What a controller says of every number of replicas while the brokers have been started and have not caught up yet."""


def kind_of(error: KafkaError) -> type[StreamtrainError]:
    """Which of our errors a Kafka error is. Flags decide only about codes that this version does not know."""
    if error.name() == "INVALID_REPLICATION_FACTOR" and _NONE_IS_UP in error.str():
        return TopicUnavailable
    if _handshake_hint(error) is not None:
        return AccessDenied
    known = _CLASS_OF.get(error.name())
    if known is not None:
        return known
    return TopicUnavailable if error.retriable() or error.txn_requires_abort() else FatalError


def translate(error: KafkaError, doing: str, *, hint: str = "") -> StreamtrainError:
    """Our error for Kafka's. ``doing`` says what was attempted and where; librdkafka's text never holds a secret."""
    kind = kind_of(error)
    known = _handshake_hint(error) or _HINTS_BY_CODE.get(error.name()) or _HINTS[kind]
    return kind(f"{doing}: {error.str()} ({error.name()})", hint=hint or known)


def _handshake_hint(error: KafkaError) -> str | None:
    if error.name() not in _HANDSHAKE_CODES:
        return None
    text = error.str()
    return next((hint for said, hint in _HANDSHAKES.items() if said in text), None)


class Reports:
    """What one client tells outside its calls: lost brokers, refused logins, fatal errors (librdkafka's ``error_cb``).

    A refused login or handshake shows in the call itself as a time-out; ``cause`` finds the reason told beside it.
    """

    def __init__(self) -> None:
        self.latest: KafkaError | None = None
        self.decisive: KafkaError | None = None
        """What was told that no waiting mends."""

    def forget(self) -> None:
        """The broker has answered: what was told before is over."""
        self.latest = self.decisive = None

    def __call__(self, error: KafkaError) -> None:
        """Take in one report."""
        self.latest = error
        if self.decisive is None and (error.fatal() or kind_of(error) is AccessDenied):
            self.decisive = error

    def collect(self, poll: Callable[[float], Polled]) -> Polled | None:
        """Poll without waiting, so that what is to be told is told; what came with it.

        Most fatal errors are raised by polling instead of being told.
        """
        try:
            with called_back():
                return poll(0)
        except KafkaException as exception:
            self(exception.args[0])
            return None

    @property
    def hopeless(self) -> bool:
        """Whether something was told that no waiting mends."""
        return self.decisive is not None

    def cause(self, error: KafkaError) -> KafkaError:
        """Why a call failed: what was told, if it says more than ``error``."""
        return self.decisive or error


@contextmanager
def called_back() -> Iterator[None]:
    """Around what calls us back: the KafkaException that it meant to raise.

    confluent-kafka 2.16 keeps a fatal error to be raised and goes on to report messages, so that Python finds an error set
    where there should be none, and says so: ``SystemError: … returned a result with an exception set``, caused by the error.
    """
    try:
        yield
    except SystemError as broken:
        meant: BaseException | None = broken
        while meant is not None and not isinstance(meant, KafkaException):
            meant = meant.__cause__ or meant.__context__
        if meant is None:
            raise
        raise meant from None


@contextmanager
def kafka_errors(doing: str, reports: Reports | None = None) -> Iterator[None]:
    """Map every KafkaException raised inside."""
    try:
        yield
    except KafkaException as exception:
        error = exception.args[0]
        raise translate(reports.cause(error) if reports else error, doing) from exception
