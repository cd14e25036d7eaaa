from ipaddress import ip_address

import pytest

from loadtest.errors import TargetError
from loadtest.target import must_be_allowed, target
from telemetry.guard import Address

LOOPBACK, PRIVATE, PUBLIC, METADATA = map(ip_address, ("127.0.0.1", "10.0.0.5", "1.1.1.1", "169.254.169.254"))


@pytest.mark.parametrize(
    ("url", "name", "base"),
    [
        ("http://127.0.0.1:8000", "127.0.0.1:8000", ""),
        ("http://127.0.0.1:8000/v1/", "127.0.0.1:8000", ""),
        ("https://api.example.org", "api.example.org:443", ""),
        ("https://api.example.org/tenant/v1", "api.example.org:443", "/tenant"),
    ],
)
def test_a_url_names_a_target(url: str, name: str, base: str) -> None:
    found = target(url)

    assert (name, base) == (found.name, found.base)


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://a", "http://u:p@a", "http://169.254.169.254", "http://a b"])
def test_what_is_no_target_is_refused(url: str) -> None:
    with pytest.raises(TargetError, match="allowed"):
        target(url)


@pytest.mark.parametrize(
    ("url", "addresses", "allowed"),
    [
        ("http://localhost:8000", [LOOPBACK], []),
        ("http://127.0.0.1:8000", [LOOPBACK], []),
        ("http://gpu-box:8000", [PRIVATE], ["gpu-box"]),
        ("http://gpu-box:8000", [PRIVATE], ["gpu-box:8000"]),
        ("https://api.example.org", [PUBLIC], ["api.example.org"]),
    ],
)
def test_what_may_be_loaded(url: str, addresses: list[Address], allowed: list[str]) -> None:
    must_be_allowed(target(url), addresses, allowed)


@pytest.mark.parametrize(
    ("url", "addresses", "allowed"),
    [
        ("http://gpu-box:8000", [PRIVATE], []),
        ("http://gpu-box:8000", [PRIVATE], ["gpu-box:8001"]),
        ("http://gpu-box:8000", [LOOPBACK, PRIVATE], []),  # one address of two is elsewhere
        ("http://gpu-box:8000", [METADATA], ["gpu-box"]),  # a name proves nothing
        ("http://gpu-box:8000", [], ["gpu-box"]),
        ("https://api.example.org", [PUBLIC], ["example.org"]),
    ],
)
def test_what_may_not_be_loaded(url: str, addresses: list[Address], allowed: list[str]) -> None:
    with pytest.raises(TargetError):
        must_be_allowed(target(url), addresses, allowed)
