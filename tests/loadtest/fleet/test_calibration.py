"""Says which engine follows from measured and from expected times."""

from dataclasses import replace

import pytest

from loadtest.errors import TraceError
from loadtest.fleet.calibration import TOKENS_LEAST, PerfRow, fitted, of_roofline, read
from loadtest.roofline import H100, LLAMA_8B, LLAMA_70B, Mix, Setup, expected

HEADER = (
    "model,hardware,prompt_size,batch_size,token_size,peak_power,average_power,prompt_time,token_time,e2e_time,"
    "tensor_parallel\n"
)
LINE = "llama2-70b,h100-80gb,512,32,128,1.0,0.7,1726.0,36.88,6000.0,4\n"


def rows(gamma_s: float = 1e-7) -> list[PerfRow]:
    """Return what an engine with alpha 29 ms, beta 0.25 ms and 9,000 prompt tokens a second would show."""
    shapes = [(512, 1), (512, 8), (512, 32), (512, 64), (128, 1), (2048, 1), (8192, 1)]
    return [
        PerfRow(
            tokens_in=tokens_in,
            batch=batch,
            tokens_out=128,
            prompt_s=max(0.049, 0.005 + tokens_in * batch / 9000),
            token_s=0.029 + batch * (0.00025 + gamma_s * (tokens_in + 64)),
        )
        for tokens_in, batch in shapes
    ]


def test_a_table() -> None:
    found = read([HEADER, LINE, LINE.replace(",4\n", ",8\n"), LINE])

    assert [("llama2-70b", "h100-80gb", 4), ("llama2-70b", "h100-80gb", 8)] == list(found)
    assert 2 == len(found["llama2-70b", "h100-80gb", 4])
    assert PerfRow(tokens_in=512, batch=32, tokens_out=128, prompt_s=1.726, token_s=0.03688) == next(
        iter(found["llama2-70b", "h100-80gb", 8])
    )


@pytest.mark.parametrize(
    "lines",
    [[HEADER, LINE[:40]], [HEADER.replace("token_time", "time"), LINE], [HEADER, LINE.replace("512", "many")]],
    ids=["a cut line", "a column is missing", "no number"],
)
def test_a_table_that_is_none(lines: list[str]) -> None:
    with pytest.raises(TraceError, match=r"found .*, allowed: columns model"):
        read(lines)


def test_the_engine_that_made_the_times_is_found() -> None:
    fit = fitted(rows())

    assert fit is not None
    assert (1.0, 1.0) == (pytest.approx(fit.step.r2), pytest.approx(fit.prefill.r2))
    engine = fit.engine(120_000, seqs_max=128, batched_tokens_max=2048)
    assert [0.029, 0.00025, 1e-7, 1 / 9000, 0.024] == pytest.approx(
        [engine.alpha_s, engine.beta_s, engine.gamma_s, engine.prefill_s, engine.hidden_s]
    )
    assert (7500, 128, 2048) == (engine.kv_blocks, engine.seqs_max, engine.batched_tokens_max)
    assert 0.005 + 512 / 9000 == pytest.approx(engine.step_s(0, 0, TOKENS_LEAST))


def test_no_step_is_shorter_because_more_is_held() -> None:
    fit = fitted(rows(gamma_s=-1e-7))

    assert fit is not None
    assert 0.0 == fit.step.gamma_s == fit.engine(1000, seqs_max=8).gamma_s


@pytest.mark.parametrize("n", [0, 1], ids=["nothing", "one batch"])
def test_too_little_makes_no_engine(n: int) -> None:
    assert fitted(rows()[:n]) is None


def test_prompts_that_are_all_short_make_no_engine() -> None:
    short = [replace(one, tokens_in=8, batch=batch) for batch, one in enumerate(rows(), 1)]

    assert fitted(short) is None


@pytest.mark.parametrize(
    ("setup", "batch"),
    [
        (Setup(model=LLAMA_8B, device=H100, weight_bytes=1, kv_bytes=1), 256),
        (Setup(model=LLAMA_70B, device=H100, gpus=2, weight_bytes=1, kv_bytes=1), 128),
    ],
    ids=["8B on one", "70B on two"],
)
def test_a_roofline(setup: Setup, batch: int) -> None:
    engine = of_roofline(setup, tokens_in=1000)

    found = expected(setup, Mix(tokens_in=1000, tokens_out=1000, concurrency=batch))
    # spec/loadtest.md 15: the lines of the table; 2 % because the line is straight where arithmetic bends it
    assert found.step_s == pytest.approx(engine.step_s(batch, 1500), rel=0.02)
    assert found.prefill_s == pytest.approx(engine.step_s(0, 0, 1000), rel=0.02)
    assert found.kv_batch == engine.kv_tokens // 1500
