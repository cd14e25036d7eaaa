"""What an engine is asked over a real socket, and what it is then called."""

import pytest
from exposed_engine import NOT_FOUND, engine, log

from inferometer.address import Address
from inferometer.engine import UNKNOWN, asked, name
from telemetry.testing.endpoint import Endpoint


def said(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


def models(owner: str) -> dict[str, bytes]:
    return {"GET /v1/models": said(b'{"data": [{"id": "tiny", "owned_by": "%s"}]}' % owner.encode())}


def at(endpoint: Endpoint) -> Address:
    host, port = endpoint.address
    return Address(host=host, port=port)


def test_a_vllm_is_recognised_without_its_metrics_page() -> None:
    with engine({**models("vllm"), "GET /version": said(b'{"version": "0.32.0"}'), "GET /health": said(b"")}) as stub:
        found = asked(at(stub))
        lines = log(stub, 3)

    assert found is not None
    assert (name(found), found.version, found.models, found.healthy) == ("vllm", "0.32.0", ("tiny",), True)
    assert lines == ["GET /version", "GET /v1/models", "GET /health"]


def test_a_trt_llm_is_never_asked_for_what_reading_removes() -> None:
    with engine(models("tensorrt_llm")) as stub:
        found = asked(at(stub))
        lines = log(stub, 3)

    assert found is not None
    assert (name(found), found.healthy, found.metrics_path) == ("trt-llm", None, "/prometheus/metrics")
    assert "GET /metrics" not in lines


@pytest.mark.parametrize("owner", ["me", ""])
def test_an_engine_that_does_not_tell_is_called_by_its_protocol(owner: str) -> None:
    with engine(models(owner)) as stub:
        found = asked(at(stub))

    assert found is not None
    assert (name(found), found.models) == (UNKNOWN, ("tiny",))


def test_the_key_is_shown_and_nobody_is_nothing() -> None:
    with engine({}, NOT_FOUND) as stub:
        assert asked(at(stub), "sesame") is not None
        heads = [seen.received for seen in stub.transcripts(1)]
        gone = at(stub)

    assert all(b"Authorization: Bearer sesame\r\n" in head for head in heads)
    assert asked(gone) is None
