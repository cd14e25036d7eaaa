"""Fixtures of several rooms: a certificate."""

import subprocess
from pathlib import Path

import pytest


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
