from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry import guard
from telemetry.fetch_error import Fault, FetchError
from telemetry.guard import ENGINE, HOST_CHARS_MAX, PORT_MAX, PUBLIC, Place, Policy, allowed, is_allowed, place

DENIED = [
    "169.254.169.254",
    "169.254.0.1",
    "100.100.100.200",
    "0.0.0.0",
    "0.1.2.3",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::ffff:169.254.169.254",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "::8.8.8.8",
    "64:ff9b::169.254.169.254",
    "64:ff9b:1::8.8.8.8",
    "2001:0:1::1",
    "2002:a9fe:a9fe::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "2606:4700::1111%eth0",
    "fec0::1",
    "ff02::1",
]
LOCAL = ["127.0.0.1", "127.8.8.8", "10.0.0.1", "172.31.0.1", "192.168.1.1", "100.64.0.1", "::1", "fd12::1"]
GLOBAL = ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "64:ff9b::8.8.8.8"]


@pytest.mark.parametrize("text", DENIED)
def test_some_addresses_are_denied_to_all(text: str) -> None:
    everything = Policy(local=True, networks=(ip_network("0.0.0.0/0"), ip_network("::/0")), ports=None)

    assert not is_allowed(ip_address(text), everything)


@pytest.mark.parametrize("text", LOCAL)
def test_what_is_near_is_for_engines_only(text: str) -> None:
    address = ip_address(text)

    assert (True, False) == (is_allowed(address, ENGINE), is_allowed(address, PUBLIC))


@pytest.mark.parametrize("text", GLOBAL)
def test_what_is_public_is_for_everybody(text: str) -> None:
    address = ip_address(text)

    assert (True, True) == (is_allowed(address, ENGINE), is_allowed(address, PUBLIC))


@pytest.mark.parametrize("text", ["10.1.0.7", "192.0.2.7"], ids=["private", "documentation, neither near nor public"])
def test_a_range_that_is_named_is_allowed(text: str) -> None:
    named = Policy(networks=(ip_network("10.1.0.0/16"), ip_network("192.0.2.0/24")))

    assert (False, True) == (is_allowed(ip_address(text), PUBLIC), is_allowed(ip_address(text), named))
    assert not is_allowed(ip_address("10.2.0.7"), named)


@given(st.ip_addresses(v=4))
def test_an_address_in_other_clothes_is_never_allowed_more_than_itself(plain: object) -> None:
    translated = ip_address(f"64:ff9b::{plain}")

    assert is_allowed(ip_address(str(plain)), ENGINE) == is_allowed(translated, ENGINE)
    assert not is_allowed(ip_address(f"::ffff:{plain}"), ENGINE)


def test_one_bad_answer_denies_the_name() -> None:
    with pytest.raises(FetchError, match=r"169\.254\.169\.254") as caught:
        allowed([ip_address("8.8.8.8"), ip_address("169.254.169.254")], PUBLIC)

    assert Fault.GUARDED == caught.value.kind


def test_a_name_without_an_answer_is_no_address() -> None:
    with pytest.raises(FetchError) as caught:
        allowed([], ENGINE)

    assert Fault.DNS == caught.value.kind


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://example.org", Place(scheme="http", host="example.org", port=80, path="/")),
        ("https://Example.ORG./a?b=c#d", Place(scheme="https", host="example.org", port=443, path="/a?b=c")),
        ("HTTP://127.0.0.1:8000/x", Place(scheme="http", host="127.0.0.1", port=8000, path="/x")),
        ("http://[::1]:9/", Place(scheme="http", host="::1", port=9, path="/")),
        ("http://localhost.:11434", Place(scheme="http", host="localhost", port=11434, path="/")),
        ("http://my_engine-0.svc/", Place(scheme="http", host="my_engine-0.svc", port=80, path="/")),
    ],
)
def test_a_url_is_read(url: str, expected: Place) -> None:
    found = place(url, ENGINE)

    assert expected == Place(scheme=found.scheme, host=found.host, port=found.port, path=found.path)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://example.org/", "example.org"),
        ("http://example.org:8080/", "example.org:8080"),
        ("https://example.org:443/", "example.org"),
        ("http://[::1]:8000/", "[::1]:8000"),
        ("http://[::1]/", "[::1]"),
    ],
)
def test_the_host_header_is_the_name_that_was_written(url: str, expected: str) -> None:
    assert expected == place(url, ENGINE).authority


@pytest.mark.parametrize(
    "url",
    [
        "http://2852039166/",
        "http://0251.0376.0251.0376/",
        "http://0xA9FEA9FE/",
        "http://0x7f.1/",
        "http://127.1/",
        "http://127.0.0.01/",
        "http://example.0x/",
        "http://[::ffff:169.254.169.254]/",
        "http://[::ffff:a9fe:a9fe]/",
        "http://[fe80::1%25eth0]/",
        "http://[v1.x]/",
        "http://[::1/",
        "http://169.254.169.254/latest/meta-data",
        "http://169.254.169.254./",
        "http://user@example.org/",
        "http://user:secret@127.0.0.1/",
        "http://@127.0.0.1/",
        "ftp://example.org/",
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
        "//example.org/",
        "http:///nothing",
        "http://./",
        "http://localhost../",
        "http://a..b/",
        "http://exa mple.org/",
        "http://example.org/\r\nX-Header: 1",
        "http://example.org\\@127.0.0.1/",
        "http://\uff11\uff12\uff17.0.0.1/",
        "http://%31%32%37.0.0.1/",
        "http://127.0.0.1:0/",
        "http://127.0.0.1:65536/",
        "http://127.0.0.1:port/",
    ],
)
def test_a_url_that_could_mean_something_else_is_refused(url: str) -> None:
    with pytest.raises(FetchError) as caught:
        place(url, ENGINE)

    assert Fault.GUARDED == caught.value.kind
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("port", "policy", "expected"),
    [
        (80, PUBLIC, True),
        (443, PUBLIC, True),
        (7999, PUBLIC, False),
        (8000, PUBLIC, True),
        (8999, PUBLIC, True),
        (9000, PUBLIC, False),
        (22, PUBLIC, False),
        (9000, Policy(ports=frozenset({9000})), True),
        (22, ENGINE, True),
        (PORT_MAX, ENGINE, True),
        (PORT_MAX + 1, ENGINE, False),
    ],
)
def test_a_port_is_usual_or_named(port: int, policy: Policy, expected: bool) -> None:
    try:
        place(f"http://8.8.8.8:{port}/", policy)
    except FetchError:
        found = False
    else:
        found = True

    assert expected == found


def test_a_host_is_as_long_as_a_name_may_be() -> None:
    label = "a" * (HOST_CHARS_MAX - 2) + ".b"

    assert label == place(f"http://{label}/", PUBLIC).host
    with pytest.raises(FetchError):
        place(f"http://a{label}/", PUBLIC)


def test_every_denied_range_is_one_that_a_test_names() -> None:
    addresses = [ip_address(text.partition("%")[0]) for text in DENIED]

    untested = [str(network) for network in guard.NEVER if not any(address in network for address in addresses)]

    assert untested == []
