"""A target is reached before anything is sent, or the reason is said."""

import socket
from pathlib import Path

import pytest
from secure_server import secure_server

from inferometer.errors import ConfigurationError, UnreachableError
from inferometer.load_target import first_model, reached
from loadtest.target import target
from telemetry.testing.endpoint import Endpoint
from telemetry.testing.steps import AwaitEnd, AwaitToken, Send

MODELS = b'HTTP/1.1 200 OK\r\nContent-Length: 25\r\n\r\n{"data": [{"id": "one"}]}'


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_target_that_is_not_there_is_noticed_before_anything_is_sent(scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    with pytest.raises(UnreachableError, match="does not answer"):
        reached(f"{scheme}://127.0.0.1:{port}", ())


def test_a_secure_target_is_asked_for_its_models(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with secure_server(certificate, MODELS) as (port, _):
        url = f"https://127.0.0.1:{port}/v1"
        with pytest.raises(UnreachableError, match="certificate"):
            reached(url, ())
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))  # what OpenSSL trusts by default

        assert "one" == first_model(reached(url, ()))


def test_the_models_are_asked_for_with_the_key(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("k\n")
    with Endpoint([AwaitToken(b"Authorization: Bearer k\r\n\r\n"), Send(MODELS), AwaitEnd()]) as endpoint:
        where = target("http://{}:{}".format(*endpoint.address))

        assert "one" == first_model(where, str(tmp_path / "key"))


def test_a_key_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"--key-file: .*key: No such file"):
        first_model(target("http://127.0.0.1:1"), str(tmp_path / "key"))
