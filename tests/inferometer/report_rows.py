"""Rows as `telemetry.queries.report` answers them, for the tests of what is made of them."""

from collections.abc import Mapping
from math import inf

Row = Mapping[str, object]
Spread = Mapping[str, object]

HEALTHY: Spread = {"n": 300, "us": [20_000, 40_000, 50_000], "us_max": 60_000, "all_n": 300, "all_us": [2e4, 4e4, 5e4]}
FAILING: Spread = {**HEALTHY, "n": 294, "all_us": [2e4, 4e4, inf]}
NOTHING: Spread = {"n": 0, "us": [0, 0, 0], "us_max": None, "all_n": 0, "all_us": [0.0, 0.0, 0.0]}


def few(n: int) -> Spread:
    return {**HEALTHY, "n": n, "all_n": n}


def row(
    endpoint: str = "chat", model: str = "tiny", spreads: Mapping[str, Spread] | None = None, **changed: object
) -> Row:
    """Return the row of a healthy endpoint, an empty endpoint making it the global one.

    Args:
        endpoint: Name of the endpoint.
        model: Name of the model.
        spreads: Metrics that are not healthy.
        changed: Columns that are not those of a healthy endpoint.
    """
    made: dict[str, object] = {
        "is_global": int(not endpoint),
        "endpoint": endpoint,
        "model": model,
        "n": 300,
        "n_ok": 300,
        "n_eligible": 300,
        "first_unix_ms": 1_000_000,
        "last_unix_ms": 1_060_000,
        "tokens_in": 6_000,
        "tokens_out": 3_000,
        "tokens_in_window": 2_400,
        "stall_n": 0,
        "n_in_stream": 0,
        "n_tok_null": 0,
        "n_tpot_null": 0,
        "outcomes": {"ok": 300},
        "ttft_sources": {"tee": 300},
        "ttft_qualities": {"exact": 300},
        "tok_sources": {"usage": 300},
        "tok_time_qualities": {"exact": 300},
    }
    for metric in ("ttft", "tpot", "e2e", "icl_max"):
        values = (spreads or {}).get(metric, HEALTHY)
        made |= {f"{metric}_{name}": value for name, value in values.items()}
    return made | changed
