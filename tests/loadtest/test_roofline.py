"""The roofline: every row of the table of spec/loadtest.md 15 to 1 %, the walls, and the fit."""

from dataclasses import replace

import pytest

from loadtest.presets import KNOWN, Known
from loadtest.roofline import (
    H100,
    H200,
    LLAMA_8B,
    LLAMA_70B,
    REMEDIES,
    SCHEDULER_BATCH,
    SCHEDULER_RATIO,
    Device,
    Experts,
    Mix,
    Model,
    Setup,
    Wall,
    expected,
    fitted_mbu,
    fitted_mfu,
    kv_token_bytes,
    measured_wall,
)

EVEN = Mix(tokens_in=1000, tokens_out=1000)
BF16_8B = Setup(model=LLAMA_8B, device=H100)
FP8_8B = Setup(model=LLAMA_8B, device=H100, weight_bytes=1)
FP8_70B = Setup(model=LLAMA_70B, device=H100, gpus=2, weight_bytes=1, kv_bytes=1)
ONE_CARD = Setup(model=LLAMA_70B, device=H100, weight_bytes=1, memory_ratio=0.94)
TABLE = [
    pytest.param(
        BF16_8B,
        Mix(tokens_in=1024, tokens_out=128, context=512, concurrency=1),
        (833, 1, 6.88, 145, 33.8, 140),
        id="8B bf16, one request",
    ),
    pytest.param(replace(FP8_8B, max_num_seqs=256), EVEN, (325, 256, 24.89, 10_286, 16.5, 8_794), id="8B, bf16 KV"),
    pytest.param(
        replace(FP8_8B, device=H200, max_num_seqs=256), EVEN, (604, 256, 17.37, 14_738, 16.5, 11_856), id="8B on H200"
    ),
    pytest.param(replace(FP8_8B, kv_bytes=1), EVEN, (650, 650, 30.67, 21_191, 16.5, 15_702), id="8B, fp8 KV"),
    pytest.param(replace(FP8_70B, max_num_seqs=128), EVEN, (298, 128, 21.76, 5_882, 72.0, 4_132), id="70B on two"),
    pytest.param(FP8_70B, EVEN, (298, 298, 30.67, 9_717, 72.0, 5_717), id="70B on two, all that fits"),
    pytest.param(ONE_CARD, EVEN, (9, 9, 31.99, 281, 144, 270), id="70B on one card, bf16 KV"),
    pytest.param(replace(ONE_CARD, kv_bytes=1), EVEN, (18, 18, 31.99, 563, 144, 520), id="70B on one card, fp8 KV"),
]


@pytest.mark.parametrize(("setup", "mix", "row"), TABLE)
def test_the_table(setup: Setup, mix: Mix, row: tuple[float, ...]) -> None:
    found = expected(setup, mix)
    values = (
        *(found.kv_batch, found.batch, (found.step_s or 0) * 1e3),
        *(found.decode_tokens_per_s, found.prefill_s * 1e3, found.tokens_out_per_s),
    )

    assert [pytest.approx(value, rel=0.01) for value in row] == list(values)


@pytest.mark.parametrize("known", [one for one in KNOWN if (one.tokens_in or 0) >= 1000])
def test_published_rows_with_long_prompts_are_within_0_85_and_1_36(known: Known) -> None:
    setup = FP8_70B if "70B" in known.system else replace(FP8_8B, kv_bytes=1)
    device = H200 if "H200" in known.system else H100
    mix = Mix(tokens_in=known.tokens_in or 0, tokens_out=known.tokens_out or 0)
    found = expected(replace(setup, device=device), mix)

    assert 0.85 <= round(found.tokens_out_per_s / known.tokens_per_s, 2) <= 1.36


def test_120_to_200_tokens_per_s_of_a_70b_on_one_card_is_the_kv_wall() -> None:
    """A bare number of tokens/s says little: the share of memory and the KV's format alone move it ninefold."""
    rates = [
        expected(replace(ONE_CARD, memory_ratio=ratio, kv_bytes=kv, max_num_seqs=256), EVEN)
        for ratio in (0.90, 0.94)
        for kv in (2, 1)
    ]

    assert {Wall.KV_CAPACITY} == {one.wall for one in rates}
    assert [2, 5, 9, 18] == [one.batch for one in rates]
    assert pytest.approx(65, rel=0.02) == rates[0].decode_tokens_per_s
    assert pytest.approx(563, rel=0.01) == rates[-1].decode_tokens_per_s


