"""The servers of docker-compose.yml as private ones, started once for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.deploy.broker import ComposedKafka
from tests.deploy.database import SERVICE, set_up
from tests.servers.mysql import PrivateMySQL


@pytest.fixture(scope="package")
def server() -> Iterator[PrivateMySQL]:
    """A MySQL with the flags of the compose file, set up by init.sh."""
    with PrivateMySQL(*SERVICE["command"]) as private:
        set_up(private)
        yield private


@pytest.fixture(scope="package")
def broker() -> Iterator[ComposedKafka]:
    """A Kafka with the variables of the compose file."""
    with ComposedKafka() as private:
        yield private
