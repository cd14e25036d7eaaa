"""`hints backtest`: what is replayed, what is printed, and with which exit code."""

import json
from pathlib import Path

import msgspec
import pytest

from inferometer.__main__ import outcome
from telemetry.clock import wall_ms
from telemetry.record import RequestBatch
from telemetry.testing.memory_store import sample_request
from telemetry.testing.store_process import StoreProcess

WORDS = ["--seeds", "1", "--cold-start", "30", "--policy", "ours,hpa-running,static-peak"]


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    path = tmp_path / "trace.csv"
    rows = "".join(f"{at / 4},{400 + at % 5 * 100},{20 + at % 7}\n" for at in range(1_200))
    path.write_text("arrived_at,num_prefill_tokens,num_decode_tokens\n" + rows)
    return path


def said(words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    code = outcome(["hints", "backtest", *WORDS, *words])
    out, err = capsys.readouterr()
    return code, out, err


def test_policies_are_compared_and_the_winner_has_a_manifest(
    trace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.html"
    words = ["--trace", str(trace), "--output", "json", "--usd-per-gpu-hour", "2", "--html", str(page)]
    code, out, err = said(words, capsys)
    found = json.loads(out)

    assert (0, "") == (code, err)
    assert {"ours", "hpa-running", "static-peak"} == {one["policy"] for one in found["policies"]}
    assert found["winner"] in {"ours", "hpa-running"}, "who knows the future does not win"
    assert (found["manifest"] is not None) is (found["winner"] == "ours")
    assert all(one["usd_per_mtok"] > 0 for one in found["policies"])
    assert "Attainment against GPU-hours" in page.read_text()
    assert out == said(words, capsys)[1], "the same seeds, the same bytes"


@pytest.mark.parametrize("output", ["table", "csv", "markdown"])
def test_other_formats(output: str, trace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = said(["--trace", str(trace), "--for", "60", "--output", output], capsys)

    assert 0 == code
    assert "hpa-running" in out
    assert ("winner: " in out) is (output != "csv")


def test_recorded_requests_are_replayed(process: StoreProcess, capsys: pytest.CaptureFixture[str]) -> None:
    now_ms = wall_ms()
    writer = process.store("writer")
    records = tuple(
        msgspec.structs.replace(
            sample_request(900_000 + at, now_ms - 600_000 + at * 500),
            endpoint="backtested",
            tokens_in=400,
            tokens_out=30,
        )
        for at in range(200)
    )
    batch = RequestBatch(collector="hints-backtest", seqs=tuple(range(1, 201)), records=records)
    writer.insert_requests(batch, "hints-backtest")
    writer.close()
    words = ["--recorded", "backtested", "--from", "1h", "--data", str(process.data), "--output", "json"]
    code, out, err = said(words, capsys)

    assert (0, "") == (code, err)
    assert ("backtested", 3) == (json.loads(out)["traffic"], len(json.loads(out)["policies"]))


def test_an_objective_that_nobody_keeps_is_no_answer(trace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--trace", str(trace), "--loss", "1", "--scale", "8", "--life", "60", "--slow", "9"]

    assert 4 == said(words, capsys)[0]


@pytest.mark.parametrize(
    ("words", "named"),
    [
        pytest.param([], "both or none of --trace and --recorded", id="nothing to replay"),
        pytest.param(["--trace", "none.csv"], "No such file", id="no file"),
        pytest.param(["--trace", "TRACE", "--policy", "mine"], "--policy: found policy 'mine'", id="nobody"),
        pytest.param(["--recorded", "a", "--from", "now"], "which is not before --to", id="no time"),
        pytest.param(["--trace", "TRACE", "--ttft-max", "0.001"], "found no rate", id="no rate"),
    ],
)
def test_what_cannot_be_replayed_is_one_line(
    words: list[str], named: str, trace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = said([str(trace) if word == "TRACE" else word for word in words], capsys)

    assert (2, "", 1) == (code, out, err.count("\n"))
    assert named in err
