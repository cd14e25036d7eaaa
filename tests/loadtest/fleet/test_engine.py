"""Says how long a step takes, and which engines are refused."""

from dataclasses import replace

import pytest
from engines import PLAIN

from loadtest.fleet.engine import SEQS_MAX, Engine

H100_TP4 = Engine(
    alpha_s=0.0214, beta_s=0.000484, gamma_s=0.0, prefill_s=1 / 9000, hidden_s=0.0214, kv_blocks=7500, seqs_max=256
)


@pytest.mark.parametrize(
    ("batch", "prompt_tokens", "step_s"),
    [(32, 0, 0.0369), (64, 0, 0.0524), (0, 90, 0.0214), (0, 900, 0.1)],
    ids=["32 decode: spec 5", "64 decode: spec 5", "a short prompt hides behind the weights", "a long one does not"],
)
def test_step(batch: int, prompt_tokens: int, step_s: float) -> None:
    assert step_s == pytest.approx(H100_TP4.step_s(batch, 1020.0, prompt_tokens), rel=0.001)


def test_what_follows_from_it() -> None:
    assert (120_000, 9000.0) == (H100_TP4.kv_tokens, pytest.approx(H100_TP4.prefill_tokens_per_s))
    assert float("inf") == replace(H100_TP4, prefill_s=0.0).prefill_tokens_per_s
    assert 0.0024 == pytest.approx(replace(PLAIN, request_s=0.0012).step_s(8, 0.0, 0, 2) - PLAIN.step_s(8))
    assert 2 * H100_TP4.step_s(32, 100.0, 2000) == pytest.approx(H100_TP4.slowed(2.0).step_s(32, 100.0, 2000))


@pytest.mark.parametrize(
    "wrong",
    [
        {"alpha_s": 0.0},
        {"gamma_s": -1.0},
        {"front_s": -1.0},
        {"seqs_max": 0},
        {"seqs_max": 1001},
        {"seqs_max": SEQS_MAX + 1, "batched_tokens_max": SEQS_MAX + 1},
        {"kv_blocks": 0},
        {"block_tokens": 0},
    ],
    ids=str,
)
def test_an_engine_that_cannot_step_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"found .*, allowed"):
        replace(PLAIN, **wrong)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] -- a table of fields


def test_the_largest_batch_is_allowed() -> None:
    assert SEQS_MAX == replace(PLAIN, seqs_max=SEQS_MAX, batched_tokens_max=SEQS_MAX).seqs_max
