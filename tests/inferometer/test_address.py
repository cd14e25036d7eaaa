"""What may stand for a target, and which binds other machines reach."""

import pytest

from inferometer.address import Address, is_loopback, target_address


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        pytest.param("http://host:8000", ("host", 8000), id="host and port"),
        pytest.param("http://10.0.0.1:8000/v1", ("10.0.0.1", 8000), id="the base_url of a client"),
        pytest.param("http://host", ("host", 80), id="the port of http by default"),
        pytest.param("http://[::1]:9", ("::1", 9), id="IPv6 in brackets"),
    ],
)
def test_a_target_names_host_and_port(url: str, expected: tuple[str, int]) -> None:
    address = target_address(url)

    assert expected == (address.host, address.port)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        pytest.param("https://host:8000", "ends no TLS", id="TLS"),
        pytest.param("host:8000", "allowed: http://HOST:PORT", id="no scheme"),
        pytest.param("http://", "allowed: http://HOST:PORT", id="no host"),
        pytest.param("http://host:99999", "out of range", id="port out of range"),
        pytest.param("http://host:0", "port 0", id="port 0"),
        pytest.param("http://host:x", "allowed: http://HOST:PORT", id="port is no number"),
        pytest.param("http://user:key@host:1", "allowed: http://HOST:PORT", id="a key in the URL"),
        pytest.param("http://host:1/metrics", "allowed: http://HOST:PORT", id="a path"),
        pytest.param("http://host:1?x=1", "allowed: http://HOST:PORT", id="a query"),
    ],
)
def test_anything_else_is_refused_with_what_is_allowed(url: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        target_address(url)


def test_an_address_is_written_as_in_a_url() -> None:
    assert str(Address(host="::1", port=9)) == "[::1]:9"
    assert Address(host="h", port=9).url == "http://h:9"


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("h", False)],
)
def test_only_loopback_counts_as_unreachable_from_outside(host: str, expected: bool) -> None:
    assert expected is is_loopback(host)
