"""How long requests took over several spans, beside the rows themselves."""

from query_store import SINCE_MS, UNTIL_MS, Stored

from telemetry.histogram import build
from telemetry.outcome import Eligibility, Outcome
from telemetry.queries.slowness import slowness
from telemetry.queries.spans import MINUTE_S

SINCE_S = SINCE_MS // 1000 // MINUTE_S * MINUTE_S
UNTIL_S = -(-UNTIL_MS // 1000 // MINUTE_S) * MINUTE_S
SPANS = ((UNTIL_S - 2 * MINUTE_S, UNTIL_S), (SINCE_S, UNTIL_S), (0, MINUTE_S))


def test_every_span_is_counted_as_the_rows_say(stored: Stored) -> None:
    # Other tests store rows of endpoints of their own.
    rows = [row for row in stored.rows(slowness(SPANS)) if row["endpoint"] in {"chat", "code"}]
    users = [one for one in stored.records if one.traffic == "user"]

    assert [(row["endpoint"], row["model"]) for row in rows] == sorted({(one.endpoint, one.model) for one in users})
    for row in rows:
        own = [one for one in users if (one.endpoint, one.model) == (row["endpoint"], row["model"])]
        within = [[one for one in own if since <= one.ended_at / 1000 < until] for since, until in SPANS]
        fine = [[one for one in of if one.outcome is Outcome.OK] for of in within]
        counted = {Eligibility.GOOD, Eligibility.BAD}
        assert row["eligible"] == [sum(one.eligible in counted for one in of) for of in within]
        assert row["bad"] == [sum(one.eligible is Eligibility.BAD for one in of) for of in within]
        assert row["e2e_h"] == [build(one.e2e_us for one in of if one.e2e_us is not None) for of in fine]
        assert row["ttft_h"] == [build(one.ttft_us for one in of if one.ttft_us is not None) for of in fine]
        left = [
            [one for one in of if one.outcome is Outcome.CLIENT_CANCELLED and not one.n_out_events] for of in within
        ]
        assert row["abandon_h"] == [build(one.elapsed_us for one in of) for of in left]
