"""What a run reached, the wall that it met, and the shares that requests one at a time show."""

import re
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from loadtest.achievable import ALONE_IN_FLIGHT, Alone, Seen, achieved, fitted, one_at_a_time
from loadtest.roofline import H100, LLAMA_8B, LLAMA_70B, Mix, Setup, Wall, expected
from telemetry.outcome import Eligibility, Outcome, Phase
from telemetry.record import RequestRecord

BF16_8B = Setup(model=LLAMA_8B, device=H100, max_num_seqs=256)
FP8_70B = Setup(model=LLAMA_70B, device=H100, weight_bytes=1, max_num_seqs=256)
SEEN = Seen(
    tokens_in=1000, tokens_out=1000, tokens_out_per_s=1000.0, in_flight=64.0, tpot_s=0.02, users=None, is_fit=True
)


def record(tokens_in: int | None, ttft_us: int | None, tpot_us: int | None = 7_000) -> RequestRecord:
    return RequestRecord(
        ended_at=1, elapsed_us=1, endpoint="e", model="m", record_id=UUID(int=1), outcome=Outcome.OK, phase=Phase.DONE,
        eligible=Eligibility.GOOD, ttft_us=ttft_us, tpot_us=tpot_us, tokens_in=tokens_in, tokens_out=100,
    )  # fmt: skip


def test_a_run_is_told_as_a_share_of_the_roofline_of_its_mix() -> None:
    most = expected(BF16_8B, Mix(tokens_in=1000, tokens_out=1000))
    found = achieved(BF16_8B, SEEN)

    assert found.percent == pytest.approx(100_000 / most.tokens_out_per_s)
    assert (most.wall, most.batch) == (found.wall, found.batch)
    assert (found.mbu, found.mfu, found.fitted) == (0.7, 0.5, ())


@pytest.mark.parametrize(("ratio", "kv_bytes", "batch"), [(0.90, 2, 2), (0.90, 1, 5), (0.94, 2, 9), (0.94, 1, 18)])
def test_a_70b_on_one_card_meets_the_kv_wall_whatever_number_somebody_quotes(
    ratio: float, kv_bytes: float, batch: int
) -> None:
    """The quoted 120 to 200 tokens/s lie between 65 and 563: utilisation and the KV's type alone move it."""
    found = achieved(
        replace(FP8_70B, memory_ratio=ratio, kv_bytes=kv_bytes), replace(SEEN, tokens_out_per_s=120.0, tpot_s=0.033)
    )

    assert (Wall.KV_CAPACITY, batch) == (found.wall, found.batch)
    assert "fp8 KV" in found.remedy
    assert found.percent is not None
    assert (found.percent > 100) == (batch == 2)


@pytest.mark.parametrize(
    ("seen", "wall"),
    [
        (replace(SEEN, is_fit=False), Wall.CLIENT),
        (replace(SEEN, in_flight=2.0, tpot_s=0.02), Wall.SCHEDULER),
        (replace(SEEN, in_flight=2.0, tpot_s=0.007), Wall.MAX_NUM_SEQS),
        (replace(SEEN, in_flight=None, tpot_s=None), Wall.MAX_NUM_SEQS),
        (replace(SEEN, users=8), Wall.BANDWIDTH),
    ],
)
def test_the_wall(seen: Seen, wall: Wall) -> None:
    assert wall is achieved(BF16_8B, seen).wall


def test_without_tokens_or_where_nothing_fits_there_is_no_share() -> None:
    assert achieved(BF16_8B, replace(SEEN, tokens_out_per_s=None)).percent is None
    nothing = achieved(replace(FP8_70B, memory_ratio=0.8), SEEN)

    assert (None, None, Wall.KV_CAPACITY) == (nothing.percent, nothing.step_s, nothing.wall)


def test_requests_one_at_a_time_show_both_shares() -> None:
    mixes = [Mix(tokens_in=tokens, tokens_out=100, concurrency=1) for tokens in (256, 4096)]
    true = replace(BF16_8B, mbu=0.6, mfu=0.4)
    alone = [
        Alone(tokens_in=mix.tokens_in, ttft_s=one.prefill_s + 0.01, held_tokens=mix.held, tpot_s=one.step_s)
        for mix in mixes
        for one in [expected(true, mix)]
    ]
    found, names = fitted(BF16_8B, alone)

    assert [found.mbu, found.mfu] == pytest.approx([0.6, 0.4])
    assert ("mbu", "mfu") == names
    assert ("mbu",) == fitted(BF16_8B, alone[1:])[1]
    assert ("mbu",) == fitted(BF16_8B, [replace(alone[0], tokens_in=4000.0), alone[1]])[1]
    assert (BF16_8B, ()) == fitted(BF16_8B, [])
    assert () == fitted(BF16_8B, [replace(alone[1], tpot_s=1e-6)])[1]  # more than there is: the facts are wrong
    assert () == fitted(BF16_8B, [replace(alone[1], tpot_s=None, held_tokens=None)])[1]
    assert () == fitted(BF16_8B, [replace(one, ttft_s=None, tpot_s=None) for one in alone])[1]
    assert ("mbu", "mfu") == achieved(BF16_8B, SEEN, alone).fitted


def test_two_lengths_of_prompts_are_told_apart() -> None:
    mixed = [record(tokens, tokens * 100) for tokens in (100, 120, 400, 500)]
    short, long = one_at_a_time(mixed, 1.0)

    assert (110, 0.011, 160, 0.007) == (short.tokens_in, short.ttft_s, short.held_tokens, short.tpot_s)
    assert (450, 0.045, 500) == (long.tokens_in, long.ttft_s, long.held_tokens)
    (alike,) = one_at_a_time([record(100, None, None), record(199, None, None)], 1.0)
    assert (None, None) == (alike.ttft_s, alike.tpot_s)
    assert 1 == len(one_at_a_time([record(100, 1)], ALONE_IN_FLIGHT))


@pytest.mark.parametrize("in_flight", [None, ALONE_IN_FLIGHT * 1.01])
def test_requests_that_shared_the_engine_show_nothing(in_flight: float | None) -> None:
    assert [] == one_at_a_time([record(100, 1), record(400, 2)], in_flight)
    assert [] == one_at_a_time([record(None, 1)], 1.0)


def test_the_table_of_the_guide_is_what_comes_out() -> None:
    guide = (Path(__file__).parent.parent.parent / "docs" / "loadtest.md").read_text()
    told = re.findall(r"^\| (0\.9\d) \| (bf16|fp8) \| (\d+) \| (\d+) \| (\d+) \|$", guide, re.MULTILINE)
    mix = Mix(tokens_in=1000, tokens_out=1000)

    assert 4 == len(told)
    for ratio, dtype, batch, decode, combined in told:
        found = expected(replace(FP8_70B, memory_ratio=float(ratio), kv_bytes=1.0 if dtype == "fp8" else 2.0), mix)
        assert (found.batch, found.wall) == (int(batch), Wall.KV_CAPACITY)
        assert [found.decode_tokens_per_s, found.tokens_out_per_s] == pytest.approx(
            [float(decode), float(combined)], rel=0.01
        )
