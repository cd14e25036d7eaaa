"""The fixed numbers, against the lines that fix them."""

from inferometer import defaults
from telemetry.spool import SpoolLimits
from telemetry.spool_keeper import SEGMENTS_KEPT_MIN


def test_ports_are_those_of_the_design() -> None:
    assert (defaults.TEE_PORT, defaults.SERVE_PORT, defaults.STORE_PORT) == (8100, 8200, 8300)
    assert defaults.TARGET_PORTS == (8000, 30000, 8080, 23333, 11434)


def test_descriptors_are_three_per_connection() -> None:
    # spec/reliability.md 4.1: "fd limit checked at start: >= 3x"
    assert defaults.DESCRIPTORS_WANTED == 3 * defaults.CONNECTIONS_MAX
    assert defaults.BACKLOG == 4096


def test_the_quota_of_the_spool_holds_the_segments_that_are_always_kept() -> None:
    assert defaults.SPOOL_BYTES_MIN == SEGMENTS_KEPT_MIN * SpoolLimits().segment_bytes_max
