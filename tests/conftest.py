"""Fixtures of several rooms: a certificate, the fake driver for other processes."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_gpus import FakeDriver, build
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

# The same examples each time, and no clock: a busy machine fails no law. pytest --hypothesis-profile nightly looks on.
settings.register_profile("fast", derandomize=True, deadline=None, max_examples=50)
settings.register_profile("nightly", deadline=None, max_examples=1000)
settings.load_profile("fast")

# Files with a fixture of the session that takes seconds to make: one process runs them all, and makes it once.
TOGETHER = ("tests/system/test_ui_",)


class Together(LoadFileScheduling):
    """Hands out files, and some of them together."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return next((several for several in TOGETHER if file.startswith(several)), file)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Together | None:
    return Together(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of its own authority, for `probe.test` and 127.0.0.1; its key lies beside it."""
    directory = tmp_path_factory.mktemp("tls")
    names = "subjectAltName=DNS:probe.test,IP:127.0.0.1"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=probe.test"
    files = ["-keyout", "key.pem", "-out", "certificate.pem"]
    try:
        subprocess.run([*command.split(), *files, "-addext", names], cwd=directory, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    return directory / "certificate.pem"


@pytest.fixture(scope="session")
def fake_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not shutil.which("cc"):
        pytest.skip("no C compiler for the fake driver")
    return build(tmp_path_factory.mktemp("nvml"))


@pytest.fixture
def driver_elsewhere(fake_library: Path, tmp_path: Path) -> Iterator[FakeDriver]:
    """The fake driver for child processes; whoever hangs in it is let go at the end."""
    driver = FakeDriver(fake_library, tmp_path / "control")
    yield driver
    driver.does()
