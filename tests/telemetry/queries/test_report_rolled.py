"""The rolled report against the exact one over the same rows."""

from typing import cast

import pytest
from query_store import SINCE_MS, UNTIL_MS, Stored

from telemetry.queries import METRICS, report
from telemetry.queries.asked import Asked, Dim, Pick, Source
from telemetry.queries.buckets import PERCENTILES_PPM
from telemetry.queries.report_rolled import REPORT_EXACT_ROWS_MAX, report_rolled, row_count

ASKED = Asked(since_ms=SINCE_MS, until_ms=UNTIL_MS)
SAME = ("n", "tokens_in", "tokens_out", "tokens_in_window", "stall_n", "n_in_stream", "n_tok_null", "n_tpot_null")
PLACES = [PERCENTILES_PPM.index(ppm) for ppm in (500_000, 950_000, 990_000)]


@pytest.mark.parametrize("source", [Source.R_1S, Source.R_1M, Source.R_1H])
def test_a_roll_up_reports_what_raw_rows_report(stored: Stored, source: Source) -> None:
    pick = Pick(source=source, exact=False, since_ms=SINCE_MS, until_ms=UNTIL_MS)
    exact = stored.rows(report(SINCE_MS, UNTIL_MS))
    rolled = stored.rows(report_rolled(ASKED, pick))

    assert [(row["endpoint"], row["model"], metric) for row in exact for metric in sorted(METRICS)] == [
        (row["endpoint"], row["model"], row["metric"]) for row in rolled
    ]
    for at, row in enumerate(rolled):
        truth, metric = exact[at // len(METRICS)], str(row["metric"])

        assert [truth[name] for name in (*SAME, "outcomes")] == [row[name] for name in (*SAME, "outcomes")]
        assert (truth[f"{metric}_n"], truth[f"{metric}_all_n"]) == (row["n_ok_metric"], row["n_all_metric"])
        largest = cast("float", row["us_max"]) / cast("float", truth[f"{metric}_us_max"])
        assert 1.0 <= largest <= 1.0443
        for name, stem in (("ok", metric), ("all", f"{metric}_all")):
            s, errors = (cast("list[float]", row[f"{name}_{end}"]) for end in ("s", "error_ratio_max"))
            for place, us in zip(PLACES, cast("list[float]", truth[f"{stem}_us"]), strict=True):
                assert s[place] == us / 1e6 or abs(s[place] * 1e6 / us - 1) <= errors[place]


def test_rows_are_counted_in_whole_minutes(stored: Stored) -> None:
    ended = [one.ended_at for one in stored.records]
    since_ms, until_ms = SINCE_MS + 90_001, SINCE_MS + 150_000
    [row] = stored.rows(row_count(since_ms, until_ms))

    assert sum(SINCE_MS + 60_000 <= ms < SINCE_MS + 180_000 for ms in ended) == row["n"]
    assert [{"n": 0}] == stored.rows(row_count(since_ms, until_ms, traffic="probe"))


def test_filters_and_live_views(stored: Stored) -> None:
    pick = Pick(source=Source.R_1M, exact=False, since_ms=SINCE_MS, until_ms=UNTIL_MS)
    asked = Asked(since_ms=SINCE_MS, until_ms=UNTIL_MS, where={Dim.MODEL: ("it's",)})
    live = report_rolled(asked, pick, live=True)

    assert {"it's", ""} == {row["model"] for row in stored.rows(live)}
    assert (2.0, 60.0) == (live.seconds_max, report_rolled(asked, pick).seconds_max)
    nothing = Asked(since_ms=SINCE_MS, until_ms=UNTIL_MS, traffic="probe")
    empty = stored.rows(report_rolled(nothing, pick))
    assert [(1, 0, None)] * len(METRICS) == [(row["is_global"], row["n"], row["us_max"]) for row in empty]


def test_an_exact_report_fits_a_reader() -> None:
    # 3,000,000 rows exceeded a reader's 1 GiB; a third of them holds about a third of that.
    assert 1_000_000 == REPORT_EXACT_ROWS_MAX
