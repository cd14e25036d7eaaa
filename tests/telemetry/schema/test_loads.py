from telemetry.schema import loads


def test_what_is_compared_with_after_years_stays_for_ever() -> None:
    assert [table.name for table in loads.LOAD_TABLES if table.kept_days is not None] == []


def test_a_baseline_keeps_the_histograms_that_a_run_is_compared_with() -> None:
    kinds = {column.name: column.type for column in loads.BASELINES.columns}

    assert {"Map(Int16, UInt64)"} == {kinds[name] for name in ("ttft_h", "tpot_h", "e2e_h")}
