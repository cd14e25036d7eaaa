"""Several durations in one pass say what each says alone."""

import pytest
from query_store import SINCE_MS, UNTIL_MS, Stored

from telemetry.queries.asked import Asked, Dim, Metric, Pick, Source
from telemetry.queries.buckets import POPULATIONS
from telemetry.queries.latency import percentiles
from telemetry.queries.several import side_by_side
from telemetry.queries.traffic import outcome_shares

METRICS = (Metric.TTFT, Metric.TPOT, Metric.E2E)
PICKS = [
    pytest.param(Source.RAW, True, id="raw rows, exactly"),
    pytest.param(Source.RAW, False, id="raw rows, in buckets"),
    pytest.param(Source.R_1S, False, id="a roll-up of seconds"),
    pytest.param(Source.R_1H, False, id="a roll-up of hours"),
]


@pytest.mark.parametrize(("source", "exact"), PICKS)
@pytest.mark.parametrize("by", [(), (Dim.ENDPOINT, Dim.MODEL)], ids=["all together", "by endpoint and model"])
def test_each_is_what_it_is_alone(stored: Stored, source: Source, exact: bool, by: tuple[Dim, ...]) -> None:
    asked = Asked(since_ms=SINCE_MS, until_ms=UNTIL_MS, by=by)
    pick = Pick(source=source, exact=exact, since_ms=SINCE_MS, until_ms=UNTIL_MS)
    together = {_key(row, by): row for row in stored.rows(side_by_side(asked, pick, METRICS))}
    shares = {_key(row, by): row for row in stored.rows(outcome_shares(asked, pick))}

    assert together.keys() == shares.keys()
    for key, row in together.items():
        assert [shares[key][name] for name in ("n", "n_good", "n_bad")] == [
            row[name] for name in ("n", "n_good", "n_bad")
        ]
    for metric in METRICS:
        for alone in stored.rows(percentiles(asked, pick, metric)):
            row = together[_key(alone, by)]
            for name in (
                "n_ok",
                "n_all",
                "max_s",
                *(f"{one}_{end}" for one in POPULATIONS for end in ("s", "low_s", "high_s")),
            ):
                assert alone[name] == row[f"{metric.value}_{name}"], f"{metric} {name}"


@pytest.mark.parametrize("by", [(), (Dim.ENDPOINT,)], ids=["all together", "by endpoint"])
def test_whole_hours_of_a_long_time_are_read_of_their_own_roll_up(stored: Stored, by: tuple[Dim, ...]) -> None:
    since_ms, until_ms = SINCE_MS + 17 * 60_000, UNTIL_MS + 3 * 3_600_000
    asked = Asked(since_ms=since_ms, until_ms=until_ms, by=by)
    pick = Pick(source=Source.R_1M, exact=False, since_ms=since_ms, until_ms=until_ms)
    question = side_by_side(asked, pick, METRICS)
    together = {_key(row, by): row for row in stored.rows(question)}

    assert {"inferometer.r_1h", "inferometer.r_1m"} <= set(question.sql.split())
    for alone in stored.rows(percentiles(asked, pick, Metric.E2E)):
        row = together[_key(alone, by)]

        assert [alone[name] for name in ("n", "n_bad", "n_ok", "all_s", "max_s")] == [
            row[name] for name in ("n", "n_bad", "e2e_n_ok", "e2e_all_s", "e2e_max_s")
        ]


def test_nobody_asked_is_no_group(stored: Stored) -> None:
    empty = Asked(since_ms=SINCE_MS, until_ms=UNTIL_MS, by=(Dim.ENDPOINT,), where={Dim.MODEL: ("absent",)})
    for exact, source in ((True, Source.RAW), (False, Source.R_1M)):
        pick = Pick(source=source, exact=exact, since_ms=SINCE_MS, until_ms=UNTIL_MS)

        assert [] == stored.rows(side_by_side(empty, pick, METRICS))


def test_a_duration_that_nobody_reported_has_no_percentile_beside_those_that_somebody_did(stored: Stored) -> None:
    asked = Asked(since_ms=SINCE_MS, until_ms=UNTIL_MS, where={Dim.MODEL: ("small",)})
    pick = Pick(source=Source.RAW, exact=True, since_ms=SINCE_MS, until_ms=UNTIL_MS)
    (row,) = stored.rows(side_by_side(asked, pick, (Metric.TTFT, Metric.SRV_QUEUE)))
    (alone,) = stored.rows(percentiles(asked, pick, Metric.SRV_QUEUE))

    assert (alone["n_ok"], alone["ok_s"]) == (row["srv_queue_n_ok"], row["srv_queue_ok_s"])
    assert row["ttft_n_ok"]


def _key(row: dict[str, object], by: tuple[Dim, ...]) -> tuple[object, ...]:
    return tuple(row[dim.value] for dim in by)
