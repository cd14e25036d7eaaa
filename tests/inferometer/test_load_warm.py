"""A run is measured from where its target is warm on, for as long as was asked."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from load_reports import RUN, ending
from load_rows import row

from inferometer.load_files import made
from inferometer.load_order import Ordered
from inferometer.load_warm import Warming
from loadtest.conductor import EXIT_FAILED
from loadtest.rows import line
from loadtest.run_spec import Phase, decoded
from loadtest.steadiness import WarmUp
from telemetry.outcome import Flag

MEASURED_S = 40.0


def followed(directory: Path, ttfts_us: list[int]) -> tuple[Warming, int]:
    """Follow one request a second of these TTFTs; returns what is known then, and how many were needed."""
    warming = Warming(directory, MEASURED_S)
    with (directory / "rows-0.jsonl").open("ab", buffering=0) as file:
        for j, ttft_us in enumerate(ttfts_us):
            file.write(line(row(j, ttft_us=ttft_us)))
            if warming.is_enough():
                return warming, j + 1
    return warming, len(ttfts_us)


@pytest.mark.parametrize(
    ("ttfts_us", "state", "warm_s"),
    [
        pytest.param([400_000] * 300, WarmUp.WARM, 60.9, id="even from the start"),
        pytest.param(
            [round(900_000 * 0.7 ** min(j // 15, 5)) for j in range(300)], WarmUp.WARM, 105.9, id="slow first"
        ),
        pytest.param([400_000 + 5_000 * j for j in range(50)], WarmUp.GOES_ON, None, id="ended before"),
    ],
)
def test_the_measured_part_begins_where_two_blocks_are_even(
    tmp_path: Path, ttfts_us: list[int], state: WarmUp, warm_s: float | None
) -> None:
    warming, n = followed(tmp_path, ttfts_us)

    assert (state, warm_s) == (warming.state, warming.warm_s)
    if warm_s is not None:
        assert warm_s + MEASURED_S <= n < warm_s + MEASURED_S + 2


def test_a_target_that_never_becomes_even_counts_as_cold_after_ten_minutes(tmp_path: Path) -> None:
    warming, _ = followed(tmp_path, [round(400_000 * 1.2 ** (j // 15 % 2)) for j in range(700)])

    assert WarmUp.COLD is warming.state
    assert 600 <= (warming.warm_s or 0) < 620


def test_a_run_is_told_with_the_warm_up_that_it_had(tmp_path: Path) -> None:
    run = msgspec.structs.replace(RUN, directory=str(tmp_path / "run"))
    made(tmp_path / "run", run)
    warming, n = followed(tmp_path / "run", [400_000] * 300)
    found, said = warming.told(run, ending())

    assert (60.9, 60.9) == (found.warmup_s, decoded((tmp_path / "run" / "run.json").read_bytes()).warmup_s)
    assert "warm after 61 s" == said.message
    failed: Any = msgspec.structs.replace(ending(), code=EXIT_FAILED, message="gone")
    assert failed == warming.told(run, failed)[1]
    with Ordered(tmp_path / "run", warmup_s=found.warmup_s) as rows:
        phases = [(one.run_phase, bool(one.record.flags & Flag.WARMUP)) for one in rows]
    assert [(Phase.WARM_UP, True)] * 61 + [(Phase.MEASURED, False)] * (n - 61) == phases
