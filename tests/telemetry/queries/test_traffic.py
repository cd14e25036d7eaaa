"""Outcomes and throughput: every table says the same, and what it says is what was sent."""

from collections import Counter
from typing import cast

import pytest
from query_store import SINCE_MS, UNTIL_MS, Stored

from telemetry.queries.asked import Asked, Dim, Pick, Source
from telemetry.queries.report_exact import TOKEN_BINS_S_MAX
from telemetry.queries.traffic import outcome_shares, throughput
from telemetry.record import RequestRecord

ASKED = Asked(since_ms=SINCE_MS, until_ms=UNTIL_MS, by=(Dim.ENDPOINT,))


def of(source: Source, since_ms: int = SINCE_MS, until_ms: int = UNTIL_MS) -> Pick:
    return Pick(source=source, exact=source is Source.RAW, since_ms=since_ms, until_ms=until_ms)


def without_table(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    return [{name: value for name, value in row.items() if name != "table_used"} for row in rows]


def begins_s(one: RequestRecord) -> int:
    """The second of its first token."""
    return (one.ended_at * 1000 + (one.ttft_us or 0) - one.elapsed_us) // 1_000_000


@pytest.mark.parametrize("source", list(Source))
def test_outcomes_of_a_group(stored: Stored, source: Source) -> None:
    for row in stored.rows(outcome_shares(ASKED, of(source))):
        mine = [one for one in stored.records if one.endpoint == row["endpoint"]]
        outcomes = Counter(str(one.outcome) for one in mine)
        shares = cast("dict[str, float]", row["shares"])

        assert len(mine) == row["n"]
        assert dict(outcomes) == row["outcomes"]
        assert {word: n / len(mine) for word, n in outcomes.items()} == pytest.approx(shares)
        assert [sum(one.eligible == word for one in mine) for word in ("good", "bad", "excluded", "censored")] == [
            row[name] for name in ("n_good", "n_bad", "n_excluded", "n_censored")
        ]
        assert sum(one.in_stream for one in mine) == row["n_in_stream"]
        assert (source.value, "exact") == (row["table_used"], row["method"])


@pytest.mark.parametrize("step_s", [None, 300, 3600])
def test_throughput_is_the_same_from_every_table(stored: Stored, step_s: int | None) -> None:
    asked = Asked(since_ms=SINCE_MS, until_ms=UNTIL_MS, by=(Dim.ENDPOINT,), step_s=step_s)
    coarse = {300: [Source.R_1S, Source.R_1M]}.get(step_s or 0, [Source.R_1S, Source.R_1M, Source.R_1H])
    raw = stored.rows(throughput(asked, of(Source.RAW)))

    assert len(raw) == {None: 2, 300: 72, 3600: 6}[step_s]
    for source in coarse:
        assert without_table(stored.rows(throughput(asked, of(source)))) == without_table(raw)


def test_tokens_count_in_the_second_in_which_they_came(stored: Stored) -> None:
    """By hand, over a window that cuts streams at both of its ends."""
    later = [one for one in stored.records if one.tok_by_s and one.ended_at > SINCE_MS + 600_000]
    cut = next(one for one in later if begins_s(one) // 60 < one.ended_at // 60_000)
    until_ms = cut.ended_at // 60_000 * 60_000
    since_ms = until_ms - 60_000
    tokens = 0
    for one in stored.records:
        if one.tok_by_s and one.ttft_us is not None:
            seconds = range(begins_s(one), begins_s(one) + len(one.tok_by_s))
            tokens += sum(n for n, at in zip(one.tok_by_s, seconds, strict=True) if since_ms <= at * 1000 < until_ms)
        elif since_ms <= one.ended_at < until_ms:
            tokens += one.tokens_out or 0
    mine = [one for one in stored.records if since_ms <= one.ended_at < until_ms]
    asked = Asked(since_ms=since_ms, until_ms=until_ms)

    for source in (Source.RAW, Source.R_1S, Source.R_1M):
        question = throughput(asked, of(source, since_ms, until_ms))
        [row] = stored.rows(question)

        assert (len(mine), tokens, sum(one.tokens_in or 0 for one in mine)) == (
            row["n"],
            row["tokens"],
            row["tokens_in"],
        )
        assert (len(mine) / 60, tokens / 60) == pytest.approx((row["requests_per_s"], row["tokens_per_s"]))
    assert TOKEN_BINS_S_MAX * 1000 == throughput(asked, of(Source.RAW)).parameters["tail_ms"]


def test_without_traffic_there_is_no_row(stored: Stored) -> None:
    asked = Asked(since_ms=SINCE_MS, until_ms=UNTIL_MS, traffic="loadtest", by=(Dim.MODEL,))

    assert [] == stored.rows(throughput(asked, of(Source.RAW))) == stored.rows(throughput(asked, of(Source.R_1M)))
    assert [] == stored.rows(outcome_shares(asked, of(Source.R_1M)))
