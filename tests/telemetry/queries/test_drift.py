"""How many waited too long, against the rows themselves."""

from collections import Counter, defaultdict

import pytest
from query_store import SINCE_MS, UNTIL_MS, Stored

from telemetry.histogram import index
from telemetry.outcome import Eligibility, Outcome
from telemetry.queries.drift import Anchor, slow_by_hour, waits_by_hour

ANCHOR = Anchor(base_us=50_000, per_token_us=100)
RATIOS = (1.5, 4.0)


def asked(stored: Stored, anchor: Anchor) -> list[dict[str, object]]:
    rows = stored.rows(slow_by_hour(SINCE_MS, UNTIL_MS, anchor, RATIOS))
    return [row for row in rows if row["endpoint"] in {"chat", "code"}]


def test_each_hour_counts_what_is_known_and_slow(stored: Stored) -> None:
    minutes: dict[tuple[str, str, int], Counter[str]] = defaultdict(Counter)
    for one in stored.records:
        if one.eligible is Eligibility.EXCLUDED or one.tokens_in is None:
            continue
        limit_us = ANCHOR.base_us + ANCHOR.per_token_us * one.tokens_in
        wait_us = one.elapsed_us if one.ttft_us is None else one.ttft_us
        gave_up = one.outcome is Outcome.CLIENT_CANCELLED and wait_us > RATIOS[0] * limit_us
        if one.ttft_us is not None or gave_up:
            of = minutes[one.endpoint, one.model, one.ended_at // 60_000]
            of["n"] += 1
            of["first"] += wait_us > RATIOS[0] * limit_us
            of["second"] += wait_us > RATIOS[1] * limit_us
    expected: dict[tuple[str, str, int], Counter[str]] = defaultdict(Counter)
    for (endpoint, model, minute), of in minutes.items():
        hour = expected[endpoint, model, minute // 60 * 3_600]
        hour["n"] += of["n"]
        for name in ("first", "second"):
            hour[f"over_{name}"] += of[name]
            hour[f"squares_{name}"] += of[name] ** 2

    rows = asked(stored, ANCHOR)

    assert expected == {(row.pop("endpoint"), row.pop("model"), row.pop("t_unix_s")): Counter(row) for row in rows}


def test_hours_come_in_order(stored: Stored) -> None:
    keys = [(str(row["endpoint"]), str(row["model"]), int(str(row["t_unix_s"]))) for row in asked(stored, ANCHOR)]

    assert keys == sorted(keys)


@pytest.mark.parametrize(("base_us", "per_token_us"), [(0, 0), (-1, 5), (5, -1), (float("nan"), 0)])
def test_a_limit_that_nothing_keeps_is_refused(base_us: float, per_token_us: float) -> None:
    with pytest.raises(ValueError, match="is none"):
        Anchor(base_us=base_us, per_token_us=per_token_us)


def test_without_a_limit_per_token_the_length_need_not_be_known(stored: Stored) -> None:
    rows = asked(stored, Anchor(base_us=1e9))

    known = [one for one in stored.records if one.ttft_us is not None and one.eligible is not Eligibility.EXCLUDED]
    assert len(known) == sum(int(str(row["n"])) for row in rows)
    assert not any(row["over_first"] for row in rows)


def test_the_waits_of_each_hour_are_histograms_of_all_that_had_an_output_or_were_left(stored: Stored) -> None:
    waited: dict[tuple[str, str, int], Counter[int]] = defaultdict(Counter)
    left: dict[tuple[str, str, int], Counter[int]] = defaultdict(Counter)
    for one in stored.records:
        key = one.endpoint, one.model, one.ended_at // 3_600_000 * 3_600
        if one.ttft_us is not None:
            waited[key][index(one.ttft_us)] += 1
        if one.outcome is Outcome.CLIENT_CANCELLED and not one.n_out_events:
            left[key][index(one.elapsed_us)] += 1

    rows = [row for row in stored.rows(waits_by_hour(SINCE_MS, UNTIL_MS)) if row["endpoint"] in {"chat", "code"}]

    found = {(row["endpoint"], row["model"], row["t_unix_s"]): row for row in rows}
    assert waited == {key: row["waited_h"] for key, row in found.items()}
    assert left == {key: row["abandon_h"] for key, row in found.items() if row["abandon_h"]}
    assert list(found) == sorted(found)
