"""Fixtures: the fake driver, for this process and for others."""

import ctypes
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_gpus import FakeDriver, build


@pytest.fixture(scope="session")
def fake_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not shutil.which("cc"):
        pytest.skip("no C compiler for the fake driver")
    return build(tmp_path_factory.mktemp("nvml"))


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


@pytest.fixture
def driver_elsewhere(fake_library: Path, tmp_path: Path) -> Iterator[FakeDriver]:
    """The fake driver for child processes; whoever hangs in it is let go at the end."""
    driver = FakeDriver(fake_library, tmp_path / "control")
    yield driver
    driver.does()
