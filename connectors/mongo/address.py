"""Where a deployment is and how it is reached -> a client of the driver, not connected yet."""

from __future__ import annotations

import re
from typing import Any

from pymongo import MongoClient
from pymongo.errors import ConfigurationError, InvalidURI

from connectors.mongo.settings import MongoSettings
from streamtrain.errors import ConfigError

_SECONDS = 1_000
_MISPLACED = re.compile(r"//[^/?#]*[/?#].*@", re.DOTALL)
"""An @ behind the hosts: what stands there as a host, and could be shown as one, is of a password with a / or ? in it."""


def driver(settings: MongoSettings) -> MongoClient[Any]:
    """Raises ConfigError, which has nothing of what the driver says, nor of the URL: either may show parts of the password."""
    amiss = "source.url, with source.tls, is not the address of a MongoDB deployment"
    tls = settings.tls.mongo_options("source.tls")
    try:
        if not _MISPLACED.search(settings.url):
            return MongoClient(
                settings.url,
                serverSelectionTimeoutMS=int(settings.timeout_s * _SECONDS),
                connectTimeoutMS=int(settings.timeout_s * _SECONDS),
                socketTimeoutMS=int(settings.silence_s * _SECONDS),
                retryReads=False,
                appname="streamtrain",
                **tls,
            )
    except OSError as error:
        amiss = f"a file of source.tls, or of options of source.url, cannot be used: {error.strerror}"
    except (ConfigurationError, InvalidURI, ValueError, TypeError):
        pass
    # Not within an ``except``, whose error would be this one's context.
    raise ConfigError(
        amiss,
        hint="write it as mongodb://user:password@host:port/?replicaSet=rs0, with special characters of user and password "
        "percent-encoded: / as %2F, @ as %40; source.tls names PEM files that this process may read",
    )
