"""Networks that every test of a pass runs over."""

from __future__ import annotations

import pytest
from fixtures.small_networks import SPECS, Network, make_networks


@pytest.fixture(scope="session")
def networks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Network]:
    return make_networks(tmp_path_factory.mktemp("networks"))


@pytest.fixture(params=list(SPECS))
def network(request: pytest.FixtureRequest, networks: dict[str, Network]) -> Network:
    return networks[request.param]
