"""`slo flows` over stored requests: what is printed of workflows, and with which exit code."""

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest

from inferometer.__main__ import outcome
from inferometer.slo_flows import BRIEF, NAMES, WINDOW_S_MAX, flow_rows
from slo.stages import UPPER_BOUND, Times
from telemetry.clock import wall_ms
from telemetry.record import RequestBatch
from telemetry.testing.memory_store import sample_request
from telemetry.testing.store_process import StoreProcess

FILM = """apiVersion: openslo/v1
kind: SLO
metadata: {name: film}
spec:
  service: film
  timeWindow: [{duration: 30d, isRolling: true}]
  template: media_pipeline
  stages:
  - {name: image, match: "model == 'image'", budget_s: 4, p50_s: 2}
  - {name: video, match: "model == 'video'", budget_s: 40}
"""
LASTED_S = {"image": 5, "video": 36}


def took(name: str, p99_s: float | None, over_s: float, done: int = 9) -> Times:
    return Times(
        name=name, n=9, done=done, p50_s=1.0, p95_s=2.0, p99_s=p99_s, mean_s=1 / 3, budget_s=4.0, over_s=over_s
    )


@pytest.fixture(scope="module")
def filmed(process: StoreProcess) -> StoreProcess:
    """Store three flows that took 41 s each: their images 5 s, one more than they may."""
    now_ms = wall_ms()
    rows = [
        msgspec.structs.replace(
            sample_request(n, now_ms - (600 if stage == "video" else 636) * 1000),
            record_id=UUID(int=900 + n), flow_id=n // 2 + 1, model=stage, endpoint="film",
            elapsed_us=LASTED_S[stage] * 1_000_000,
        )
        for n, stage in enumerate(("image", "video") * 3)
    ]  # fmt: skip
    writer = process.store("writer")
    writer.insert_requests(RequestBatch(collector="film", seqs=tuple(range(6)), records=tuple(rows)), "film")
    writer.close()
    return process


def said(process: StoreProcess, words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    code = outcome(["slo", "flows", *words, "--data", str(process.data)])
    out, err = capsys.readouterr()
    return code, out, err


def test_flows_and_their_stages_are_printed(
    filmed: StoreProcess, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "film.yaml").write_text(FILM)
    code, out, _ = said(filmed, [str(tmp_path), "--output", "json"], capsys)
    rows: list[dict[str, Any]] = [json.loads(line) for line in out.splitlines()]
    brief = said(filmed, [str(tmp_path), "--output", "table"], capsys)

    assert code == 0
    assert [(row["slo"], row["stage"]) for row in rows] == [
        ("film/flow", stage) for stage in ("(flow)", "image", "video", "(sum of stages)")
    ]
    assert [row["p99_s"] for row in rows] == [41.0, 5.0, 36.0, 41.0]
    assert [row["over_ratio"] for row in rows] == [None, 1.0, 0.0, None]
    assert [row["note"] for row in rows] == ["", "most time over budget, P50 above 2 s", "", UPPER_BOUND]
    assert (brief[0], "film" in brief[1]) == (0, True)


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["film.yaml", "--since", "1m"], 4, "no workflow ended in that time; rows need target.workflow_header"),
        (["film.yaml", "--since", "8d"], 2, "--since: found '8d'; allowed: up to 7d ago"),
        (["film.yaml", "--since", "now"], 2, "--since: found 'now'; allowed: up to 7d ago"),
        ([], 2, "FILE: found nothing; allowed: SLO files, here or as slo.objectives"),
    ],
)
def test_what_cannot_be_answered_says_why(
    filmed: StoreProcess,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    code: int,
    told: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "film.yaml").write_text(FILM)
    found, _, err = said(filmed, words, capsys)

    assert (found, told in err) == (code, True)
    assert WINDOW_S_MAX == 7 * 86_400


def test_a_sum_of_percentiles_is_called_a_bound_and_what_is_not_done_has_none() -> None:
    flow, first, second, total = flow_rows("s", [took("", 41.0, 0.0), took("a", 4.0, 1.0), took("b", None, 3.0, 7)])

    assert (set(flow), set(BRIEF) <= set(NAMES)) == (set(NAMES), True)
    assert (flow["mean_s"], first["over_ratio"], second["over_ratio"]) == (0.333, 0.25, 0.75)
    assert second["note"] == "most time over budget, 2 not done: no P99"
    assert (total["p99_s"], total["note"], total["n"]) == (None, UPPER_BOUND, None)
    assert flow_rows("s", []) == []
    assert [row["stage"] for row in flow_rows("s", [took("", 41.0, 0.0)])] == ["(flow)"], "no stages, no sum"