@pytest.mark.parametrize(("device", "batch"), [(H100, 295), (H200, 206)])
def test_the_balance_batch(device: Device, batch: float) -> None:
    assert pytest.approx(batch, abs=0.5) == replace(BF16_8B, device=device).balance_batch
    assert pytest.approx(batch, abs=0.5) == replace(FP8_70B, device=device).balance_batch


@pytest.mark.parametrize(
    ("setup", "mix", "wall"),
    [
        pytest.param(replace(ONE_CARD, max_num_seqs=64), EVEN, Wall.KV_CAPACITY, id="the cache before the batch"),
        pytest.param(
            replace(ONE_CARD, memory_ratio=0.8), EVEN, Wall.KV_CAPACITY, id="weights alone are larger than the memory"
        ),
        pytest.param(replace(FP8_8B, max_num_seqs=64), EVEN, Wall.MAX_NUM_SEQS, id="the engine's own limit"),
        pytest.param(FP8_8B, Mix(tokens_in=8000, tokens_out=50, concurrency=16), Wall.PREFILL, id="long in, short out"),
        pytest.param(FP8_8B, Mix(tokens_in=1, tokens_out=50, concurrency=1000), Wall.COMPUTE, id="a large batch"),
        pytest.param(FP8_8B, Mix(tokens_in=100, tokens_out=500, concurrency=4), Wall.BANDWIDTH, id="a small batch"),
    ],
)
def test_walls(setup: Setup, mix: Mix, wall: Wall) -> None:
    assert wall is expected(setup, mix).wall
    assert REMEDIES[wall]


def test_a_model_that_does_not_fit_makes_nothing() -> None:
    found = expected(replace(ONE_CARD, memory_ratio=0.8), EVEN)

    assert (0, 0, None, None, 0.0) == (found.kv_batch, found.batch, found.step_s, found.tpot_s, found.tokens_out_per_s)


def test_walls_that_only_a_run_shows() -> None:
    found = expected(BF16_8B, Mix(tokens_in=100, tokens_out=100, concurrency=1))
    step_s = (found.step_s or 0) * SCHEDULER_RATIO

    assert Wall.CLIENT is measured_wall(found, step_s=None, batch=1, is_fit=False)
    assert Wall.SCHEDULER is measured_wall(found, step_s=step_s * 1.01, batch=SCHEDULER_BATCH, is_fit=True)
    assert Wall.BANDWIDTH is measured_wall(found, step_s=step_s * 0.99, batch=1, is_fit=True)
    assert Wall.BANDWIDTH is measured_wall(found, step_s=step_s * 1.01, batch=SCHEDULER_BATCH + 1, is_fit=True)
    assert Wall.BANDWIDTH is measured_wall(found, step_s=None, batch=1, is_fit=True)
    assert set(Wall) == set(REMEDIES)


def test_the_engines_own_kv_tokens_are_preferred() -> None:
    assert 699 == expected(replace(FP8_8B, kv_tokens=8192 * 128), EVEN).kv_batch


def test_mla_has_one_compressed_vector_a_layer() -> None:
    deepseek = Model(params=671e9, params_active=37e9, layers=61, kv_heads=128, head_dim=128, width=7168, latent=576)

    assert 70_272 == kv_token_bytes(Setup(model=deepseek, device=H200, gpus=8))


@pytest.mark.parametrize(("batch", "used"), [(8, 0.224), (32, 0.638), (128, 0.983)])
def test_a_mixture_reads_the_experts_that_its_tokens_use(batch: int, used: float) -> None:
    experts = Experts(total=256, active=8, params=100e9)
    mixture = Model(params=110e9, params_active=12e9, layers=1, kv_heads=1, head_dim=1, width=1, experts=experts)
    setup = Setup(model=mixture, device=H200, gpus=8, weight_bytes=1, mbu=1.0)
    found = expected(setup, Mix(tokens_in=1, tokens_out=1e9, context=1, concurrency=batch))

    assert pytest.approx((10e9 + used * 100e9) / (8 * 4.8e12), rel=2e-3) == found.step_s


def test_the_fit() -> None:
    assert pytest.approx(0.698, abs=5e-4) == fitted_mbu(BF16_8B, 512, 0.0069)
    times = [
        (tokens, expected(BF16_8B, Mix(tokens_in=tokens, tokens_out=1)).prefill_s + 0.02) for tokens in (512, 4096)
    ]

    assert pytest.approx(0.5) == fitted_mfu(BF16_8B, times[0], times[1])
    assert fitted_mfu(BF16_8B, (512, 0.5), (4096, 0.4)) is None
    assert fitted_mfu(BF16_8B, (512, 0.5), (512, 0.6)) is None
