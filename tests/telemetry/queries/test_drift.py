"""How many waited too long, against the rows themselves."""

from collections import Counter

from query_store import HOUR_MS, SINCE_MS, UNTIL_MS, Stored

from telemetry.outcome import Eligibility, Outcome
from telemetry.queries.drift import Anchor, slow_by_hour

ANCHOR = Anchor(base_us=50_000, per_token_us=100)
RATIOS = (1.5, 4.0)


def asked(stored: Stored, anchor: Anchor) -> list[dict[str, object]]:
    rows = stored.rows(slow_by_hour(SINCE_MS, UNTIL_MS, anchor, RATIOS))
    return [row for row in rows if row["endpoint"] in {"chat", "code"}]


def test_each_hour_counts_what_is_known_and_slow(stored: Stored) -> None:
    expected: Counter[tuple[str, str, int, str]] = Counter()
    for one in stored.records:
        if one.eligible is Eligibility.EXCLUDED or one.tokens_in is None:
            continue
        limit_us = ANCHOR.base_us + ANCHOR.per_token_us * one.tokens_in
        wait_us = one.elapsed_us if one.ttft_us is None else one.ttft_us
        gave_up = one.outcome is Outcome.CLIENT_CANCELLED and wait_us > RATIOS[0] * limit_us
        if one.ttft_us is not None or gave_up:
            key = (one.endpoint, one.model, one.ended_at // HOUR_MS * HOUR_MS // 1000)
            expected[(*key, "n")] += 1
            expected[(*key, "over_first")] += wait_us > RATIOS[0] * limit_us
            expected[(*key, "over_second")] += wait_us > RATIOS[1] * limit_us

    rows = asked(stored, ANCHOR)

    names = ("n", "over_first", "over_second")
    assert expected == {
        (row["endpoint"], row["model"], row["t_unix_s"], name): row[name] for row in rows for name in names
    }
    assert rows == sorted(rows, key=lambda row: (str(row["endpoint"]), str(row["model"]), str(row["t_unix_s"])))


def test_without_a_limit_per_token_the_length_need_not_be_known(stored: Stored) -> None:
    rows = asked(stored, Anchor(base_us=1e9))

    known = [one for one in stored.records if one.ttft_us is not None and one.eligible is not Eligibility.EXCLUDED]
    assert len(known) == sum(int(str(row["n"])) for row in rows)
    assert not any(row["over_first"] for row in rows)
