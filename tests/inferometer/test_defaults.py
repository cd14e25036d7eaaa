"""The fixed numbers, against the lines that fix them."""

from inferometer import defaults


def test_ports_are_those_of_the_design() -> None:
    assert (defaults.TEE_PORT, defaults.SERVE_PORT, defaults.STORE_PORT) == (8100, 8200, 8300)
    assert defaults.TARGET_PORTS == (8000, 30000, 8080, 23333, 11434)


def test_descriptors_are_three_per_connection() -> None:
    # spec/reliability.md 4.1: "fd limit checked at start: >= 3x"
    assert defaults.DESCRIPTORS_WANTED == 3 * defaults.CONNECTIONS_MAX
    assert defaults.BACKLOG == 4096
