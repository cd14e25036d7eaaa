"""Knows the question how long requests took over several spans of minutes at once, as histograms; refuses to judge.

Source: spec/store.md 4.1 (`r_1m`), 4.2 (buckets); spec/slo.md 13 (`p99_over_sla`: 5 m and 1 h).
"""

from collections.abc import Callable, Sequence

from telemetry.queries.question import PAGE_S, Question, Select
from telemetry.queries.spans import OF_ALL, Span, by_span, values


def slowness(spans: Sequence[Span]) -> Question:
    """Ask how long the requests of users took in each of several spans, by endpoint and model.

    Rows: `endpoint`, `model`, and arrays with one element per span: `eligible` (good and bad), `bad`, `ttft_h` and
    `e2e_h` (bucket to successful requests), `abandon_h` (bucket to requests whose client left before any output, by how
    long it waited).

    Args:
        spans: Whole minutes, at least one.

    Raises:
        ValueError: There are no or too many spans, or one is not made of minutes.
    """
    return Question(sql=_text(len(spans)), parameters=values(spans), seconds_max=PAGE_S)


def _text(spans: int) -> str:
    sums = {"eligible": "s.good + s.bad", "bad": "s.bad"}
    return Select(
        columns=[
            *("endpoint", "model"),
            *(by_span(_summed("sumIf", of), spans, name) for name, of in sums.items()),
            *(by_span(_summed("sumMapIf", f"s.{name}"), spans, name) for name in ("ttft_h", "e2e_h", "abandon_h")),
        ],
        source="inferometer.r_1m AS s",
        where=OF_ALL,
        group_by=["endpoint", "model"],
        order_by=["endpoint", "model"],
    ).text()


def _summed(how: str, of: str) -> Callable[[str], str]:
    return lambda inside: f"{how}({of}, {inside})"
