"""Registries: a small one in this process, and a real one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers.apicurio import PrivateApicurio
from tests.servers.registry import SmallRegistry


@pytest.fixture
def small_registry() -> Iterator[SmallRegistry]:
    with SmallRegistry() as registry:
        yield registry


@pytest.fixture(scope="session")
def apicurio() -> Iterator[PrivateApicurio]:
    with PrivateApicurio() as registry:
        yield registry


@pytest.fixture(params=["small", "apicurio"])
def registry_url(request: pytest.FixtureRequest) -> str:
    """The API of each registry in turn."""
    name = {"small": "small_registry", "apicurio": "apicurio"}[request.param]
    registry: SmallRegistry | PrivateApicurio = request.getfixturevalue(name)
    return registry.url
