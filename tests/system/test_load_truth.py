"""True time: what the client says is held to the server's own stamps, also while the client is stopped on purpose.

Absolute times belong to a quiet machine (`python -m benchmarks.loadclient`); here they are printed, and what holds on
any machine is asserted: the kernel's stamp is nearer to the truth than the instant of the read.
"""

import pytest

from benchmarks.loadclient import TRUTHS, felt_stall, truth

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]


@pytest.mark.parametrize("case", TRUTHS)
def test_five_thousand_chunks_a_second_are_told_truly_by_one_core(case: str) -> None:
    found = truth(case)
    print(case, {name: round(ms, 3) for name, ms in found.items()})

    for q in (50, 99):
        assert found[f"stamp error p{q}"] <= found[f"error of a read without kernel stamps p{q}"]
    if case == "stalled":  # each gap is longer than a stop, so no two chunks of a stream are one read
        assert found["stamp error p50"] < found["error of a read without kernel stamps p99"] / 5


def test_nobody_is_left_out_who_arrives_while_the_server_stands_still() -> None:
    ours, waiting = (felt_stall(name) for name in ("inferometer", "Locust FastHttpUser"))
    print(f"40 were due while the server stood still for 2 s: {ours} felt it, of users who wait {waiting}")

    assert ours is not None
    assert waiting is not None
    assert ours > waiting
