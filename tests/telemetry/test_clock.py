from telemetry import clock
from telemetry.clock import STEP_MS_MAX, WallAnchor

SECOND_NS = 1_000_000_000
ANCHOR = WallAnchor(unix_ms=1_700_000_000_000, at_ns=50 * SECOND_NS)


def test_a_monotonic_stamp_becomes_a_wall_time() -> None:
    assert ANCHOR.unix_ms_at(52 * SECOND_NS) == 1_700_000_002_000
    assert ANCHOR.unix_ms_at(49 * SECOND_NS) == 1_699_999_999_000


def test_clocks_that_go_together_have_not_stepped() -> None:
    later = WallAnchor(unix_ms=1_700_000_010_000, at_ns=60 * SECOND_NS)

    assert ANCHOR.step_ms(later) == 0


def test_a_wall_clock_set_back_an_hour_has_stepped() -> None:
    later = WallAnchor(unix_ms=1_700_000_010_000 - 3_600_000, at_ns=60 * SECOND_NS)

    assert ANCHOR.step_ms(later) == -3_600_000
    assert abs(ANCHOR.step_ms(later)) > STEP_MS_MAX


def test_an_anchor_reads_both_clocks() -> None:
    before_ms, before_ns = clock.wall_ms(), clock.monotonic_ns()
    anchor = WallAnchor.now()

    assert before_ms <= anchor.unix_ms <= clock.wall_ms()
    assert before_ns <= anchor.at_ns <= clock.monotonic_ns()
