"""A report over more rows than a reader may hold exactly: it answers from a roll-up and says so."""

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from uuid import UUID

import pytest
from pydantic import SecretStr

from inferometer.config_schema import Config, StoreKeys
from inferometer.look import report
from telemetry.clock import wall_ms
from telemetry.outcome import Eligibility, Outcome, Phase
from telemetry.queries import REPORT_EXACT_ROWS_MAX
from telemetry.record import RequestBatch, RequestRecord
from telemetry.testing.store_process import StoreProcess

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

BATCH = 50_000
N_BATCHES = REPORT_EXACT_ROWS_MAX // BATCH + 1
SPAN_MS = 600_000


def record(at: int, since_ms: int, random: Random) -> RequestRecord:
    ttft_us = int(random.lognormvariate(12, 0.6))
    return RequestRecord(
        ended_at=since_ms + at * SPAN_MS // BATCH,
        elapsed_us=ttft_us,
        endpoint="chat",
        model=("small", "large")[at % 2],
        record_id=UUID(int=at + 1),
        outcome=Outcome.OK,
        phase=Phase.DONE,
        eligible=Eligibility.GOOD,
        e2e_us=ttft_us,
        ttft_us=ttft_us,
        tokens_out=10,
    )


@pytest.fixture
def process(tmp_path: Path) -> Iterator[StoreProcess]:
    random = Random(1)  # noqa: S311 -- seeded
    since_ms = wall_ms() - SPAN_MS
    records = tuple(record(at, since_ms, random) for at in range(BATCH))
    with StoreProcess(tmp_path / "data") as running:
        writer = running.store("writer")
        for number in range(N_BATCHES):
            seqs = tuple(range(number * BATCH, (number + 1) * BATCH))
            writer.insert_requests(RequestBatch(collector="n/scale", seqs=seqs, records=records), str(number))
        writer.close()
        yield running


def test_more_rows_than_are_held_exactly(process: StoreProcess, capsys: pytest.CaptureFixture[str]) -> None:
    keys = StoreKeys(url=process.url, user="reader", password=SecretStr(process.secret("reader")))

    report(Config(data=str(process.data), store=keys), "30m", "now", "json", only=(None, None))

    told = json.loads(capsys.readouterr().out)
    everything = told["groups"][-1]
    ttft = everything["ttft_s"]
    assert ("r_1s", "bucketed", N_BATCHES * BATCH) == (told["table"], ttft["method"], everything["n"])
    assert all(0 < error <= 0.0443 for error in ttft["error_ratio_max"].values())
    # lognormal(12, 0.6): the median is e^12 us, 0.163 s.
    assert 0.163 == pytest.approx(ttft["p50"], rel=0.03)
