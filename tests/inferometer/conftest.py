"""One embedded store for all tests that can share one: a start costs more than most of them."""

from collections.abc import Iterator

import pytest

from telemetry.testing.store_process import StoreProcess


@pytest.fixture(scope="session")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreProcess]:
    with StoreProcess(tmp_path_factory.mktemp("shared") / "data") as running:
        yield running
