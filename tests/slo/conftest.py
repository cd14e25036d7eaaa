"""One embedded store for the tests that count objectives."""

from collections.abc import Iterator

import pytest
from panel_rig import PanelRig, panel_rig

from telemetry.store import Store
from telemetry.testing.store_process import StoreProcess


@pytest.fixture(scope="session")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreProcess]:
    with StoreProcess(tmp_path_factory.mktemp("slo") / "data") as running:
        yield running


@pytest.fixture
def writer(process: StoreProcess) -> Iterator[Store]:
    client = process.store("writer")
    yield client
    client.close()


@pytest.fixture
def reader(process: StoreProcess) -> Iterator[Store]:
    client = process.store("reader")
    yield client
    client.close()


@pytest.fixture(scope="session")
def past(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PanelRig]:
    """A store of its own with an hour that is known."""
    with panel_rig(tmp_path_factory.mktemp("panels")) as rig:
        yield rig
