"""Hundreds of random expressions, judged by a real store and by Python: the long form of tests/slo/test_objective."""

from collections.abc import Iterator
from dataclasses import replace
from random import Random

import pytest
from expression_cases import INDICATORS, request
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from slo.objective import Indicator, Objective, Rolling, class_of, counted, judge
from telemetry.clock import wall_ms
from telemetry.queries.counted import counts
from telemetry.record import RequestBatch
from telemetry.store import Store
from telemetry.testing.store_process import StoreProcess

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

BUCKET_MS, N_ROWS, EXAMPLES = 30_000, 600, 60
SINCE_MS = wall_ms() // 3_600_000 * 3_600_000 - 6 * 3_600_000
_RANDOM = Random(11)  # noqa: S311 -- seeded
RECORDS = [request(_RANDOM, SINCE_MS + at * BUCKET_MS + 7) for at in range(N_ROWS)]
BASE = Objective(name="", service="s", target=0.99, window=Rolling(length_s=86_400))


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with StoreProcess(tmp_path_factory.mktemp("expressions") / "data") as process:
        writer, asking = process.store("writer"), process.store("reader")
        seqs = tuple(range(1, N_ROWS + 1))
        writer.insert_requests(RequestBatch(collector="n/x", seqs=seqs, records=tuple(RECORDS)), "n/x")
        yield asking
        asking.close()
        writer.close()


@settings(max_examples=EXAMPLES, deadline=None, derandomize=True, phases=[Phase.generate])
@given(indicators=st.lists(INDICATORS, min_size=5, max_size=5))
def test_the_store_and_python_judge_every_expression_alike(reader: Store, indicators: list[Indicator]) -> None:
    objectives = [replace(BASE, name=str(at), indicator=one) for at, one in enumerate(indicators)]
    rows = reader.query(counts(counted(objectives), SINCE_MS, SINCE_MS + N_ROWS * BUCKET_MS))
    answered = {
        (row["slo"], row["t_unix_s"]): (
            "good" if row["good"] else "bad" if row["bad"] else "excluded",
            row["censored_bad"],
        )
        for row in rows
    }
    expected = {
        (one.name, record.ended_at // BUCKET_MS * 30): (
            told,
            int(told == "bad" and class_of(one.indicator, record) == "censored"),
        )
        for one in objectives
        for record in RECORDS
        if (told := judge(one.indicator, record)) is not None
    }

    assert expected == answered
