"""A baseline of another machine is gated against from the store, and gives what its own files give."""

import re
from pathlib import Path
from uuid import UUID

import msgspec
import pytest
from load_rows import row
from load_runs import kept_run, plan, rows

from inferometer import load_baseline, load_files, load_gate, load_kept, load_ship
from inferometer.config_schema import Config
from inferometer.data_directory import DataDirectory
from inferometer.errors import ConfigurationError
from inferometer.load_columns import records
from inferometer.load_kept import Kept
from inferometer.load_stored import stored
from inferometer.reading import source
from loadtest.plan_spec import Objectives
from loadtest.planner import build
from loadtest.rows import Row
from loadtest.run_spec import Phase
from telemetry.clock import wall_ms
from telemetry.testing.store_process import StoreProcess

LIMITS = Objectives(ttft_s=0.6)


def kept_and_stored(process: StoreProcess, run_id: str, found: list[Row], *, lost: int = 0, **asked: object) -> Kept:
    """Keep a run, as it was carried out just now, in its directory and in the store."""
    config = Config(data=str(process.data))
    started_ms = wall_ms() - 300_000
    timed = [
        msgspec.structs.replace(
            one,
            record=msgspec.structs.replace(
                one.record,
                ended_at=started_ms + (one.t_sched_us + one.record.elapsed_us) // 1000,
                traffic="loadtest",
                record_id=UUID(int=at),
                run_id=run_id,
            ),
        )
        for at, one in enumerate(found)
    ]
    run = load_kept.kept(kept_run(process.data / "runs", run_id, timed, **asked))  # type: ignore[arg-type]  # its own options
    load_files.spooled(
        DataDirectory(root=process.data),
        run_id,
        timed[lost:],
        records(run.report, run.spec, build(run.spec.plan), timed, wall_ms()),
    )
    load_ship.ship(config)
    return run


def test_elsewhere_a_baseline_of_the_candidates_plan_is_found_by_what_the_store_has(
    process: StoreProcess, tmp_path: Path
) -> None:
    own, specs = Config(data=str(process.data)), {"older": plan(seed=41), "newer": plan(seed=42)}
    for name, spec in specs.items():
        ids = [kept_and_stored(process, f"{name}{at}", rows(1), spec=spec).run_id for at in (1, 2, 3)]
        assert 0 == load_baseline.save(own, name, ids)
        assert 0 == load_baseline.promote(own, name, "it is")
    there = Config.model_validate(
        {
            "data": str(tmp_path),
            "store": {"url": process.url, "user": "reader", "password": process.secret("reader")},
        }
    )
    found = {
        name: load_baseline.newest(there, load_kept.kept(kept_run(tmp_path / name, "candidate", rows(2), spec=spec)))
        for name, spec in specs.items()
    }

    assert {"older": "older", "newer": "newer"} == found


def test_a_gate_says_the_same_of_a_baseline_from_the_store(process: StoreProcess) -> None:
    spec = plan(objectives=LIMITS)
    warm = [msgspec.structs.replace(row(900 + j, at_s=5.0), run_phase=Phase.WARM_UP) for j in range(3)]
    ids = [f"shared{at}" for at in (1, 2, 3)]
    here = [
        kept_and_stored(process, run_id, [*warm, *rows(at)[20:]], spec=spec, warmup_s=16.0)
        for at, run_id in enumerate(ids)
    ]
    slow = kept_and_stored(process, "slower", [*warm, *rows(9, slower=1.5)[20:]], spec=spec, warmup_s=16.0)
    there = stored(source(Config(data=str(process.data))), ids)

    assert ids == [run.run_id for run in there]
    assert [run.report for run in here] == [run.report for run in there]
    assert [len(run.gated().requests) for run in here] == [130] * 3
    for own, other in zip(here, there, strict=True):
        for mine, theirs in zip(own.gated().requests, other.gated().requests, strict=True):
            assert mine.at_s == pytest.approx(theirs.at_s, abs=0.002)
            assert (mine.ttft_s, mine.tpot_s, mine.max_gap_s, mine.is_bad, mine.meets) == (
                *(theirs.ttft_s, theirs.tpot_s, theirs.max_gap_s, theirs.is_bad, theirs.meets),
            )
    said = [load_gate.document(load_gate.answer(baseline, [slow], 7)) for baseline in (here, there)]
    assert [one["verdict"] for one in said] == ["fail", "fail"]
    assert [one["verdict"] for one in said[0]["metrics"]] == [one["verdict"] for one in said[1]["metrics"]]


def test_runs_that_are_not_whole_in_the_store_are_refused(process: StoreProcess) -> None:
    asked = source(Config(data=str(process.data)))
    with pytest.raises(ConfigurationError, match="has no run nowhere"):
        stored(asked, ["nowhere"])

    kept_and_stored(process, "lost", rows(1)[:20], lost=3)
    with pytest.raises(ConfigurationError, match=r"17 of its 20 requests are there; they are kept for 14 days"):
        stored(asked, ["lost"])
    kept_and_stored(process, "tried", [row(0), row(0, attempt=2)])
    with pytest.raises(ConfigurationError, match="retries and conversations"):
        stored(asked, ["tried"])


def test_phases_around_the_measured_part_do_not_count(process: StoreProcess) -> None:
    kept_and_stored(process, "phases", [row(0, at_s=1.0), row(1, at_s=50.0), row(2, at_s=130.0)], warmup_s=10.0)
    (run,) = stored(source(Config(data=str(process.data))), ["phases"])

    assert [Phase.WARM_UP, Phase.MEASURED, Phase.COOL_DOWN] == [one.run_phase for one in run.rows()]


def test_the_statements_of_the_guide_run(process: StoreProcess) -> None:
    guide = (Path(__file__).parent.parent.parent / "docs" / "loadtest.md").read_text()
    statements = re.findall(r'^ {4}inferometer sql "(.+)"$', guide, re.MULTILINE)

    assert 5 == len(statements)
    for statement in statements:
        assert source(Config(data=str(process.data))).raw(statement, "csv").count(b"\n") > 0
