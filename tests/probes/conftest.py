"""Fixtures: the fake driver in this process."""

import ctypes
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_gpus import FakeDriver


@pytest.fixture(scope="session")
def driver_here(fake_library: Path, tmp_path_factory: pytest.TempPathFactory) -> FakeDriver:
    """The fake driver in this process: loaded by path first, so that the binding finds it by its soname."""
    driver = FakeDriver(fake_library, tmp_path_factory.mktemp("control") / "here")
    os.environ["FAKE_NVML"] = driver.environment["FAKE_NVML"]
    ctypes.CDLL(str(fake_library))
    return driver


@pytest.fixture
def driver(driver_here: FakeDriver) -> Iterator[FakeDriver]:
    driver_here.does()
    yield driver_here
    driver_here.does()
