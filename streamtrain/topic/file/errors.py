"""The door at which the operating system's errors become ours."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from streamtrain.errors import AccessDenied, ConfigError, FatalError, StreamtrainError, TopicUnavailable

_DENIED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_WRONG_PATH = frozenset({errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP})


@contextmanager
def os_errors(doing: str) -> Iterator[None]:
    """Map every OSError raised inside: AccessDenied, ConfigError (not a usable path) or else TopicUnavailable."""
    try:
        yield
    except OSError as error:
        raise _translate(error, doing) from error


def _translate(error: OSError, doing: str) -> StreamtrainError:
    message = f"{doing}: {error.strerror or error}"
    if error.errno in _DENIED:
        return AccessDenied(message, hint="give this user the right to read and write topic.directory")
    if error.errno in _WRONG_PATH:
        return ConfigError(message, hint="topic.directory must name a directory, or a path at which one can be made")
    if error.errno in _FULL:
        return TopicUnavailable(message, hint="free space on the disk of topic.directory")
    return TopicUnavailable(message, hint="check the disk of topic.directory")


def damaged(path: object, at: int, what: str) -> FatalError:
    """The error for bytes that were committed and do not read back."""
    return FatalError(
        f"{path} is damaged at byte {at}: {what}",
        hint="restore the topic directory from a copy, or begin a new one and snapshot the source again",
    )
