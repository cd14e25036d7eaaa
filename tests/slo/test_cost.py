"""What tokens cost, by the specification's values, and parts that multiply to the whole."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slo.cost import HEADROOM, RHO_MAX, Capacity, Span, change, usd_per_mtok

SPAN_S = 28_800.0
POSITIVE = st.floats(0.01, 1e6)


def span(replicas: float, needed: int, work: float, tokens: float, price: float = 8.0, speed: float = 1.0) -> Span:
    return Span(
        usd_per_replica_hour=price,
        replicas=replicas,
        needed=needed,
        work_s=work,
        tokens=tokens,
        span_s=SPAN_S,
        speed_ratio=speed,
    )


@pytest.mark.parametrize(
    ("usd_per_hour", "tokens_per_s", "expected"),
    [
        (2.00, 120, 4.63),
        (2.00, 200, 2.78),
        (2.60, 120, 6.02),
        (2.60, 200, 3.61),
        (2.00, 550, 1.01),
        (2.00, 2_700, 0.21),
    ],
)
def test_a_gpu_at_full_use(usd_per_hour: float, tokens_per_s: float, expected: float) -> None:
    assert expected == round(usd_per_mtok(usd_per_hour, 3_600, tokens_per_s * 3_600), 2)


def test_a_tenth_of_the_use_costs_nine_times_as_much_as_nine_tenths() -> None:
    assert usd_per_mtok(2, 3_600, 0.1) / usd_per_mtok(2, 3_600, 0.9) == pytest.approx(9)


def test_engine_seconds_and_replicas_needed() -> None:
    # scaling.md 5: I' 1,020 at 9,000/s and 129 tokens at T(32) = 36.9 ms of 32 are 0.2621 s; 3.24 a second fill one.
    capacity = Capacity(prefill_tokens_per_s=9_000, decode_tokens_per_s=32 / 0.0369, headroom=1.0)
    work_s = capacity.work_s(1_020, 129)

    assert work_s == pytest.approx(0.2621, abs=1e-4)
    assert (1, 2) == (capacity.needed(work_s * 3.24, 1), capacity.needed(work_s * 3.25, 1))
    assert Capacity(prefill_tokens_per_s=1, decode_tokens_per_s=1, replicas_min=3).needed(0, 60) == 3


def test_a_replica_s_time_is_planned_with_headroom() -> None:
    capacity = Capacity(prefill_tokens_per_s=1, decode_tokens_per_s=1)

    # scaling.md 6: h 1.24, rho_max 0.85
    assert (1.24, 0.85) == (HEADROOM, RHO_MAX)
    assert 15 == capacity.needed(10 * 60, 60), "1.24 * 10 / 0.85 is 14.6"


@pytest.mark.parametrize("name", ["prefill_tokens_per_s", "decode_tokens_per_s", "headroom", "rho_max"])
def test_a_capacity_that_can_do_nothing_is_refused(name: str) -> None:
    numbers = {"prefill_tokens_per_s": 1.0, "decode_tokens_per_s": 1.0}
    for wrong in (0.0, -1.0):
        with pytest.raises(ValueError, match="can do nothing"):
            Capacity(**{**numbers, name: wrong})  # type: ignore[arg-type]  # of the floats that it takes
    with pytest.raises(ValueError, match="can do nothing"):
        Capacity(**numbers, replicas_min=-1)


def test_a_quiet_night_is_the_floor_s_doing_and_information() -> None:
    # scaling.md 9.4: W -25 %, N stays 6, Nn 6 -> 5, mix +5 %
    found = change(span(6, 6, 1_000, 1_000), span(6, 5, 750, 750 / 1.05))

    assert [round(found.parts[name], 3) for name in ("floor", "scaling", "mix")] == [1.111, 1.2, 1.05]
    assert (1.40, 1.26) == (round(found.ratio, 2), round(found.own_ratio, 2))
    assert next(iter(found.parts)) == "scaling"


def test_replicas_that_nobody_needs_are_one_s_own_doing() -> None:
    found = change(span(6, 6, 1_000, 1_000), span(8, 6, 1_000, 1_000 / 1.05))

    assert (1.40, 1.40) == (round(found.ratio, 2), round(found.own_ratio, 2))
    assert next(iter(found.parts)) == "scaling"


def test_a_price_and_a_slower_engine_are_parts_of_their_own() -> None:
    dearer = change(span(6, 6, 1_000, 1_000), span(6, 6, 1_000, 1_000, price=12.0))
    slower = change(span(6, 6, 1_000, 1_000), span(8, 8, 1_333, 1_000, speed=0.75))

    assert (1.5, "price") == (round(dearer.own_ratio, 6), next(iter(dearer.parts)))
    assert slower.parts["speed"] == pytest.approx(4 / 3)
    assert slower.own_ratio == pytest.approx(4 / 3, rel=1e-3)


@given(
    replicas=st.tuples(POSITIVE, POSITIVE),
    needed=st.tuples(st.integers(1, 99), st.integers(1, 99)),
    work=st.tuples(POSITIVE, POSITIVE),
    tokens=st.tuples(POSITIVE, POSITIVE),
    speed=st.tuples(st.floats(0.5, 2), st.floats(0.5, 2)),
)
def test_the_parts_multiply_to_the_change_of_the_bill_over_the_tokens(
    replicas: tuple[float, float],
    needed: tuple[int, int],
    work: tuple[float, float],
    tokens: tuple[float, float],
    speed: tuple[float, float],
) -> None:
    before, now = (span(*each[:4], speed=each[4]) for each in zip(replicas, needed, work, tokens, speed, strict=True))
    found = change(before, now)

    assert found.ratio == pytest.approx(now.usd_per_mtok / before.usd_per_mtok)
    assert math.prod(found.parts.values()) == pytest.approx(found.ratio)
