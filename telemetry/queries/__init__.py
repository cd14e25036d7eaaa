"""Knows one function per question to the store, its SQL and its values; refuses to know who asks or who answers.

Source: spec/store.md 4.2 to 4.6, 13.
"""

from telemetry.queries.asked import Asked, Dim, Metric, Pick, Source
from telemetry.queries.baseline_states import baselines
from telemetry.queries.batches import (
    INSERTS_MAX,
    INSERTS_SINCE,
    RUNS_MAX,
    STORED_COUNT,
    duplicates,
    inserts_since,
    runs_of,
    stored_count,
)
from telemetry.queries.buckets import PERCENTILES_PPM
from telemetry.queries.burn import BURN_WINDOWS_S, burn_inputs
from telemetry.queries.excess import contributors
from telemetry.queries.exemplars import request, slowest
from telemetry.queries.health import coverage, telemetry_health
from telemetry.queries.latency import fraction_below, heat_map, percentiles
from telemetry.queries.objectives import Limits, objective_counts
from telemetry.queries.picker import EXACT_ROWS_MAX, NoTableError, pick
from telemetry.queries.question import Question
from telemetry.queries.report_exact import METRICS, QUANTILES, TOKEN_BINS_S_MAX, rank_floor, report, top
from telemetry.queries.report_rolled import REPORT_EXACT_ROWS_MAX, report_rolled, row_count
from telemetry.queries.traffic import outcome_shares, throughput

__all__ = [
    "BURN_WINDOWS_S",
    "EXACT_ROWS_MAX",
    "INSERTS_MAX",
    "INSERTS_SINCE",
    "METRICS",
    "PERCENTILES_PPM",
    "QUANTILES",
    "REPORT_EXACT_ROWS_MAX",
    "RUNS_MAX",
    "STORED_COUNT",
    "TOKEN_BINS_S_MAX",
    "Asked",
    "Dim",
    "Limits",
    "Metric",
    "NoTableError",
    "Pick",
    "Question",
    "Source",
    "baselines",
    "burn_inputs",
    "contributors",
    "coverage",
    "duplicates",
    "fraction_below",
    "heat_map",
    "inserts_since",
    "objective_counts",
    "outcome_shares",
    "percentiles",
    "pick",
    "rank_floor",
    "report",
    "report_rolled",
    "request",
    "row_count",
    "runs_of",
    "slowest",
    "stored_count",
    "telemetry_health",
    "throughput",
    "top",
]
