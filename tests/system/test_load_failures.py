"""Whatever goes wrong with an answer counts against goodput and every percentile, by default, over real workers."""

from pathlib import Path

import pytest
from load_rig import a_run, carried_out, null_server

from loadtest.digest import digest
from loadtest.goodput import goodput
from loadtest.planner import build
from loadtest.run_spec import Window
from telemetry.outcome import Outcome
from telemetry.percentile import Standing

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]


@pytest.mark.parametrize(
    ("words", "outcome", "share"),
    [
        pytest.param(["error_at=2"], Outcome.STREAM_ERROR, 1.0, id="an error inside a stream"),
        pytest.param(["eof_at=2"], Outcome.STREAM_TRUNCATED, 1.0, id="a stream that is cut off"),
        pytest.param(["reset_at=2"], Outcome.STREAM_TRUNCATED, 1.0, id="a stream that is reset"),
        pytest.param(["stall_at=2", "stall_s=60"], Outcome.TIMEOUT_STREAM, 1.0, id="a stream that hangs"),
        pytest.param(["ttft_s=60"], Outcome.TIMEOUT_FIRST_TOKEN, 1.0, id="an answer that never begins"),
        pytest.param(["share_429=0.2"], Outcome.RATE_LIMITED, 0.2, id="a fifth refused"),
    ],
)
def test_a_failure_counts_against_everything(tmp_path: Path, words: list[str], outcome: Outcome, share: float) -> None:
    usual = [] if any(word.startswith("ttft_s") for word in words) else ["ttft_s=0.02"]
    with null_server(*usual, "itl_s=0.005", *words) as server:
        run = a_run(tmp_path, server.url, rate=40.0, seconds=1.0, stall_s=0.5, first_token_s=1.0, truth=False)
        ending, rows = carried_out(run, 1)

    n = len(build(run.plan))
    found, kept = digest(rows, Window(run, build(run.plan)).measured_ns), goodput(rows, {})
    bad = found.offered - found.good
    print(ending.message or "fit", found.outcomes)
    assert (n, n) == (found.offered, ending.whole.sent)
    assert {outcome: bad} == {Outcome(name): n for name, n in found.outcomes.items() if name != Outcome.OK}
    assert abs(bad - share * n) <= 1
    assert (n, found.good, found.good) == (kept.joint.judged, kept.joint.good, kept.completed)
    p95 = {figure.standing for figure in found.figures if figure.p == 95 and figure.name in {"ttft", "e2e"}}
    assert p95 <= {Standing.FAILS, Standing.TOO_FEW}
    assert all(figure.value_s is None for figure in found.figures if figure.p == 95)
